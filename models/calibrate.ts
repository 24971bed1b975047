/** Decision heads from good parts that the banks have not stored: what is normal in each condition, and how normal. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { binomialInterval } from './binomial-interval.ts'
import { BANKS_OF, mixedMap, type Finding } from './comparison.ts'
import type { BankName } from './features.ts'
import { fitMahalanobis, mahalanobis, type MahalanobisHead, type MahalanobisMode } from './mahalanobis.ts'
import { distanceAt, fitNormality, normalityOf } from './normality.ts'
import { fitOneClass, robustScale } from './one-class.ts'
import { seededRandom } from './random.ts'
import type { CalibrationSource, DecisionHead } from './repository-manifest.ts'

/** A good part beside banks that do not hold it: what each bank of the condition says of it, in the order of BANKS_OF. */
export type CalibrationPart = readonly Finding[]

/**
 * Deviations that a bank may exceed the mean by before it adds to the distance. Every bank that votes costs false alarms of its own, and
 * nothing in good parts tells whether a product's defects show in 3D at all. So the fused bank, and the 3D of a complete part, must be
 * plainly odd to be heard; what a condition rests on, the bank of its one sensor, is heard at once. Chosen as the least (in steps of 0.5)
 * with which a 3D that is nothing but noise costs no more than 0.01 of image AUROC in 95 % of 12 synthetic products x 40 draws
 * (radar-lite 0.1.0, whose fused feature was both others side by side; 60 parts taught, 20 to calibrate; RGB alone 0.937):
 *     allowance   real 3D   noise: 5th percentile of the cost
 *     1           0.971     0.027
 *     2           0.969     0.013
 *     2.5         0.969     0.006
 *     3           0.968     0.003
 * A bank does not count twice, thanks to the covariance; the two-sided distance lost 0.037 and median/MAD scales changed nothing in an
 * earlier trial with other encoders.
 */
export const ALLOWANCES = {
  complete: { rgb: 0, xyz: 2.5, fused: 2.5 },
  'rgb-only': { rgb: 0, fused: 2.5 },
  'xyz-only': { xyz: 0, fused: 2.5 },
} as const satisfies Record<DecidableCondition, Partial<Record<BankName, number>>>

/**
 * Which banks draw the map. The paper's eq. 11 mixes all of them; by default the fused bank only has a say in the score. What its
 * transformer has seen of the rest of the part smears a defect over its surroundings: on six synthetic products (24 parts taught, 70 % of
 * the parts without rgb or xyz) AUPRO is 0.707 without it and 0.698 with it, at the same image AUROC.
 */
export type MapBanks = 'modalities' | 'all'

/** Patches that train a one-class machine of at most 3 weights; more say the same. */
const ONE_CLASS_ROWS = 6000

/** @param parts at least two: each is judged by the others. */
export function calibrate(
  parts: readonly CalibrationPart[],
  options: {
    readonly condition: DecidableCondition
    readonly source: CalibrationSource
    readonly falseRejectRate: number
    readonly seed: number
    /** Default one-sided. */
    readonly mode?: MahalanobisMode
    /** Default modalities. */
    readonly mapBanks?: MapBanks
  },
): DecisionHead {
  const { condition, falseRejectRate, mode = 'one-sided', mapBanks = 'modalities' } = options
  const scores = scoresOf(parts)
  const distances = leftOutDistances(parts, { condition, mode })
  const rejected = distances.filter((distance, i) => {
    return normalityOf(fitNormality(without(distances, i)), distance) < falseRejectRate
  }).length
  const draws = BANKS_OF[condition].map((name) => mapBanks === 'all' || name !== 'fused')
  const weights = mapWeights(parts, draws, options.seed)
  const hottest = parts.map((findings) =>
    mixedMap(findings, { weights, threshold: 1 }).reduce((peak, value) => Math.max(peak, value), 0),
  )
  return {
    banks: [...BANKS_OF[condition]],
    mahalanobis: fitHead(scores, { condition, mode }),
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

/** Of each part by a head that was fitted without it: its own would call it too normal. */
export function leftOutDistances(
  parts: readonly CalibrationPart[],
  options: { readonly condition: DecidableCondition; readonly mode: MahalanobisMode },
): number[] {
  const scores = scoresOf(parts)
  return scores.map((row, i) => mahalanobis(fitHead(without(scores, i), options), row))
}

function fitHead(
  scores: readonly number[][],
  { condition, mode }: { readonly condition: DecidableCondition; readonly mode: MahalanobisMode },
): MahalanobisHead {
  // Two-sided is the textbook's distance from the mean: an origin beyond it would call the mean odd.
  const allowed: Partial<Record<BankName, number>> = mode === 'two-sided' ? {} : ALLOWANCES[condition]
  return fitMahalanobis(scores, { mode, allowances: BANKS_OF[condition].map((name) => allowed[name] ?? 0) })
}

function scoresOf(parts: readonly CalibrationPart[]): number[][] {
  return parts.map((findings) => findings.map(({ score }) => score))
}

/** Per bank: what a patch distance of this bank counts in the mixed map; zero for a bank that does not draw it. */
function mapWeights(parts: readonly CalibrationPart[], draws: readonly boolean[], seed: number): number[] {
  const drawing = parts.map((findings) => findings.filter((_, bank) => draws[bank]))
  const patches = drawing.flatMap((findings) =>
    Array.from(findings[0]!.voters.keys())
      .filter((patch) => findings.every(({ voters }) => voters[patch] === 1))
      .map((patch) => findings.map(({ distances }) => distances[patch]!)),
  )
  const random = seededRandom(seed)
  const share = ONE_CLASS_ROWS / patches.length
  const drawn = patches.filter(() => random() < share)
  const rows = drawn.length > 0 ? drawn : [drawing[0]!.map(() => 0)]
  const scales = rows[0]!.map((_, bank) => robustScale(rows.map((row) => row[bank]!)))
  const scaled = Float64Array.from(rows.flatMap((row) => row.map((value, bank) => value / scales[bank]!)))
  const weights = fitOneClass(scaled, scales.length, seed).map((weight, bank) => weight / scales[bank]!)
  return parts[0]!.map((_, bank) => (draws[bank] ? weights.shift()! : 0))
}

function without<T>(list: readonly T[], index: number): T[] {
  return list.filter((_, i) => i !== index)
}
