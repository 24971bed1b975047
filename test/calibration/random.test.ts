import t from 'tap'
import { seededRandom } from '../../calibration/random.ts'

t.test('the same seed gives the same sequence, a neighbouring seed another', async (t) => {
  const take = (seed: number) => Array.from({ length: 8 }, seededRandom(seed))
  t.same(take(7), take(7))
  t.equal(take(7).filter((value, index) => value === take(8)[index]).length, 0)
})

t.test('values are uniform in [0,1)', async (t) => {
  const bins = new Uint32Array(16)
  const random = seededRandom(1)
  for (let i = 0; i < 160_000; i++) {
    const value = random()
    if (!(value >= 0 && value < 1)) t.fail(`${value} is outside [0,1)`)
    bins[Math.floor(value * 16)]! += 1
  }
  // Chi-square with 15 degrees of freedom: 37.7 is exceeded once in a thousand seeds; this seed is fixed.
  const chiSquare = bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
  t.ok(chiSquare < 37.7, `chi-square ${chiSquare}`)
})
