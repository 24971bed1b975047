import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../../drivers/clock.ts'
import { ENGINE } from '../../../models/engine.ts'
import { openBundle } from '../../../models/bundle.ts'
import { makeRepository } from '../../../models/repository.ts'
import { openLedger } from '../../../runtime/ledger.ts'
import { openPartArchive } from '../../../runtime/part-archive.ts'
import { freshFeatures } from '../../../runtime/workshop-parts.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { keptPart } from '../../support/kept-part.ts'
import { tinyStation } from '../../support/kept-tiny-repositories.ts'
import { putIntoUse } from '../../support/put-into-use.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../../support/samples.ts'
import { storedPart } from '../../support/stored-parts.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const never = new AbortController().signal
const reasons = ['--why', 'lamps were replaced', '--who', 'ana']
const home = t.testdir()
const { file, root, first, second } = await tinyStation(home)
const [one, two] = [first.id.slice(0, 12), second.id.slice(0, 12)]
const archiveFolder = join(home, 'state', 'archive')
const work = (...args: string[]) => radarEdge(['repository', ...args, ...reasons, '--config', file])
const accept = (...args: string[]) => radarEdge(['accept', ...args, ...reasons, '--config', file])

function lookAtLedger<Result>(look: (ledger: ReturnType<typeof openLedger>) => Result): Result {
  const ledger = openLedger(root)
  try {
    return look(ledger)
  } finally {
    ledger.close()
  }
}

const entries = (limit = 1) => lookAtLedger((ledger) => ledger.history({ limit }))

async function openArchive() {
  const bounds = { recentParts: 100, rejectBytes: 2 ** 30, rejectDays: 36_500 }
  return openPartArchive({ folder: archiveFolder, role: 'owner', clock: monotonicClock, bounds })
}

async function untaughtConfig(t: Test): Promise<string> {
  return writeConfig(t.testdir(), { product: 'bolt', bundle: TINY_BUNDLE, recipes: {} })
}

t.test('without an archive nothing can be accepted, and asking makes none', async (t) => {
  const { code, stdout, stderr } = await accept('run-1')
  t.equal(code, 1)
  t.equal(stdout, '')
  t.match(stderr, /^radar-edge: ARCHIVE_UNREADABLE .*archive holds no archive yet/)
  t.notOk(existsSync(archiveFolder))
  const updated = await work('update')
  t.match([updated.code, updated.stderr], [1, /^radar-edge: ARCHIVE_UNREADABLE/])
})

t.test('a product that was never taught: every work says so', async (t) => {
  const config = await untaughtConfig(t)
  for (const args of [['update'], ['forget', 'part-1'], ['compact'], ['rebuild']] as const) {
    const { code, stderr } = await radarEdge(['repository', ...args, ...reasons, '--config', config])
    t.equal(code, 1, args.join(' '))
    t.match(stderr, /^radar-edge: NOT_TAUGHT bolt was never taught: radar-edge teach --product bolt$/m)
  }
  for (const args of [['rollback'], ['promote', 'abcdef']] as const) {
    const { code, stderr } = await radarEdge(['repository', ...args, ...reasons, '--config', config])
    t.match([code, stderr], [1, /^radar-edge: REPOSITORY_UNKNOWN .*bolt/], args.join(' '))
  }
})

t.test('whoever changes which one is in use says why', async (t) => {
  const { code, stderr } = await radarEdge(['repository', 'rollback', '--config', file])
  t.match([code, stderr], [1, /--why/])
})

t.test('back to the one before, and to any other that was in use', async (t) => {
  const back = await work('rollback')
  t.match([back.code, back.stdout], [0, `tiny: back to ${one}, before it ${two}\n`])
  t.match(entries(), [{ action: 'rollback', repositoryId: first.id, who: 'ana', why: 'lamps were replaced' }])
  const none = await work('rollback')
  t.match([none.code, none.stderr], [1, /^radar-edge: REPOSITORY_UNKNOWN tiny has no repository before/])
  const again = await work('rollback', two, '--json')
  t.match(jsonLines(again), [{ action: 'rollback', repositoryId: second.id, previousId: first.id }])
  const same = await work('rollback', two)
  t.match([same.code, same.stderr], [1, /^radar-edge: LEDGER_CONFLICT/])
})

