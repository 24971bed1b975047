/** Decision heads from good parts that the banks have not stored: what is normal in each condition, and how normal. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { binomialInterval } from './binomial-interval.ts'
import { BANKS_OF, mixedMap, scoreOf, votersOf, type Comparison } from './comparison.ts'
import type { BankName, Features } from './features.ts'
import { fitMahalanobis, mahalanobis, type MahalanobisHead } from './mahalanobis.ts'
import type { Search } from './nearest.ts'
import { distanceAt, fitNormality, normalityOf } from './normality.ts'
import { fitOneClass, robustScale } from './one-class.ts'
import { seededRandom } from './random.ts'
import type { CalibrationSource, DecisionHead } from './repository-manifest.ts'

/** A good part beside banks that do not hold it. */
export interface CalibrationPart {
  readonly features: Features
  readonly comparisons: Readonly<Record<BankName, Comparison>>
}

/**
 * Deviations that a bank may exceed the mean by before it adds to the distance of a complete part. Every bank that votes
 * costs false alarms of its own, and nothing in good parts tells whether a product's defects show in 3D at all. Chosen as the
 * least (in steps of 0.5) with which a 3D that is nothing but noise costs no more than 0.01 of image AUROC in 95 % of 12
 * synthetic products x 40 draws (radar-lite 0.1.0, 60 parts taught, 20 to calibrate; RGB alone 0.937):
 *     allowance   real 3D   noise: 5th percentile of the cost
 *     1           0.971     0.027
 *     2           0.969     0.013
 *     2.5         0.969     0.006
 *     3           0.968     0.003
 * The fused bank does not count twice, thanks to the covariance; the two-sided distance lost 0.037 and median/MAD scales
 * changed nothing in an earlier trial with other encoders.
 */
const ALLOWANCES = { rgb: 0, xyz: 2.5, fused: 2.5 } as const satisfies Record<BankName, number>

/** Patches that train a one-class machine of at most 3 weights; more say the same. */
const ONE_CLASS_ROWS = 6000

/** @param parts at least two: each is judged by the others. */
export async function calibrate(
  parts: readonly CalibrationPart[],
  options: {
    condition: DecidableCondition
    foregroundPrior: Uint8Array
    source: CalibrationSource
    falseRejectRate: number
    seed: number
    search: Search
  },
): Promise<DecisionHead> {
  const { condition, falseRejectRate, search } = options
  const banks = BANKS_OF[condition]
  const seen = parts.map(({ features, comparisons }) => ({
    voters: banks.map((name) => votersOf(name, features, options.foregroundPrior)),
    comparisons: banks.map((name) => comparisons[name]),
  }))
  const scores: number[][] = []
  for (const { comparisons, voters } of seen) {
    const row: number[] = []
    for (const [i, comparison] of comparisons.entries())
      row.push(await scoreOf(comparison, voters[i]!, search))
    scores.push(row)
  }
  const allowances = banks.length === 1 ? [0] : banks.map((name) => ALLOWANCES[name])
  const fit = (rows: readonly number[][]): MahalanobisHead => fitMahalanobis(rows, { allowances })
  // Each distance is measured by a head that was fitted without the part: its own would call it too normal.
  const distances = scores.map((row, i) => mahalanobis(fit(without(scores, i)), row))
  const rejected = distances.filter((distance, i) => {
    return normalityOf(fitNormality(without(distances, i)), distance) < falseRejectRate
  }).length
  const weights = mapWeights(seen, options.seed)
  const hottest = seen.map(({ comparisons, voters }) =>
    mixedMap(comparisons, { weights, threshold: 1 }, voters).reduce(
      (peak, value) => Math.max(peak, value),
      0,
    ),
  )
  return {
    banks: [...banks],
    mahalanobis: fit(scores),
    normality: fitNormality(distances),
    // A map that is zero everywhere has no scale of its own.
    map: { weights, threshold: Math.max(distanceAt(fitNormality(hottest), falseRejectRate), Number.EPSILON) },
    calibration: {
      source: options.source,
      parts: parts.length,
      predictedFalseRejects: {
        parts: rejected,
        rate: rejected / parts.length,
        ...binomialInterval(rejected, parts.length),
      },
    },
  }
}

/** Per bank: what a patch distance of this bank counts in the mixed map. */
function mapWeights(
  parts: readonly { voters: readonly Uint8Array[]; comparisons: readonly Comparison[] }[],
  seed: number,
): number[] {
  const patches = parts.flatMap(({ voters, comparisons }) =>
    Array.from(voters[0]!.keys())
      .filter((patch) => voters.every((votes) => votes[patch] === 1))
      .map((patch) => comparisons.map(({ neighbours }) => neighbours.distances[patch]!)),
  )
  const random = seededRandom(seed)
  const share = ONE_CLASS_ROWS / patches.length
  const drawn = patches.filter(() => random() < share)
  const rows = drawn.length > 0 ? drawn : [parts[0]!.comparisons.map(() => 0)]
  const scales = rows[0]!.map((_, bank) => robustScale(rows.map((row) => row[bank]!)))
  const scaled = Float64Array.from(rows.flatMap((row) => row.map((value, bank) => value / scales[bank]!)))
  return fitOneClass(scaled, scales.length, seed).map((weight, bank) => weight / scales[bank]!)
}

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index)
}
