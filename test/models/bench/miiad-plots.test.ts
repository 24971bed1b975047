import sharp from 'sharp'
import t from 'tap'
import { rateCurves, scoreHistograms } from '../../../models/bench/miiad-plots.ts'
import { cell } from '../../support/miiad-cells.ts'

const decisions = {
  complete: {
    good: { parts: 2, rejected: 0, scores: [0.1, 0.4] },
    defective: { parts: 2, rejected: 2, scores: [3, 40] },
  },
  'rgb-only': {
    good: { parts: 1, rejected: 1, scores: [2] },
    defective: { parts: 0, rejected: 0, scores: [] },
  },
}
const cells = [1, 2].flatMap((seed) =>
  [0, 0.3, 0.7].flatMap((rate) =>
    ['radar', 'm3dm-pseudo'].map((method) =>
      cell({
        seed,
        rate,
        method,
        kind: rate === 0 ? 'none' : 'xyz',
        imageAuroc: 0.9 - rate / 5 + seed / 100,
        decisions,
      }),
    ),
  ),
)

t.test('curves: one panel per kind that was measured, a line per method, a tick per rate', async (t) => {
  const svg = rateCurves(cells)
  t.match(svg, />3D missing</)
  t.notMatch(svg, />RGB missing</)
  for (const text of ['radar', 'M3DM-style, pseudo-inputs', '0 %', '30 %', '70 %', 'I-AUROC', 'AUPRO']) {
    t.match(svg, `>${text}<`)
  }
  t.equal(svg.match(/<polyline/g)?.length, 4, 'two methods, two figures')
  t.notMatch(svg, /NaN|Infinity|undefined/)
  t.match(await sharp(Buffer.from(svg)).metadata(), { format: 'svg', width: 1072 })
})

t.test('histograms: one panel per condition that was asked for, with how many parts it shows', async (t) => {
  const svg = scoreHistograms(cells, { method: 'radar', promised: 0.05 })
  t.match(svg, />complete</)
  t.match(svg, />RGB only</)
  t.notMatch(svg, />3D only</)
  t.match(svg, />12 good, 12 defective</)
  t.match(svg, />rejected beyond, promised 5 % of the good</)
  t.notMatch(svg, /NaN|Infinity|undefined/)
  t.ok((await sharp(Buffer.from(svg)).png().toBuffer()).length > 1000)
})

t.test('nothing measured is an empty picture, not an error', async (t) => {
  for (const svg of [rateCurves([]), scoreHistograms([], { method: 'radar', promised: 0.05 })]) {
    t.notMatch(svg, /NaN|Infinity|undefined/)
    t.ok((await sharp(Buffer.from(svg)).png().toBuffer()).length > 0)
  }
})
