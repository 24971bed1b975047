import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { loadRepository } from '../../../models/repository.ts'
import { openLedger } from '../../../runtime/ledger.ts'
import { verdictSchema } from '../../../runtime/messages.ts'
import { userName } from '../../../runtime/user-name.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'
import { copyTinyBundle, editManifest, TINY_BUNDLE } from '../../support/tiny-bundle.ts'

t.test('from recorded parts to their verdicts: synth, teach --data, replay', async (t) => {
  const folder = t.testdir()
  const data = join(folder, 'data')
  const counts = ['--train', '4', '--validation', '2', '--test-good', '2', '--test-per-defect', '1']
  const written = await radarEdge([
    'synth',
    '--out',
    data,
    '--categories',
    'cookie',
    '--size',
    '60',
    ...counts,
  ])
  t.equal(written.code, 0, written.stderr)

  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  await rm(join(data, 'cookie', 'train', 'good', 'xyz', '003.tiff'))
  const taught = await radarEdge(['teach', '--config', file, '--data', data, '--json'])
  t.equal(taught.code, 0, taught.stderr)
  t.match(taught.stderr, /003 is taught as rgb-only: /)
  const [report] = jsonLines(taught)
  t.match(report, { product: 'cookie', taught: 4, heldOut: 2, falseRejectRate: 0.1 })
  const ledger = openLedger(join(folder, 'state', 'repositories'))
  t.teardown(() => ledger.close())
  const active = ledger.activeFolder('cookie')
  const { id, manifest } = await loadRepository(active!, { bundleId: String(report?.['bundleId']) })
  const { looks } = manifest
  t.ok(looks!.rgb!.sharpness.least > 0 && looks!.xyz!.distanceMetres.most > 0, 'how its frames look')
  t.equal(id, report?.['repositoryId'], 'it is in use')
  const { product, taught: count, banks, falseRejects } = report!
  const figures = { product, taught: count, banks, falseRejects, gate: { passed: true, unguarded: true } }
  const by = { who: userName(), why: 'taught', repositoryId: id, figures }
  t.match(
    ledger.history({ product: 'cookie', limit: 10 }),
    [
      { action: 'promote', ...by },
      { action: 'candidate', ...by },
    ],
    'and the ledger says who taught it, and what came of it',
  )

  const ended = await radarEdge(['replay', '--config', file, '--data', data, '--split', 'test', '--json'])
  t.equal(ended.code, 0, ended.stderr)
  const lines = jsonLines(ended)
  const { summary } = lines.pop() as { summary: Record<string, Record<string, number>> }
  for (const line of lines) t.ok(verdictSchema.safeParse(line).success)
  t.match(summary, { verdicts: lines.length, goods: { parts: 2 }, conditions: { complete: lines.length } })
  t.equal(summary['defects']?.['parts'], lines.length - 2)
  t.ok(lines.every(({ provenance }) => (provenance as { repositoryId: string }).repositoryId === id))

  const one = await radarEdge(['replay', '--config', file, '--data', data, '--parts', '1'])
  t.equal(one.code, 0)
  t.match(one.stdout, /^ {3}1 {2}(pass|fail) .*truth good$/m, 'a person reads a table, numbered from 1 again')
  t.match(one.stdout, /^verdicts +1$/m)
})

t.test(
  'from the station’s own sensors: good parts only, with progress and a report for a person',
  async (t) => {
    const folder = t.testdir()
    const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
    const { code, stdout, stderr } = await radarEdge(['teach', '--config', file, '--parts', '4'])
    t.equal(code, 0, stderr)
    t.match(stdout, /^cookie: 4 parts taught, 0 held out, repository [0-9a-f]{12} in use$/m)
    t.match(stdout, /warning: calibrated on 4 good parts/)
    for (const condition of ['complete', 'rgb-only', 'xyz-only']) {
      t.match(stdout, new RegExp(`^ {2}${condition} +predicted false rejects`, 'm'))
    }
    t.match(stdout, /^ {2}\d\.\d MiB; searching a part takes \d+ ms, \d+ ms at worst$/m)
    t.match(stdout, /^ {2}4 parts are too few to tell whether more would help\.$/m)
    t.match(stderr, /encoding parts 4\/4 \(100 %\).*, novelty \d+ %/)
  },
)

