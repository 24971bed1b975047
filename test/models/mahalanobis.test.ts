import t from 'tap'
import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import {
  fitMahalanobis,
  mahalanobis,
  NORMALS_FOR_COVARIANCE,
  type MahalanobisHead,
} from '../../models/mahalanobis.ts'
import { seededRandom } from '../../models/random.ts'

const { shrinkage: golden } = JSON.parse(
  await readFile(new URL('../fixtures/decision/golden.json', import.meta.url), 'utf8'),
) as {
  shrinkage: {
    rows: number[][]
    shrinkage: number
    covariance: number[][]
    probe: number[]
    twoSided: number
  }
}

const near = (a: number, b: number, tolerance = 1e-9): boolean =>
  Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b))
const correlated = (mode: MahalanobisHead['mode']): MahalanobisHead => ({
  mode,
  origin: [0, 0],
  covariance: [
    [1, 0.8],
    [0.8, 1],
  ],
  shrinkage: 0,
})

t.test(
  'the example of numerics 5.5: two-sided calls odd what is too normal, one-sided does not',
  async (t) => {
    const rounded = (mode: MahalanobisHead['mode'], scores: number[]) =>
      Math.round(mahalanobis(correlated(mode), scores) * 100) / 100
    t.equal(rounded('two-sided', [3, 3]), 3.16)
    t.equal(rounded('two-sided', [3, 0]), 5)
    t.equal(rounded('two-sided', [-3, -3]), 3.16)
    t.equal(rounded('one-sided', [3, 3]), 3.16)
    t.equal(rounded('one-sided', [3, 0]), 3, 'a correlated bank that stayed calm adds nothing')
    t.equal(rounded('one-sided', [-3, -3]), -3)
  },
)

t.test("shrinkage and covariance are scikit-learn's Ledoit-Wolf on standardised scores", async (t) => {
  const head = fitMahalanobis(golden.rows, { mode: 'two-sided' })
  t.ok(near(head.shrinkage, golden.shrinkage))
  t.ok(head.covariance.flat().every((value, i) => near(value, golden.covariance.flat()[i]!)))
  t.ok(near(mahalanobis(head, golden.probe), golden.twoSided))
})

t.test('below 20 good parts the banks are taken as independent', async (t) => {
  const rows = golden.rows.slice(0, NORMALS_FOR_COVARIANCE - 1)
  const { covariance, shrinkage } = fitMahalanobis(rows)
  t.equal(shrinkage, 1)
  t.equal(covariance[0]![1], 0)
})

/** Random heads with a positive definite covariance. */
const heads = fc
  .record({
    banks: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer(),
    parts: fc.integer({ min: 4, max: 60 }),
  })
  .map(({ banks, seed, parts }) => {
    const random = seededRandom(seed)
    const rows = Array.from({ length: parts }, () => {
      const common = random()
      return Array.from({ length: banks }, (_, bank) => 5 + common * (bank + 1) + random())
    })
    return { head: fitMahalanobis(rows) }
  })
const score = fc.double({ min: 0, max: 30, noNaN: true })

t.test('one-sided: raising any bank score never lowers the distance', async (t) => {
  fc.assert(
    fc.property(
      heads,
      fc.tuple(score, score, score),
      fc.nat(2),
      fc.double({ min: 0, max: 10, noNaN: true }),
      (drawn, scores, bank, more) => {
        const { head } = drawn
        const before = scores.slice(0, head.origin.length)
        const after = before.map((value, i) => (i === bank ? value + more : value))
        return mahalanobis(head, after) >= mahalanobis(head, before) - 1e-9
      },
    ),
    { numRuns: 500 },
  )
  t.pass()
})

/** The dual of the header, climbed one weight at a time. */
function climbed({ origin, covariance }: MahalanobisHead, scores: readonly number[]): number {
  const weights = origin.map(() => 0)
  const reach = (bank: number): number =>
    scores[bank]! -
    origin[bank]! -
    covariance[bank]!.reduce((sum, value, i) => sum + (i === bank ? 0 : value * weights[i]!), 0)
  for (let round = 0; round < 2000; round++) {
    for (const bank of origin.keys()) weights[bank] = Math.max(0, reach(bank) / covariance[bank]![bank]!)
  }
  return Math.sqrt(weights.reduce((sum, weight, bank) => sum + weight * (scores[bank]! - origin[bank]!), 0))
}

t.test('one-sided: the distance is the most telling non-negative mix of the banks', async (t) => {
  fc.assert(
    fc.property(heads, fc.tuple(score, score, score), ({ head }, scores) => {
      const tau = mahalanobis(head, scores.slice(0, head.origin.length))
      return tau <= 0 || near(tau, climbed(head, scores), 1e-6)
    }),
    { numRuns: 200 },
  )
  t.pass()
})

t.test('an excess within its allowance counts for nothing, beyond it from the allowance on', async (t) => {
  const rows = golden.rows
  const plain = fitMahalanobis(rows)
  const allowing = fitMahalanobis(rows, { allowances: [0, 2, 0] })
  const deviation = Math.sqrt(plain.covariance[1]![1]!)
  const at = (rgb: number, xyz: number): number[] => [
    plain.origin[0]! + rgb,
    plain.origin[1]! + xyz * deviation,
    plain.origin[2]!,
  ]
  t.ok(near(mahalanobis(allowing, at(3, 1.9)), mahalanobis(allowing, at(3, -5))))
  t.ok(near(mahalanobis(allowing, at(0, 5)), mahalanobis(plain, at(0, 3)), 1e-6))
})

t.test('identical scores, a single part and singular covariances give finite distances', async (t) => {
  const same = fitMahalanobis(Array.from({ length: 30 }, () => [2, 3, 0]))
  t.ok(Number.isFinite(mahalanobis(same, [2.1, 3, 0])))
  t.ok(mahalanobis(same, [2.1, 3, 0]) > mahalanobis(same, [2, 3, 0]))
  t.ok(Number.isFinite(mahalanobis(fitMahalanobis([[1, 2]]), [1.5, 2])))
  const singular = {
    ...correlated('one-sided'),
    covariance: [
      [1, 1],
      [1, 1],
    ],
  }
  t.equal(mahalanobis(singular, [2, 1]), 2)
  t.ok(Number.isNaN(mahalanobis({ ...singular, mode: 'two-sided' }, [2, 1])), 'two-sided has no answer there')
})
