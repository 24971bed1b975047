import t from 'tap'
import { summaryOf } from '../../../models/bench/miiad-summary.ts'
import { cell, measuredOf } from '../../support/miiad-cells.ts'

t.test(
  'every method has its means and its distance to radar where it was measured, and nowhere else',
  async (t) => {
    const { means, bars, falseRejects } = summaryOf(
      measuredOf([
        cell({ method: 'radar' }),
        cell({ method: 'radar', on: 'rgb', pixelAuroc: null }),
        cell({ method: 'rgb-only', on: 'rgb', imageAuroc: 0.85 }),
      ]),
    )
    t.same(
      means.map(({ method, on }) => `${method} ${on}`),
      ['radar all', 'radar rgb', 'rgb-only rgb'],
    )
    t.match(means[2], {
      figures: { imageAuroc: { mean: 0.85, spread: null } },
      beyondRadar: { pixelAuroc: null },
    })
    t.ok(Math.abs(means[2]!.beyondRadar.imageAuroc!.mean + 0.05) < 1e-12)
    t.ok(bars.length > 10)
    t.same(falseRejects, [], 'nothing was promised')
  },
)
