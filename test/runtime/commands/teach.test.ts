import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadRepository } from '../../../models/repository.ts'
import { openLedger } from '../../../runtime/ledger.ts'
import { verdictSchema } from '../../../runtime/messages.ts'
import { userName } from '../../../runtime/user-name.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

t.setTimeout(240_000)

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
  const { id } = await loadRepository(active!, { bundleId: String(report?.['bundleId']) })
  t.equal(id, report?.['repositoryId'], 'it is in use')
  const by = { who: userName(), why: 'taught', repositoryId: id, figures: report }
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
    t.match(stderr, /encoding parts 4\/4 \(100 %\)/)
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
  const blind = await radarEdge(['teach', '--config', onlyCamera, '--parts', '9'])
  t.equal(blind.code, 1)
  t.match(blind.stderr, /teach-1 is taught as rgb-only: .*no xyz sensor is configured/)
  t.match(blind.stderr, /5 parts in a row lacked a sensor/)
  const ledger = openLedger(join(folder, 'state', 'repositories'))
  t.same([ledger.active('cookie'), ledger.history({ limit: 1 })], [undefined, []])
  t.notOk(existsSync(ledger.file))
})