t.test('too few parts, or sensors that show none, leave no repository and say why', async (t) => {
  const folder = t.testdir()
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  const few = await radarEdge(['teach', '--config', file, '--parts', '2'])
  t.equal(few.code, 1)
  t.match(few.stderr, /REPOSITORY_REFUSED .*2 different good parts/)

  const alone = { rgb: { kind: 'synthetic', deadlineMs: 15_000, openDeadlineMs: 60_000 } }
  const onlyCamera = await writeConfig(folder, { bundle: TINY_BUNDLE, sensors: alone })
  const blind = await radarEdge(['teach', '--config', onlyCamera, '--parts', '9', '--restart'])
  t.equal(blind.code, 1)
  t.match(blind.stderr, /teach-1 is taught as rgb-only: .*no xyz sensor is configured/)
  t.match(blind.stderr, /5 parts in a row lacked a sensor/)
  const ledger = openLedger(join(folder, 'state', 'repositories'))
  t.same([ledger.active('cookie'), ledger.history({ limit: 1 })], [undefined, []])
  t.notOk(existsSync(ledger.file))
})

/** `<folder>/data/cookie` with so many good parts. */
async function cookies(folder: string, train: number): Promise<string> {
  const data = join(folder, 'data')
  const counts = ['--train', String(train), '--validation', '0', '--test-good', '0', '--test-per-defect', '1']
  const args = ['synth', '--out', data, '--categories', 'cookie', '--size', '60', ...counts]
  const { code, stderr } = await radarEdge(args)
  if (code !== 0) throw new Error(stderr)
  return join(data, 'cookie')
}

const foldersIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'session.json') : []

/** Ends the process without any warning as soon as something has happened. */
const killOnce = (hasHappened: () => boolean) => (child: ChildProcess) => {
  let hasEnded = false
  child.once('exit', () => (hasEnded = true))
  void until(() => hasEnded || hasHappened()).then(() => child.kill('SIGKILL'))
}

t.test(
  'killed at any time and run again, teaching ends with the repository that it would have had',
  async (t) => {
    const folder = t.testdir()
    const data = await cookies(folder, 16)
    const calm = await writeConfig(folder, { bundle: TINY_BUNDLE, stateDirectory: './calm' })
    const whole = await radarEdge(['teach', '--config', calm, '--data', data, '--json'])
    t.equal(whole.code, 0, whole.stderr)
    const [{ repositoryId } = {}] = jsonLines(whole)

    const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
    const args = ['teach', '--config', file, '--data', data, '--json']
    const state = join(folder, 'state')
    const teaching = join(state, 'teaching', 'cookie')
    const moments = [
      () => existsSync(join(teaching, 'session.json')),
      () => foldersIn(teaching).length >= 3,
      () => foldersIn(teaching).some((name) => name.endsWith('.partial')) && foldersIn(teaching).length >= 6,
      () => foldersIn(teaching).length >= 16,
      () => foldersIn(join(state, 'repositories', 'cookie')).length > 0,
      () => foldersIn(join(state, 'good', 'cookie')).length >= 2,
    ]
    let kills = 0
    for (const moment of moments) {
      const { signal, stdout } = await radarEdge(args, killOnce(moment))
      if (signal === 'SIGKILL') kills++
      else for (const line of jsonLines({ stdout })) t.equal(line['repositoryId'], repositoryId)
    }
    t.ok(kills >= 4, `${kills} of ${moments.length} were killed before they ended`)
    const last = await radarEdge(args)
    t.equal(last.code, 0, last.stderr)
    t.match(jsonLines(last), [{ repositoryId, taught: 16, warnings: jsonLines(whole)[0]!['warnings'] }])
    const ledger = openLedger(join(state, 'repositories'))
    t.teardown(() => ledger.close())
    t.same(ledger.promoted('cookie'), [repositoryId])
    t.same(await readdir(teaching), ['session.json'])
    t.equal((await readdir(join(state, 'good', 'cookie'))).length, 16)
  },
)