t.test('promoting asks the gate and says what it found', async (t) => {
  const { code, stdout, stderr } = await work('promote', one)
  t.equal(code, 0, stderr)
  t.match(stdout, `tiny ${one} is in use`)
  t.match(stdout, /ok +golden-verdicts: there are no golden parts/)
  t.match(stdout, /no bad golden part guards what defects look like/)
  const [again] = jsonLines(await work('promote', one, '--json'))
  t.match(again, { result: 'unchanged', repositoryId: first.id, remarks: ['it is in use already'] })
  const unknown = await work('promote', 'abcdefabcdef')
  t.match([unknown.code, unknown.stderr], [1, /^radar-edge: REPOSITORY_UNKNOWN/])
})

t.test('accepted parts are in the ledger; one that is unknown is said, and is exit code 1', async (t) => {
  const archive = await openArchive()
  // Of another bundle: admission must never see it.
  archive.offer(keptPart(1, { product: 'tiny', outcome: 'fail' }))
  await archive.idle(never)
  const { code, stdout } = await accept('run-1', 'run-9')
  t.equal(code, 1)
  t.match(stdout, /^1 accepted: the next update of tiny learns from them\n {2}run-9 is not in the archive/)
  t.match(entries(), [{ action: 'accept', who: 'ana', figures: { count: 1, triggerIds: ['run-1'] } }])
  t.match(archive.find('run-1'), { confirmed: 'accepted', confirmedBy: 'ana' })
  t.match(jsonLines(await accept('run-1', '--json')), [{ confirmed: ['run-1'], refused: [] }])
  await archive.markUsed(['run-1'], 'refused:frozen')
  await archive.close(never)
})

t.test('with nothing confirmed an update changes nothing', async (t) => {
  const before = entries()
  const { code, stdout } = await work('update')
  t.match([code, stdout], [0, 'Nothing was changed (tiny)\n'])
  t.same(entries(), before)
})

t.test('what was accepted is learned by the next update, and only once', async (t) => {
  const archive = await openArchive()
  const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
  for (const seq of [11, 12, 13]) {
    const size = { width: 100, height: 100, seed: 500 + seq }
    const sample = sampleOf({ rgb: rgbFrame(size), xyz: xyzFrame(size) })
    const features = (await freshFeatures(storedPart({ frames: sample.frames }), bundle))!
    const { facts } = keptPart(seq, { product: 'tiny' })
    archive.offer({ facts, absent: {}, features: { ...features, bundleId: bundle.id, engine: ENGINE } })
    await archive.idle(never)
  }
  await bundle.release()
  t.equal((await accept('run-11', 'run-12', 'run-13')).code, 0)
  const { code, stdout, stderr } = await work('update', '--keep-candidate')
  t.equal(code, 0, stderr)
  t.match(
    stdout,
    /^tiny [0-9a-f]{12} passed the gate and waits for its promotion\n {2}parts admitted 3, refused 0/,
  )
  t.match(stdout, /bank rgb +\d+ rows, \d+ new/)
  const [candidate] = entries()
  t.match(candidate, { action: 'candidate', figures: { admitted: ['run-11', 'run-12', 'run-13'] } })
  t.equal(archive.find('run-11')?.used, candidate!.repositoryId)
  t.match((await work('update')).stdout, 'Nothing was changed')

  await rm(join(root, 'tiny', candidate!.repositoryId!), { recursive: true })
  const again = await work('update', '--keep-candidate')
  t.match(again.stdout, 'parts admitted 3, refused 0', 'nobody promoted it, and it is gone: learned again')
  await archive.close(never)
})

t.test('a part that nothing can be learned from does not wait for ever', async (t) => {
  const archive = await openArchive()
  t.equal((await accept('run-1')).code, 0)
  t.match((await work('update')).stdout, "part 'run-1' has neither features of this bundle")
  t.equal(archive.find('run-1')?.used, 'refused:unusable')
  t.notMatch((await work('update')).stdout, 'run-1')
  await archive.close(never)
})

t.test('a refusal of the gate is exit code 1, and the one in use stays', async (t) => {
  const product = 'tiny'
  const { manifest, ...contents } = first
  // Promises a hundred times fewer false rejects than its heads do.
  const boastful = makeRepository({ ...contents, manifest: { ...manifest, falseRejectRate: 0.0001 } })
  const active = lookAtLedger((ledger) => ledger.active(product))
  await mkdir(join(root, product), { recursive: true })
  await putIntoUse(root, product, boastful)
  lookAtLedger((ledger) => ledger.rollback({ product, who: 'eve', why: 'by mistake' }))
  t.equal(
    lookAtLedger((ledger) => ledger.active(product)),
    active,
  )
  const { code, stdout } = await work('promote', boastful.id.slice(0, 12))
  t.match([code, stdout], [1, /was refused: the repository in use stays\n[^]*FAILED false-rejects/])
  t.equal(
    lookAtLedger((ledger) => ledger.active(product)),
    active,
  )
})
