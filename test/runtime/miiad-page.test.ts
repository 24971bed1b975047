import t from 'tap'
import { miiadPage } from '../../runtime/miiad-page.ts'
import { cell, measuredOf } from '../support/miiad-cells.ts'

const synthetic = measuredOf(
  [1, 2].flatMap((seed) => [
    cell({ seed, method: 'radar' }),
    cell({ seed, method: 'm3dm-pseudo', imageAuroc: 0.8 }),
    cell({ seed, method: 'radar-no-fused', imageAuroc: 0.89 }),
    cell({ seed, method: 'radar', kind: 'none', rate: 0 }),
  ]),
)
const alone = (name: string, imageAuroc: number) => ({
  ...measuredOf([
    cell({ category: 'cable_gland', method: 'rgb-only', on: 'rgb', rate: 1, where: 'test', imageAuroc }),
    cell({ category: 'cable_gland', method: 'radar', rate: 1, where: 'test', imageAuroc }),
  ]),
  bundle: { id: name, name, version: '1.0.0' },
})

t.test(
  'the page has every section, the commands that made it, and says what is not comparable',
  async (t) => {
    const page = miiadPage({ synthetic, real: alone('radar-lite', 0.7) })
    for (const heading of [
      'What was measured, and how',
      'Bars',
      'Synthetic products',
      'Ablations',
      'Rejected good parts',
      'Real parts: cable_gland',
      'Beside the published figures',
      'What is not comparable',
    ]) {
      t.match(page, `\n## ${heading}\n`)
    }
    t.match(
      page,
      'radar-edge bench miiad --data <nuts> --rates 0,30 --kinds xyz --seeds 1,2 --bank-mebibytes 4\n',
    )
    t.match(page, '--rates 100 --kinds xyz --where test --seeds 1')
    t.match(page, '(screens/miiad-synthetic-auroc.png)')
    t.match(page, '(screens/miiad-real-scores.png)')
    t.notMatch(page, /undefined|NaN/)
  },
)

t.test('a plugged-in encoder is set against the bundle’s own, on RGB alone', async (t) => {
  const real = alone('radar-lite', 0.7)
  const reached = miiadPage({ synthetic, real, plugged: alone('mobilenet', 0.705) })
  t.match(reached, '| reached | 0.700, mobilenet 0.705 |')
  const missed = miiadPage({ synthetic, real, plugged: alone('mobilenet', 0.72) })
  t.match(missed, '| **not reached** | 0.700, mobilenet 0.720 |')
})

t.test('parts that were trained apart have a table of their own', async (t) => {
  const ablations = measuredOf([cell({ method: 'radar' }), cell({ method: 'radar:MII', imageAuroc: 0.91 })])
  const page = miiadPage({ synthetic, ablations })
  t.match(page, /Trained apart.*\n\n.*\n.*\n\| `radar` \|.*\n\| `radar:MII` \| 0\.910 \(\+1\.0\) \|/)
  t.match(page, /\| `radar-no-fused` \|/)
})

t.test('without real parts there is no section of them', async (t) => {
  t.notMatch(miiadPage({ synthetic }), /Real parts/)
})
