import path from 'node:path'
import t from 'tap'
import {
  differenceOf,
  falseRejectsOf,
  mergeReports,
  meanOf,
  readReport,
  settingsOf,
} from '../../../models/bench/miiad-report.ts'
import { cell, measuredOf, type CellOptions } from '../../support/miiad-cells.ts'

const asked = { kind: 'xyz', rate: 0.3, where: 'both', on: 'all' } as const

t.test('a mean is over classes first and then over seeds; its spread is that of the seeds', async (t) => {
  const of = (seed: number, category: string, imageAuroc: number | null) =>
    cell({ method: 'radar', seed, category, imageAuroc })
  const cells = [of(1, 'nut', 0.8), of(1, 'gear', 0.9), of(2, 'nut', 0.9), of(2, 'gear', 1)]
  const found = meanOf(cells, { ...asked, method: 'radar' }, 'imageAuroc')
  t.match(found, { seeds: 2, classes: 2 })
  t.ok(Math.abs(found!.mean - 0.9) < 1e-12)
  t.ok(Math.abs(found!.spread! - 0.1 / Math.SQRT2) < 1e-12)
  const once = meanOf(
    [...cells.slice(0, 2), of(1, 'rope', null)],
    { ...asked, method: 'radar' },
    'imageAuroc',
  )
  t.match(once, { seeds: 1, classes: 2, spread: null }, 'a class without the figure does not count')
  t.equal(meanOf(cells, { ...asked, rate: 0.7, method: 'radar' }, 'imageAuroc'), null)
})

t.test('a difference is paired by class and seed; what has no partner does not count', async (t) => {
  const of = (method: string, category: string, imageAuroc: number, over: Partial<CellOptions> = {}) =>
    cell({ method, category, imageAuroc, ...over })
  const cells = [
    of('radar', 'nut', 0.9),
    of('m3dm-pseudo', 'nut', 0.8),
    of('radar', 'gear', 0.7),
    of('m3dm-pseudo', 'gear', 0.9),
    of('radar', 'rope', 1),
    of('m3dm-pseudo', 'nut', 0.1, { seed: 2 }),
  ]
  const question = { ...asked, method: 'radar', against: 'm3dm-pseudo' }
  const found = differenceOf(cells, question, 'imageAuroc')!
  t.ok(Math.abs(found.mean + 0.05) < 1e-12)
  t.equal(found.worst.category, 'gear')
  t.ok(found.interval!.lower < -0.1 && found.interval!.upper > 0.05, 'two classes that disagree say little')
  t.same(differenceOf(cells, question, 'imageAuroc'), found, 'the same cells, the same interval')
  const [only] = [differenceOf(cells.slice(0, 2), question, 'imageAuroc')]
  t.equal(only?.interval, null, 'one class says nothing of others')
  t.equal(differenceOf(cells, { ...question, against: 'nobody' }, 'imageAuroc'), null)
})

t.test('rejects are counted over classes and seeds per condition, with an exact interval', async (t) => {
  const decided = (rejected: number, category: string) =>
    cell({
      method: 'radar',
      category,
      decisions: {
        'rgb-only': {
          good: { parts: 20, rejected, scores: [] },
          defective: { parts: 4, rejected: 3, scores: [] },
        },
      },
    })
  const [found, ...none] = falseRejectsOf(
    [decided(2, 'nut'), decided(0, 'gear'), cell({ method: 'rgb-only' })],
    0.05,
  )
  t.same(none, [])
  t.match(found, {
    method: 'radar',
    condition: 'rgb-only',
    parts: 40,
    rejected: 2,
    share: 0.05,
    detected: 0.75,
  })
  t.ok(found!.holds)
  const [broken] = falseRejectsOf([decided(9, 'nut')], 0.05)
  t.notOk(broken!.holds, '9 of 20 is no 5 %')
})

t.test('settings come in the order of the paper’s rows', async (t) => {
  const of = (kind: CellOptions['kind'], rate: number, where: CellOptions['where'] = 'both') =>
    cell({ method: 'radar', ...(kind && { kind }), rate, ...(where && { where }) })
  const cells = [
    of('xyz', 0.7),
    of('both', 0.3),
    of('xyz', 0.3, 'test'),
    of('xyz', 0.3),
    of('rgb', 0.3),
    of('none', 0),
  ]
  t.same(
    settingsOf([...cells, ...cells]).map(({ kind, rate, where }) => `${kind} ${rate} ${where}`),
    ['none 0 both', 'rgb 0.3 both', 'xyz 0.3 both', 'both 0.3 both', 'xyz 0.7 both', 'xyz 0.3 test'],
  )
})

t.test('reports of several seeds are put together; what does not belong together is refused', async (t) => {
  const one = measuredOf([cell({ method: 'radar', seed: 1 })])
  const two = measuredOf([cell({ method: 'radar', seed: 2 })])
  const merged = mergeReports([one, two])
  t.equal(merged.cells.length, 2)
  t.equal(merged.splits.length, 1, 'the same class in the same split is the same parts')
  t.throws(() => mergeReports([one, one]), /both have both xyz 0\.3 1 nut radar all/)
  t.throws(() => mergeReports([one, { ...two, byteBudget: 1 }]), /byteBudget 4194304 and 1/)
  const foreign = { ...two, bundle: { ...two.bundle, id: 'other' } }
  t.throws(() => mergeReports([one, foreign]), /bundles .* and other/)
  t.throws(() => mergeReports([]), /at least one/)
})

t.test('a report is read again without what was made of it, and anything else is refused', async (t) => {
  const measured = measuredOf([cell({ method: 'radar' })])
  const folder = t.testdir({
    'report.json': JSON.stringify({ ...measured, summary: { bars: [] } }),
    'other.json': '{"schema":"radar-edge/bench-anomaly@1"}',
  })
  t.same(await readReport(path.join(folder, 'report.json')), measured)
  await t.rejects(readReport(path.join(folder, 'other.json')), /other\.json is no MIIAD Bench report/)
})
