import { readFile } from 'node:fs/promises'
import path from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { readSplitFile } from '../../../models/bench/miiad-split-file.ts'
import { jsonLines, radarEdge } from '../../support/command-line.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const root = path.join(t.testdir({}), 'data')
await writeDataset({
  root,
  categories: ['cookie'],
  size: 60,
  train: 6,
  validation: 1,
  testGood: 2,
  testPerDefect: 1,
  seed: 1,
  signal: new AbortController().signal,
})
const miiad = (...args: string[]) => radarEdge(['bench', 'miiad', ...args])
const small = ['--bundle', TINY_BUNDLE, '--bank-mebibytes', '1', '--methods', 'radar,m3dm-pseudo,rgb-only']

t.test('figures, splits and plots are written; other seeds can be measured apart and merged', async (t) => {
  const out = (name: string) => path.join(t.testdirName, name)
  t.testdir({})
  const asked = ['--data', root, ...small, '--kinds', 'xyz']
  const first = await miiad(...asked, '--rates', '0,30', '--out', out('a'), '--json')
  t.equal(first.code, 0, first.stderr)
  const [report] = jsonLines(first) as unknown as [
    { cells: { rate: number }[]; summary: { bars: unknown[] } },
  ]
  t.match(report, { schema: 'radar-edge/bench-miiad@1', dataset: 'data', byteBudget: 2 ** 20, gaps: [] })
  t.same([...new Set(report.cells.map(({ rate }) => rate))], [0, 0.3])
  t.ok(report.summary.bars.length > 0)
  t.match(first.stderr, /cookie, split 2 of 2: 30 % xyz missing, seed 1/)

  const { splits } = await readSplitFile(path.join(out('a'), 'splits.json'))
  t.equal(splits.length, 2)
  for (const name of ['auroc.png', 'scores.png']) {
    const { format, width } = await sharp(path.join(out('a'), name)).metadata()
    t.equal(format, 'png')
    t.ok((width ?? 0) > 1000, name)
  }
  t.match(await readFile(path.join(out('a'), 'report.csv'), 'utf8'), /^seed,category,missing,rate/)
  t.match(await readFile(path.join(out('a'), 'report.md'), 'utf8'), /^# MIIAD Bench: data/)

  const second = await miiad(...asked, '--rates', '30', '--seeds', '2', '--out', out('b'))
  t.match(second.stdout, /^data: tiny .*\n30 % xyz missing\n {2}rgb-only {13}I-AUROC /)
  const files = ['a', 'b'].map((name) => path.join(out(name), 'report.json')).join()
  const merged = await miiad('--merge', files, '--json')
  t.equal(merged.code, 0, merged.stderr)
  const [both] = jsonLines(merged) as unknown as [{ cells: unknown[] }]
  t.equal(both.cells.length, report.cells.length + report.cells.length / 2)

  const file = path.join(out('a'), 'splits.json')
  const again = await miiad('--data', root, ...small, '--splits', file, '--json')
  t.same((jsonLines(again)[0] as unknown as typeof report).cells, report.cells, 'a split file gives the same')
})

t.test('a command line that says two things is refused', async (t) => {
  const cases: [args: string[], said: RegExp][] = [
    [
      ['--data', root, '--splits', 'x.json', '--rates', '30'],
      /'--splits <file>' cannot be used with .*--rates/,
    ],
    [['--data', root, '--merge', 'x.json'], /cannot be used with/],
    [['--data', root, '--rates', '30,130'], /number from 0 to 100/],
    [['--data', root, '--kinds', 'none'], /expected some of xyz, rgb, both/],
    [['--data', root, '--ablation', 'folder'], /expected name=folder/],
    [[], /expected --data <folder> or --merge <files>/],
    [['--data', root, '--splits', '/no/such/file.json'], /SPLIT_UNREADABLE .*file\.json/],
  ]
  for (const [args, said] of cases) {
    const { code, stderr } = await miiad(...args)
    t.equal(code, 1, args.join(' '))
    t.match(stderr, said)
  }
})
