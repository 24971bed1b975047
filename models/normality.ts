/**
 * From a distance to a normality: the predicted share of good parts that look at least this odd. A threshold on it is a
 * promised false-reject rate, the same in every condition, however the distances of that condition are scaled.
 *
 * Between the calibration parts' own distances it is conformal: the j-th largest of n stands for j / (n + 1), which is
 * exact in expectation for exchangeable parts; straight lines join them, so it is continuous and strictly falling. Beyond
 * them an exponential tail (peaks over threshold with shape 0: the light-tailed default of extreme-value theory) goes on
 * without end, because ten good parts must still allow a promise of 5 %.
 */
import * as z from 'zod'
import { ModelError } from './model-error.ts'

export const normalitySchema = z.strictObject({
  /** Distinct distances of the calibration parts, ascending, and the normality each stands for, descending. */
  distances: z.array(z.number()).min(1),
  normalities: z.array(z.number().gt(0).lt(1)).min(1),
  /** Distance over which normality (above the largest) or its complement (below the smallest) falls to 1/e. */
  upperTail: z.number().positive(),
  lowerTail: z.number().positive(),
})
export type NormalityCurve = z.infer<typeof normalitySchema>

/** Share of the parts that shape a tail: enough to average over, few enough to be the tail. */
const TAIL_SHARE = 0.25

/** @param distances of at least one calibration part. @throws ModelError `NOT_FINITE`. */
export function fitNormality(distances: readonly number[]): NormalityCurve {
  if (!distances.every(Number.isFinite)) {
    throw new ModelError('NOT_FINITE', `a calibration distance is not finite: ${distances.join(', ')}`)
  }
  const sorted = Float64Array.from(distances).sort()
  const knots: { distance: number; normality: number; count: number }[] = []
  for (const [rank, distance] of sorted.entries()) {
    const normality = (sorted.length - rank) / (sorted.length + 1)
    const last = knots.at(-1)
    if (last?.distance === distance) {
      // Equal parts share the mean of their ranks.
      last.normality = (last.normality * last.count + normality) / (last.count + 1)
      last.count++
    } else {
      knots.push({ distance, normality, count: 1 })
    }
  }
  return {
    distances: knots.map((knot) => knot.distance),
    normalities: knots.map((knot) => knot.normality),
    upperTail: tailScale(sorted),
    lowerTail: tailScale(sorted.map((value) => -value).reverse()),
  }
}

/** @throws ModelError `NOT_FINITE` for a NaN: it must never compare as normal. */
export function normalityOf(
  { distances, normalities, upperTail, lowerTail }: NormalityCurve,
  distance: number,
): number {
  if (Number.isNaN(distance)) throw new ModelError('NOT_FINITE', 'the distance of the part is NaN')
  const last = distances.length - 1
  if (distance >= distances[last]!) {
    return normalities[last]! * Math.exp((distances[last]! - distance) / upperTail)
  }
  if (distance <= distances[0]!) {
    return 1 - (1 - normalities[0]!) * Math.exp((distance - distances[0]!) / lowerTail)
  }
  let upper = 1
  while (distances[upper]! < distance) upper++
  const share = (distance - distances[upper - 1]!) / (distances[upper]! - distances[upper - 1]!)
  return normalities[upper - 1]! + share * (normalities[upper]! - normalities[upper - 1]!)
}

/** The distance that has this normality: the inverse of `normalityOf`. */
export function distanceAt(curve: NormalityCurve, normality: number): number {
  const { distances, normalities, upperTail, lowerTail } = curve
  const last = distances.length - 1
  if (normality <= normalities[last]!)
    return distances[last]! + upperTail * Math.log(normalities[last]! / normality)
  if (normality >= normalities[0]!) {
    return distances[0]! + lowerTail * Math.log((1 - normality) / (1 - normalities[0]!))
  }
  let upper = 1
  while (normalities[upper]! > normality) upper++
  const share = (normalities[upper - 1]! - normality) / (normalities[upper - 1]! - normalities[upper]!)
  return distances[upper - 1]! + share * (distances[upper]! - distances[upper - 1]!)
}

/** Mean excess of the largest values over the one below them: the exponential tail's maximum-likelihood scale. */
function tailScale(sorted: Float64Array): number {
  const above = Math.min(sorted.length - 1, Math.max(3, Math.ceil(sorted.length * TAIL_SHARE)))
  const base = sorted[sorted.length - 1 - above]!
  let excess = 0
  for (let i = sorted.length - above; i < sorted.length; i++) excess += sorted[i]! - base
  // Equal distances leave no scale to measure; the distance's own size is the only other one there is.
  return Math.max(excess / Math.max(1, above), 1e-4 * Math.abs(base), 1e-9)
}
