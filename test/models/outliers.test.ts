import t from 'tap'
import { outliersOf } from '../../models/outliers.ts'
import { seededRandom, type Random } from '../../models/random.ts'

const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
/** What greatest distances are like. */
const gumbel = (random: Random): number => -Math.log(-Math.log(1 - random()))

t.test('values of one kind are seldom called outliers: no more often than the level allows', async (t) => {
  const random = seededRandom(5)
  const draws = 2000
  for (const draw of [gaussian, gumbel]) {
    for (const count of [8, 20, 60]) {
      let found = 0
      for (let i = 0; i < draws; i++) {
        const values = Array.from({ length: count }, () => draw(random))
        if (outliersOf(values, 0.02).length > 0) found++
      }
      // Binomial(2000, 0.02): 62 in 99.99 % of cases.
      t.ok(found <= 62, `${draw.name}, ${count} values: ${found} of ${draws}`)
    }
  }
})

t.test('what stands far out is named, the largest first, and what does not is not', async (t) => {
  const random = seededRandom(6)
  for (let i = 0; i < 50; i++) {
    const values = Array.from({ length: 20 }, () => gaussian(random))
    values[7] = 40
    const [first, ...rest] = outliersOf(values, 0.02)
    t.equal(first?.index, 7)
    t.ok(first!.chance < 1e-3)
    t.equal(rest.length, 0)
  }
})

t.test('outliers do not hide each other, up to a fifth of the values', async (t) => {
  const random = seededRandom(7)
  const values = Array.from({ length: 20 }, () => gaussian(random))
  Object.assign(values, { 3: 40, 11: 41, 12: 39, 19: 43 })
  t.same(
    outliersOf(values, 0.02).map(({ index }) => index),
    [19, 11, 3, 12],
  )
  const chances = outliersOf(values, 0.02).map(({ chance }) => chance)
  t.same(
    chances,
    chances.toSorted((a, b) => a - b),
    'the odder, the less likely',
  )
})

t.test('too few values, or equal ones, name nothing', async (t) => {
  t.same(outliersOf([], 0.02), [])
  t.same(outliersOf([1], 0.02), [])
  t.same(outliersOf([1, 2, 3, 1e9], 0.02), [], 'three are no tail')
  t.same(outliersOf(new Array<number>(20).fill(3), 0.02), [])
})
