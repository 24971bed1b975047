/**
 * RADAR's Mahalanobis distance over the banks' image scores (paper eq. 10, numerics 5.5), with mean and covariance from
 * good parts that the banks have not stored. It is taken from an origin: the mean, moved outwards by the bank's allowance.
 *
 * `two-sided` is the textbook form. It calls a part odd that looks better than usual, or that is odd in one bank but not
 * in a correlated one: with rho = 0.8, (3,0) sigma scores 5.0 and (3,3) only 3.16.
 *
 * `one-sided`, the default, is the distance to the nearest point that is at least as far out in every bank:
 *     tau^2 = min over v >= s - origin of v' Sigma^-1 v = max over weights w >= 0 of (w'(s - origin))^2 / (w' Sigma w),
 * the second being its dual: the most telling non-negative mix of the banks. So it rises with each score, counts two
 * correlated banks once, and a bank that saw nothing odd takes nothing away. A part below the origin in every bank gets its
 * largest standardised score, which is negative: the order of good parts is kept.
 */
import * as z from 'zod'

const finite = z.number()
export const mahalanobisSchema = z.strictObject({
  mode: z.enum(['one-sided', 'two-sided']),
  /** Per bank: mean score of good parts plus allowance times deviation. */
  origin: z.array(finite).min(1).max(3),
  covariance: z.array(z.array(finite)).min(1).max(3),
  /** Ledoit-Wolf weight of the diagonal: 0 = covariance as measured, 1 = banks taken as independent. */
  shrinkage: z.number().min(0).max(1),
})
export type MahalanobisHead = z.infer<typeof mahalanobisSchema>
export type MahalanobisMode = MahalanobisHead['mode']

/** Fewer good parts than this cannot tell a correlation from chance. */
export const NORMALS_FOR_COVARIANCE = 20
/** Relative to the mean: identical scores must not make every other score infinitely far. */
const LEAST_RELATIVE_DEVIATION = 1e-3

type Vector = readonly number[]
type Matrix = readonly Vector[]

/**
 * @param scores one row of bank scores per good part; at least one row.
 * @param allowances per bank, how many deviations beyond the mean count for nothing; none unless told.
 */
export function fitMahalanobis(
  scores: readonly Vector[],
  { mode = 'one-sided', allowances = [] }: { mode?: MahalanobisMode; allowances?: Vector } = {},
): MahalanobisHead {
  const banks = [...scores[0]!.keys()]
  const mean = banks.map((bank) => scores.reduce((sum, row) => sum + row[bank]!, 0) / scores.length)
  const deviation = banks.map((bank) => {
    const squares = scores.reduce((sum, row) => sum + (row[bank]! - mean[bank]!) ** 2, 0)
    // Unbiased, because ten parts are common.
    const measured = Math.sqrt(squares / Math.max(1, scores.length - 1))
    return Math.max(measured, LEAST_RELATIVE_DEVIATION * Math.abs(mean[bank]!), Number.MIN_VALUE ** 0.25)
  })
  const standardised = scores.map((row) => row.map((score, bank) => (score - mean[bank]!) / deviation[bank]!))
  const shrinkage = scores.length < NORMALS_FOR_COVARIANCE ? 1 : ledoitWolf(standardised)
  const covariance = banks.map((a) =>
    banks.map((b) => {
      if (a === b) return deviation[a]! ** 2
      const products = standardised.reduce((sum, row) => sum + row[a]! * row[b]!, 0)
      const correlation = products / Math.max(1, scores.length - 1)
      return (1 - shrinkage) * correlation * deviation[a]! * deviation[b]!
    }),
  )
  const origin = mean.map((value, bank) => value + (allowances[bank] ?? 0) * deviation[bank]!)
  return { mode, origin, covariance, shrinkage }
}

/** @returns tau; not negative in `two-sided` mode. It has no upper end. */
export function mahalanobis({ mode, origin, covariance }: MahalanobisHead, scores: Vector): number {
  const excess = origin.map((value, bank) => scores[bank]! - value)
  const banks = [...origin.keys()]
  if (mode === 'two-sided') return Math.sqrt(quadraticForm(covariance, excess, banks)?.value ?? NaN)
  const best = Math.max(...excess.map((value, bank) => value / Math.sqrt(covariance[bank]![bank]!)))
  if (!(best > 0)) return best
  let largest = best ** 2
  // With at most three banks the maximum over w >= 0 is found by trying every set of banks that has a say.
  for (let set = 1; set < 1 << banks.length; set++) {
    const form = quadraticForm(
      covariance,
      excess,
      banks.filter((bank) => set & (1 << bank)),
    )
    if (form?.weights.every((weight) => weight >= 0)) largest = Math.max(largest, form.value)
  }
  return Math.sqrt(largest)
}

/** `r' Sigma^-1 r` over the chosen banks and the weights `Sigma^-1 r`; undefined where Sigma is singular. */
function quadraticForm(covariance: Matrix, excess: Vector, banks: readonly number[]) {
  const rows = banks.map((a) => [...banks.map((b) => covariance[a]![b]!), excess[a]!])
  const size = rows.length
  // Gaussian elimination without pivoting: Sigma is positive definite, a pivot that is not says it is singular.
  for (let pivot = 0; pivot < size; pivot++) {
    const diagonal = rows[pivot]![pivot]!
    if (!(diagonal > 1e-12 * covariance[banks[pivot]!]![banks[pivot]!]!)) return undefined
    for (let row = pivot + 1; row < size; row++) {
      const factor = rows[row]![pivot]! / diagonal
      for (let column = pivot; column <= size; column++) rows[row]![column]! -= factor * rows[pivot]![column]!
    }
  }
  const weights = new Array<number>(size).fill(0)
  for (let row = size - 1; row >= 0; row--) {
    let sum = rows[row]![size]!
    for (let column = row + 1; column < size; column++) sum -= rows[row]![column]! * weights[column]!
    weights[row] = sum / rows[row]![row]!
  }
  const value = banks.reduce((sum, bank, i) => sum + excess[bank]! * weights[i]!, 0)
  return { value, weights }
}

/** Ledoit & Wolf 2004, eq. 14, for standardised columns: the weight that minimises the expected squared error. */
function ledoitWolf(standardised: readonly Vector[]): number {
  const count = standardised.length
  const banks = [...standardised[0]!.keys()]
  let delta = 0
  let beta = 0
  let trace = 0
  for (const a of banks) {
    for (const b of banks) {
      let products = 0
      let squares = 0
      for (const row of standardised) {
        const product = row[a]! * row[b]!
        products += product
        squares += product ** 2
      }
      const covariance = products / count
      delta += covariance ** 2
      beta += squares / count - covariance ** 2
      if (a === b) trace += covariance
    }
  }
  const target = trace / banks.length
  delta -= target ** 2 * banks.length
  return delta > 0 ? Math.min(1, beta / count / delta) : 1
}
