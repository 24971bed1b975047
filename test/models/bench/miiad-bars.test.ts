import t from 'tap'
import { barsOf, percent, settingName, signed } from '../../../models/bench/miiad-bars.ts'
import type { MiiadCell } from '../../../models/bench/miiad-report.ts'
import { cell } from '../../support/miiad-cells.ts'

const bar = (cells: readonly MiiadCell[], name: RegExp) => {
  const found = barsOf(cells, 0.05).find((one) => name.test(one.name))
  if (!found) throw new Error(`no bar ${name}`)
  return found
}

t.test('what was not measured is neither reached nor missed', async (t) => {
  t.ok(barsOf([], 0.05).every(({ reached, found }) => reached === null && /not measured/.test(found)))
})

t.test('the lead over pseudo-inputs is 3 points at 30 % and 5 at 70 %, of both figures', async (t) => {
  const at = (rate: number, lead: number) => [
    cell({ method: 'radar', rate, imageAuroc: 0.8 + lead, aupro: 0.8 }),
    cell({ method: 'm3dm-pseudo', rate, imageAuroc: 0.8, aupro: 0.8 }),
  ]
  t.match(bar(at(0.3, 0.031), /30 % of xyz .* I-AUROC/), { reached: true, found: '+3.1 points' })
  t.match(bar(at(0.3, 0.029), /30 % of xyz .* I-AUROC/), { reached: false })
  t.match(bar(at(0.3, 0.031), /30 % of xyz .* AUPRO/), { reached: false, found: '0.0 points' })
  t.match(bar(at(0.7, 0.031), /70 % of xyz .* I-AUROC/), { reached: false })
  t.match(bar(at(0.7, 0.051), /70 % of xyz .* I-AUROC/), { reached: true })
})

t.test('against a single modality the worst setting counts, on the parts that have it', async (t) => {
  const beside = (rate: number, difference: number) => [
    cell({ method: 'radar', on: 'rgb', rate, imageAuroc: 0.9 + difference }),
    cell({ method: 'rgb-only', on: 'rgb', rate, imageAuroc: 0.9 }),
    // All parts say nothing of it.
    cell({ method: 'radar', rate, imageAuroc: 0.1 }),
  ]
  const name = /parts that have rgb.*I-AUROC/
  t.match(bar([...beside(0.3, 0.02), ...beside(0.7, -0.004)], name), { reached: true })
  t.match(bar([...beside(0.3, 0.02), ...beside(0.7, -0.006)], name), {
    reached: false,
    found: /lowest of 2 settings: 70 % xyz missing, -0\.6 points/,
  })
})

t.test('one condition whose interval leaves the promise out breaks that bar, and is named', async (t) => {
  const decided = (rejected: number, rate: number) =>
    cell({
      method: 'radar',
      rate,
      decisions: {
        complete: {
          good: { parts: 60, rejected, scores: [] },
          defective: { parts: 0, rejected: 0, scores: [] },
        },
      },
    })
  t.match(bar([decided(3, 0.3)], /good parts rejected/), { reached: true, found: '1 of 1 hold' })
  t.match(bar([decided(3, 0.3), decided(12, 0.7)], /good parts rejected/), {
    reached: false,
    found: /1 of 2 hold; not 70 % xyz missing complete: 12 of 60 \[10\.8 %, 32\.3 %\]/,
  })
})

t.test('taught complete: both sensors against the better one, and most of the 3D gone', async (t) => {
  const of = (kind: MiiadCell['kind'], rate: number, imageAuroc: number) =>
    cell({ method: 'radar', kind, rate, where: kind === 'none' ? 'both' : 'test', imageAuroc })
  const cells = [of('none', 0, 0.9), of('xyz', 1, 0.904), of('rgb', 1, 0.7), of('xyz', 0.7, 0.885)]
  t.match(bar(cells, /complete parts not more than 0\.5 points/), {
    reached: true,
    found: 'complete 0.900, rgb-only 0.904, xyz-only 0.700',
  })
  t.match(bar(cells, /70 % of xyz missing: I-AUROC not more than 2/), { reached: true })
  t.match(bar([of('none', 0, 0.89), ...cells.slice(1)], /complete parts/), { reached: false })
})

t.test('settings and differences are put in words', async (t) => {
  t.equal(settingName({ kind: 'none', rate: 0, where: 'both' }), 'nothing missing')
  t.equal(settingName({ kind: 'both', rate: 0.3, where: 'both' }), '30 % rgb or xyz missing')
  t.equal(settingName({ kind: 'xyz', rate: 1, where: 'test' }), '100 % xyz missing in test only')
  t.same([0.0312, -0.0004, -0.05].map(signed), ['+3.1', '0.0', '-5.0'])
  t.equal(percent(0.125), '12.5 %')
})