t.test(
  'an interrupted teaching from the sensors goes on with the next part, also with another bundle',
  async (t) => {
    const folder = t.testdir({ bundle: {} })
    const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
    const args = ['teach', '--config', file, '--parts', '12']
    const teaching = join(folder, 'state', 'teaching', 'cookie')
    const killed = await radarEdge(
      args,
      killOnce(() => foldersIn(teaching).length >= 5),
    )
    t.equal(killed.signal, 'SIGKILL')
    const other = await radarEdge([...args.slice(0, -1), '13'])
    t.equal(other.code, 1)
    t.match(other.stderr, /TEACHING_UNFINISHED .*--parts 12 --seed 1 .*--restart/)

    // Another tolerance makes another bundle, of the same encoders.
    const bundle = copyTinyBundle(join(t.testdirName, 'bundle'))
    editManifest(bundle, ({ golden, ...rest }) => ({ ...rest, golden: { ...golden, maxAbsoluteError: 0.5 } }))
    await writeConfig(folder, { bundle })
    const ended = await radarEdge([...args, '--json'])
    t.equal(ended.code, 0, ended.stderr)
    t.match(ended.stderr, /^going on with \d+ parts that were captured before/m)
    const [report] = jsonLines(ended)
    t.equal(report?.['taught'], 12)
    t.notMatch(String(report?.['warnings']), /the same as/, 'no part was shown twice')
    const good = await readdir(join(folder, 'state', 'good', 'cookie'))
    t.same(
      good.map((name) => name.replace(/\..*/, '')).sort(),
      Array.from({ length: 12 }, (_, i) => `teach-${i + 1}`).sort(),
    )
  },
)

t.test('a part that looks odd is proposed with a heatmap, and can be left out afterwards', async (t) => {
  const folder = t.testdir()
  const data = await cookies(folder, 16)
  const odd = join(data, 'train', 'good', 'rgb', '005.png')
  const painted = await sharp(odd)
    .composite([
      {
        input: { create: { width: 14, height: 14, channels: 3, background: '#10f0f0' } },
        left: 24,
        top: 24,
      },
    ])
    .png()
    .toBuffer()
  await sharp(painted).toFile(odd)
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  const pictures = join(folder, 'odd')
  const args = ['teach', '--config', file, '--data', data]
  const taught = await radarEdge([...args, '--save', pictures])
  t.equal(taught.code, 0, taught.stderr)
  t.match(taught.stdout, /^ {2}odd: train\/good\/005, (complete|rgb-only): so many good parts/m)
  t.match(taught.stdout, /--exclude train\/good\/005$/m)
  const names = await readdir(pictures)
  t.equal(names.length, 2)
  for (const name of names) {
    t.match(name, /^train%2Fgood%2F005-(complete|rgb-only)\.(png|jpg)$/)
    const { width, height } = await sharp(join(pictures, name)).metadata()
    t.same([width, height], [60, 60])
  }

  const stranger = await radarEdge([...args, '--exclude', 'train/good/099'])
  t.equal(stranger.code, 1)
  t.match(stranger.stderr, /TEACHING_FAILED there is no part 'train\/good\/099' to leave out/)
  // Nothing is captured again.
  await rename(data, `${data}.away`)
  const without = await radarEdge([...args, '--exclude', 'train/good/005', '--json'])
  await rename(`${data}.away`, data)
  t.equal(without.code, 0, without.stderr)
  const [report] = jsonLines(without)
  t.match(report, { taught: 15, excluded: ['train/good/005'], outliers: [] })
  const good = await readdir(join(folder, 'state', 'good', 'cookie'))
  t.notOk(good.includes('train%2Fgood%2F005'))
  t.equal(good.length, 15)

  await rm(join(data, 'train', 'good', 'rgb', '005.png'))
  await rm(join(data, 'train', 'good', 'xyz', '005.tiff'))
  const never = await radarEdge([...args, '--json'])
  t.equal(jsonLines(never)[0]?.['repositoryId'], report?.['repositoryId'], 'as if it had never been there')
})
