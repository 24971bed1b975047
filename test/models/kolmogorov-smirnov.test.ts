import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import t from 'tap'
import { kolmogorovSmirnov } from '../../models/kolmogorov-smirnov.ts'

interface Case {
  readonly first: number[]
  readonly second: number[]
  readonly statistic: number
  readonly p_value: number
  readonly second_is: string
}

const golden = new URL('../fixtures/kolmogorov-smirnov/golden.json', import.meta.url)
const cases = JSON.parse(await readFile(golden, 'utf8')) as Case[]

t.test(
  'statistic, p-value and side are scipy’s: small and large, shifted and not, with ties and without',
  (t) => {
    for (const { first, second, statistic, p_value, second_is } of cases) {
      const found = kolmogorovSmirnov(first, second)
      const name = `${first.length} and ${second.length}, p = ${p_value}`
      t.ok(Math.abs(found.statistic - statistic) < 1e-12, name)
      t.ok(Math.abs(found.pValue / p_value - 1) < 1e-9, `${name}: ${found.pValue}`)
      if (statistic > 0) t.equal(found.second, second_is, name)
    }
    t.ok(cases.length > 20 && cases.some(({ p_value }) => p_value < 1e-20))
    t.end()
  },
)

t.test('the p-value of separate samples is two over the number of orders, to the last digit', (t) => {
  const ascending = (from: number) => Array.from({ length: 30 }, (_, i) => from + i)
  // 60 over 30.
  const orders = 118264581564861424
  const { pValue } = kolmogorovSmirnov(ascending(0), ascending(100))
  t.ok(Math.abs((pValue * orders) / 2 - 1) < 1e-12, `${pValue}`)
  t.end()
})

t.test('only the order counts: any rising function of the scores leaves the test as it is', (t) => {
  const sample = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(sample, sample, (first, second) => {
      const found = kolmogorovSmirnov(first, second)
      const bent = (values: number[]) => values.map((value) => Math.exp(value / 3))
      t.same(kolmogorovSmirnov(bent(first), bent(second)), found)
      const swapped = kolmogorovSmirnov(second, first)
      return Math.abs(swapped.pValue - found.pValue) < 1e-12 && swapped.statistic === found.statistic
    }),
    { seed: 2, numRuns: 200 },
  )
  t.end()
})

t.test('equal samples say nothing, and infinity is a value while NaN is none', (t) => {
  t.match(kolmogorovSmirnov([1, 1, 1], [1, 1]), { statistic: 0, pValue: 1 })
  t.match(kolmogorovSmirnov([0, 1], [Infinity, Infinity]), { statistic: 1, second: 'larger' })
  t.throws(() => kolmogorovSmirnov([1], [NaN]), { code: 'NOT_FINITE' })
  t.end()
})
