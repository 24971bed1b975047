import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { monotonicClock } from '../../../drivers/clock.ts'
import { readConfig } from '../../../runtime/config.ts'
import { openLedger } from '../../../runtime/ledger.ts'
import { openPartArchive } from '../../../runtime/part-archive.ts'
import { archiveOf, goldenShelf } from '../../../runtime/shelves.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { keptPart } from '../../support/kept-part.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../../support/samples.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const historyOf = (folder: string) => {
  const ledger = openLedger(join(folder, 'state', 'repositories'))
  try {
    return ledger.history({ limit: 10 })
  } finally {
    ledger.close()
  }
}

t.test(
  'recorded test parts become golden ones with label, defect and mask; they are listed and removed',
  async (t) => {
    const folder = t.testdir()
    const data = join(folder, 'data')
    const counts = ['--train', '2', '--validation', '0', '--test-good', '3', '--test-per-defect', '2']
    const synth = ['synth', '--out', data, '--categories', 'cookie', '--size', '60', ...counts]
    t.equal((await radarEdge(synth)).code, 0)
    const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
    const args = ['golden', 'add', '--config', file, '--data', join(data, 'cookie')]
    const added = await radarEdge([
      ...args,
      '--per-label',
      '1',
      '--why',
      'first set',
      '--who',
      'Ada',
      '--json',
    ])
    t.equal(added.code, 0, added.stderr)
    const parts = jsonLines(added)
    const [good, ...bad] = parts.sort((a) => (a['label'] === 'good' ? -1 : 1))
    t.match(good, { partId: 'test/good/000', label: 'good', condition: 'complete', note: { hasMask: false } })
    t.ok(bad.length >= 5)
    for (const part of bad) {
      t.equal(part['partId'], `test/${String(part['defect'])}/000`)
      t.match(part, { label: 'bad', note: { hasMask: true, origin: 'recorded' } })
    }
    const { stateDirectory, keep } = await readConfig(file)
    const shelf = goldenShelf({ stateDirectory, keep }, 'cookie')
    const stored = await shelf.load(String(bad[0]?.['partId']), 'all')
    t.match(stored.mask, { width: 60, height: 60 })
    t.ok(stored.mask?.pixels.some((value) => value > 0))
    t.ok(stored.frames.rgb && stored.frames.xyz && stored.features)
    t.match(historyOf(folder), [
      { action: 'golden', product: 'cookie', who: 'Ada', why: 'first set', figures: { count: parts.length } },
    ])

    const again = await radarEdge([...args, '--label', 'good'])
    t.match(again.stdout, /^cookie: 3 good and 0 bad golden parts added$/m)
    const listed = await radarEdge(['golden', 'list', '--config', file])
    t.match(listed.stdout, new RegExp(`^cookie: 3 good and ${bad.length} bad golden parts$`, 'm'))
    t.match(listed.stdout, /^ {2}test\/hole\/000 +bad +hole +complete +mask/m)

    await rm(join(stateDirectory, 'golden', 'cookie', 'test%2Fgood%2F001', 'part.json'))
    const damaged = jsonLines(await radarEdge(['golden', 'list', '--config', file, '--json']))
    t.match(damaged.at(-1), { partId: 'test/good/001', damaged: true })
    const remove = ['golden', 'remove', '--config', file, 'test/good/001', 'test/good/009', '--json']
    const removed = await radarEdge(remove)
    t.equal(removed.code, 1)
    t.match(jsonLines(removed), [{ removed: ['test/good/001'] }])
    t.match(removed.stderr, /PART_UNKNOWN cookie has no golden part test\/good\/009/)
    t.match(historyOf(folder)[0], { action: 'golden', figures: { removed: ['test/good/001'] } })
  },
)

t.test('the synthetic station tells what it shows: its parts, and those of one label', async (t) => {
  const folder = t.testdir()
  const synthetic = { category: 'cookie', width: 60, height: 60, defectRate: 0.4 }
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE, synthetic })
  const added = await radarEdge([
    'golden',
    'add',
    '--config',
    file,
    '--parts',
    '3',
    '--label',
    'bad',
    '--json',
  ])
  t.equal(added.code, 0, added.stderr)
  const parts = jsonLines(added)
  t.equal(parts.length, 3)
  for (const part of parts) t.match(part, { label: 'bad', note: { hasMask: true } })
  const any = jsonLines(await radarEdge(['golden', 'add', '--config', file, '--parts', '4', '--json']))
  t.equal(any.length, 4)
  t.ok(any.some(({ label }) => label === 'good'))

  // What is golden now gates what is taught.
  const taught = await radarEdge(['teach', '--config', file, '--parts', '10', '--json'])
  const { stdout, stderr } = taught
  t.match(stdout + stderr, /golden-detection/)
})

t.test('an inspected part whose frames are kept becomes golden when somebody says what it is', async (t) => {
  const folder = t.testdir()
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  const config = await readConfig(file)
  const archive = await openPartArchive({ ...archiveOf(config), role: 'owner', clock: monotonicClock })
  const size = { width: 100, height: 100 }
  const sample = sampleOf({ rgb: rgbFrame(size), xyz: xyzFrame(size) }, 'run-7')
  archive.offer({ ...keptPart(7, { product: 'cookie', outcome: 'fail' }), sample })
  archive.offer(keptPart(8, { product: 'cookie' }))
  await archive.close(AbortSignal.timeout(10_000))
  const add = (ids: string, ...more: string[]) =>
    radarEdge(['golden', 'add', '--config', file, '--trigger', ids, ...more])

  const unsaid = await add('run-7')
  t.match(unsaid.stderr, /GOLDEN_REFUSED nobody has said what these parts are/)
  const featuresOnly = await add('run-8', '--label', 'good')
  t.match(featuresOnly.stderr, /GOLDEN_REFUSED run-8 cannot be shown again/)
  const added = await add('run-7', '--label', 'bad', '--defect', 'crumbled', '--json')
  t.equal(added.code, 0, added.stderr)
  t.match(jsonLines(added), [{ partId: 'run-7', label: 'bad', defect: 'crumbled' }])
})

t.test('parts come from one place, and it must be known what they are', async (t) => {
  const folder = t.testdir({ pairs: {} })
  const data = join(folder, 'data')
  const counts = ['--train', '0', '--validation', '0', '--test-good', '1', '--test-per-defect', '0']
  await radarEdge(['synth', '--out', data, '--categories', 'cookie', '--size', '60', ...counts])
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  const none = await radarEdge(['golden', 'add', '--config', file])
  t.match(none.stderr, /GOLDEN_REFUSED golden parts come from one place/)
  const two = await radarEdge(['golden', 'add', '--config', file, '--parts', '1', '--data', folder])
  t.match(two.stderr, /GOLDEN_REFUSED golden parts come from one place/)
  const loose = join(folder, 'pairs')
  await cp(join(data, 'cookie', 'test', 'good', 'rgb'), loose, { recursive: true })
  const add = ['golden', 'add', '--config', file, '--data', loose]
  t.match((await radarEdge(add)).stderr, /GOLDEN_REFUSED .* does not say what its parts are/)
  const said = await radarEdge([...add, '--label', 'bad', '--defect', 'burnt', '--json'])
  t.match(jsonLines(said), [{ partId: '000', label: 'bad', defect: 'burnt', condition: 'rgb-only' }])
})
