import t from 'tap'
import fc from 'fast-check'
import { distanceAt, fitNormality, normalityOf } from '../../models/normality.ts'
import { binomialInterval } from '../../models/binomial-interval.ts'
import { seededRandom } from '../../models/random.ts'

const distances = fc.array(
  fc.integer({ min: -5000, max: 50_000 }).map((thousandths) => thousandths / 1000),
  { minLength: 1, maxLength: 60 },
)

t.test('normality lies in [0,1], never rises with the distance and is undone by distanceAt', async (t) => {
  const probe = fc.double({ min: -20, max: 80, noNaN: true })
  fc.assert(
    fc.property(
      distances,
      probe,
      probe,
      fc.double({ min: 1e-4, max: 0.999, noNaN: true }),
      (parts, a, b, normality) => {
        const curve = fitNormality(parts)
        const [low, high] = [normalityOf(curve, Math.min(a, b)), normalityOf(curve, Math.max(a, b))]
        const back = normalityOf(curve, distanceAt(curve, normality))
        return low <= 1 && high >= 0 && high <= low && Math.abs(back - normality) < 1e-6
      },
    ),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('it falls strictly and without a jump through every calibration part', async (t) => {
  const curve = fitNormality([3, 1, 2, 2, 7])
  for (const distance of [0.5, 1, 1.5, 2, 3, 5, 7, 9]) {
    const [before, at, after] = [-1e-6, 0, 1e-6].map((step) => normalityOf(curve, distance + step)) as [
      number,
      number,
      number,
    ]
    t.ok(before > at && at > after && before - after < 1e-5, `at ${distance}`)
  }
  t.equal(normalityOf(curve, 7), 1 / 6, 'the largest of n stands for 1 / (n + 1)')
  t.ok(Math.abs(normalityOf(curve, 2) - 3.5 / 6) < 1e-12, 'equal parts share the mean of their ranks')
})

t.test('a NaN is never a normality, and infinities are its ends', async (t) => {
  const curve = fitNormality([1, 2, 3])
  t.throws(() => normalityOf(curve, NaN), { code: 'NOT_FINITE' })
  t.throws(() => fitNormality([1, NaN]), { code: 'NOT_FINITE' })
  t.equal(normalityOf(curve, Infinity), 0)
  t.equal(normalityOf(curve, -Infinity), 1)
})

t.test('equal distances and a single part still make a strictly falling curve', async (t) => {
  for (const parts of [[4], [4, 4, 4], [0]]) {
    const curve = fitNormality(parts)
    t.ok(normalityOf(curve, parts[0]! + 0.1) < normalityOf(curve, parts[0]!))
    t.ok(normalityOf(curve, parts[0]! - 0.1) > normalityOf(curve, parts[0]!))
  }
})

t.test(
  'the promised false-reject rate is kept within the binomial interval, for light and heavy tails',
  async (t) => {
    const random = seededRandom(11)
    const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    const gumbel = (): number => -Math.log(-Math.log(1 - random()))
    const exponential = (): number => -Math.log(1 - random())
    for (const [name, draw] of Object.entries({ gaussian, gumbel, exponential })) {
      for (const parts of [15, 60]) {
        const promised = 0.05
        let rejected = 0
        const stations = 400
        const judged = 25
        for (let station = 0; station < stations; station++) {
          const curve = fitNormality(Array.from({ length: parts }, draw))
          for (let part = 0; part < judged; part++) if (normalityOf(curve, draw()) < promised) rejected++
        }
        // Over many stations: parts of one station share its threshold, so the interval is taken over stations.
        const { lower, upper } = binomialInterval(Math.round(rejected / judged), stations, 0.999)
        t.ok(
          lower <= promised && promised <= upper,
          `${name}, ${parts} parts: ${rejected / stations / judged}`,
        )
      }
    }
  },
)
