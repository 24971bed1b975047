import t from 'tap'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { jsonLines, radarEdge } from '../../support/command-line.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

t.test('bench anomaly reports figures per condition, as JSON and as a table', async (t) => {
  const root = t.testdir()
  const counts = { train: 4, validation: 0, testGood: 2, testPerDefect: 1 }
  const { signal } = new AbortController()
  await writeDataset({ root, categories: ['cookie'], size: 60, ...counts, seed: 1, signal })
  const args = ['bench', 'anomaly', '--data', root, '--bundle', TINY_BUNDLE, '--bank-mebibytes', '1']
  const ended = await radarEdge([...args, '--false-reject-rate', '0.1', '--json'])
  t.equal(ended.code, 0, ended.stderr)
  const [report] = jsonLines(ended) as unknown as [
    { classes: { conditions: Record<string, Record<string, unknown>> }[] },
  ]
  t.match(report, { schema: 'radar-edge/bench-anomaly@1', promisedFalseRejectRate: 0.1, byteBudget: 2 ** 20 })
  for (const condition of ['complete', 'rgb-only', 'xyz-only']) {
    const figures = report.classes[0]!.conditions[condition]!
    for (const name of ['imageAuroc', 'pixelAuroc', 'aupro']) {
      const value = figures[name]
      t.ok(typeof value === 'number' && value >= 0 && value <= 1, `${condition} ${name} is ${value}`)
    }
  }
  const table = await radarEdge(args)
  t.match(table.stdout, /^tiny .*seed 1/)
  t.equal(table.stdout.match(/^cookie +\S+ +I-AUROC [01]\.\d{3}/gm)?.length, 3)
})

t.test(
  'bench repository shows the parts that were asked for, as JSON and as text of 100 columns',
  async (t) => {
    const folder = t.testdir({
      'kills.json': JSON.stringify({
        kills: 4,
        reports: [
          {
            disk: 'real',
            kills: 4,
            hits: { teach: { 'after rename': 3 }, update: { before: 1 } },
            acknowledged: { entries: 2 },
            torn: { partials: 1 },
            problems: [],
          },
        ],
      }),
      'other.json': '{}',
    })
    const small = ['--category', 'cookie', '--size', '64', '--parts', '4', '--rows', '100', '--repeats', '1']
    const args = ['bench', 'repository', '--bundle', TINY_BUNDLE, '--bank-mebibytes', '0.5', ...small]
    const given = ['--only', 'teaching,search', '--kills', `${folder}/kills.json`]
    const ended = await radarEdge([...args, ...given, '--json'])
    t.equal(ended.code, 0, ended.stderr)
    t.match(jsonLines(ended), [
      {
        schema: 'radar-edge/bench-repository@1',
        teaching: [{ product: 'cookie', runs: [{ parts: 4 }] }],
        drift: [],
        search: [{ rows: 100 }],
        kills: { kills: 4 },
      },
    ])
    const { stdout } = await radarEdge([...args, ...given])
    t.match(stdout, /^tiny /)
    t.match(stdout, /Kill test: 4 times kill -9\n {2}real disk: 4 kills; in teach 3, update 1\n/)
    t.ok(
      stdout.split('\n').every((line) => line.length <= 100),
      stdout,
    )

    const wrong = await radarEdge([...args, '--kills', `${folder}/other.json`])
    t.equal(wrong.code, 1)
    t.match(wrong.stderr, /KILL_COUNTS_UNREADABLE .*other\.json/)
  },
)
