import t from 'tap'
import { markdownReport, table } from '../../../models/bench/miiad-markdown.ts'
import { cell, measuredOf } from '../../support/miiad-cells.ts'

const decisions = {
  complete: {
    good: { parts: 40, rejected: 2, scores: [0.1, 2] },
    defective: { parts: 10, rejected: 9, scores: [3] },
  },
}
const cells = [1, 2].flatMap((seed) => [
  cell({ seed, method: 'm3dm-pseudo', imageAuroc: 0.8, aupro: 0.7 }),
  cell({ seed, method: 'radar', imageAuroc: 0.8 + 0.02 * seed, aupro: 0.75, decisions }),
  cell({ seed, method: 'radar', on: 'rgb', imageAuroc: 0.85, pixelAuroc: null }),
  cell({ seed, method: 'rgb-only', on: 'rgb', imageAuroc: 0.86 }),
  cell({ seed, method: 'radar-no-fused', imageAuroc: 0.82 }),
  cell({ seed, method: 'radar:no-alm', imageAuroc: 0.81 }),
])

t.test('rates and kinds go down, methods across, the best is bold, the lead beside it', async (t) => {
  const text = markdownReport(measuredOf(cells))
  t.match(
    text,
    '| 30 % | 70 % | 100 % | 70 % | 100 % | 0.800 ± 0.000 | **0.830 ± 0.014** | +3.0 ± 1.4 | 0.700 ± 0.000 | **0.750 ± 0.000** |',
  )
  t.match(
    text,
    /\| Missing \| xyz in train \| rgb in train \| xyz in test \| rgb in test \| I-AUROC `m3dm-pseudo` \|/,
  )
})

t.test('every part of the report is there: bars, subsets, ablations, rejects, counts', async (t) => {
  const text = markdownReport(measuredOf(cells))
  t.match(text, /\| 30 % of xyz missing: radar above m3dm-pseudo by 3 points of I-AUROC \| reached \|/)
  t.match(text, /\| .* below rgb-only \| \*\*not reached\*\* \| lowest of 1 settings/)
  t.match(text, /0\.860 ± 0\.000 \| 0\.850 ± 0\.000 \| -1\.0 ± 0\.0/)
  t.match(text, /\| `radar-no-fused` \| 0\.820 ± 0\.000 \(-1\.0 ± 1\.4\) \|/)
  t.match(text, /- `radar:no-alm`: radar with this fusion/)
  t.match(text, '| `radar` | 30 % xyz missing | complete | 4 of 80 | 5 % |')
  t.match(text, '| 30 % xyz missing | 7 of 10 (nominal 10) | 10 of 10 (nominal 10) | 35 of 50 (nominal 40) |')
})

t.test('published figures stand beside, under a sentence that says what they are not', async (t) => {
  const text = markdownReport(measuredOf(cells))
  t.match(text, /\*\*Not comparable\*\* with the tables above/)
  t.match(text, '| 30 % xyz missing | 0.883 | 0.869 | 0.903 | 0.932 | 0.918 | 0.947 |')
})

t.test(
  'one class is shown with its bootstrap intervals, and what was not measured with the reason',
  async (t) => {
    const gap = {
      kind: 'xyz',
      rate: 1,
      where: 'both',
      seed: 1,
      category: 'nut',
      method: 'radar',
      why: 'no 3D',
    } as const
    const text = markdownReport({ ...measuredOf(cells), gaps: [gap] })
    t.match(
      text,
      '| 30 % xyz missing | `rgb-only` | with rgb | 20 | 30 | 0.860 | 0.810 to 0.860 | 0.800 | 0.950 |',
    )
    t.match(text, '| 100 % xyz missing | 1 | nut | `radar` | no 3D |')
    const two = markdownReport(measuredOf([...cells, cell({ category: 'gear' })]))
    t.notMatch(two, /With bootstrap intervals/)
  },
)

t.test('a table has a head, a rule and its rows', async (t) => {
  t.equal(table(['a', 'b'], [['1', '2']]), '| a | b |\n| --- | --- |\n| 1 | 2 |')
})
