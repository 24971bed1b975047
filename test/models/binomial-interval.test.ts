import t from 'tap'
import { readFile } from 'node:fs/promises'
import { binomialInterval } from '../../models/binomial-interval.ts'

const { intervals } = JSON.parse(
  await readFile(new URL('../fixtures/decision/golden.json', import.meta.url), 'utf8'),
) as { intervals: { rejected: number; parts: number; lower: number; upper: number }[] }

t.test("the interval is scipy's beta quantiles", async (t) => {
  for (const { rejected, parts, lower, upper } of intervals) {
    const found = binomialInterval(rejected, parts)
    t.ok(
      Math.abs(found.lower - lower) < 1e-9 && Math.abs(found.upper - upper) < 1e-9,
      `${rejected} of ${parts}`,
    )
  }
})

t.test('no trials say nothing', async (t) => {
  t.same(binomialInterval(0, 0), { lower: 0, upper: 1 })
})

t.test('more confidence is a wider interval', async (t) => {
  t.ok(binomialInterval(3, 60, 0.99).upper > binomialInterval(3, 60).upper)
})
