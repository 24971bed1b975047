import t from 'tap'
import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { fitOneClass, robustScale } from '../../models/one-class.ts'

const { oneClass: golden } = JSON.parse(
  await readFile(new URL('../fixtures/decision/golden.json', import.meta.url), 'utf8'),
) as { oneClass: { rows: number[]; direction: number[] } }

t.test("the direction is that of scikit-learn's SGDOneClassSVM", async (t) => {
  for (const seed of [1, 2, 3]) {
    const weights = fitOneClass(Float64Array.from(golden.rows), 3, seed)
    const cosine =
      weights.reduce((sum, weight, i) => sum + weight * golden.direction[i]!, 0) / Math.hypot(...weights)
    t.ok(cosine > 0.9999, `cosine ${cosine} with seed ${seed}`)
  }
})

t.test('weights are positive and sum to 1, and the same seed gives the same', async (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.double({ min: 0, max: 100, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true })),
        { minLength: 1, maxLength: 40 },
      ),
      fc.integer(),
      (rows, seed) => {
        const values = Float64Array.from(rows.flat())
        const weights = fitOneClass(values, 2, seed)
        t.same(weights, fitOneClass(values, 2, seed))
        return weights.every((weight) => weight >= 0) && Math.abs(weights[0]! + weights[1]! - 1) < 1e-9
      },
    ),
    { numRuns: 50 },
  )
  t.same(fitOneClass(new Float64Array(6), 3, 1), [1 / 3, 1 / 3, 1 / 3], 'nothing to learn: all alike')
})

t.test('the robust scale is deaf to outliers and never zero', async (t) => {
  t.equal(robustScale([1, 2, 3, 4, 5]), 1.4826)
  t.equal(robustScale([1, 2, 3, 4, 5000]), 1.4826)
  t.equal(robustScale([1, 2, 3, 4]), 1.4826)
  t.equal(robustScale([7, 7, 7]), 7)
  t.equal(robustScale([0, 0, 0]), 1)
})
