/**
 * RADAR's linear one-class SVM, which mixes the banks' maps (paper eq. 11). Trained as scikit-learn's SGDOneClassSVM:
 * hinge loss, alpha = nu / 2, learning rate 1 / (alpha (t0 + t)). On distances, which are positive, every step keeps the
 * weights positive (numerics 0.2), so a map can only be made hotter by a bank, never cooler.
 *
 * Inputs are divided by a robust scale but not centred: the machine separates the data from the origin, and the origin
 * must remain "distance zero". They must be scaled: the solution depends on scale, and M3DM's un-scaled inputs stop early.
 */
import { seededRandom } from './random.ts'

const NU = 0.5
/** scikit-learn stops after 5 epochs without progress, mostly by the tenth; this is a few more and needs no rule. */
const EPOCHS = 20

/**
 * @param rows `count * width` patch distances, scaled (`robustScale`), all >= 0.
 * @returns `width` weights >= 0 that sum to 1; the direction is what is learned.
 */
export function fitOneClass(rows: Float64Array, width: number, seed: number): number[] {
  const count = rows.length / width
  const alpha = NU / 2
  const typicalWeight = Math.sqrt(1 / Math.sqrt(alpha))
  const firstStep = 1 / (alpha * typicalWeight)
  const random = seededRandom(seed)
  const order = Uint32Array.from({ length: count }, (_, i) => i)
  const weights = new Float64Array(width)
  let offset = 0
  let step = 0
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(order, random)
    for (const row of order) {
      const rate = 1 / (alpha * (firstStep + step++))
      let score = 0
      for (let i = 0; i < width; i++) score += weights[i]! * rows[row * width + i]!
      const decay = Math.max(0, 1 - rate * alpha)
      const push = score <= offset ? rate : 0
      for (let i = 0; i < width; i++) weights[i] = weights[i]! * decay + push * rows[row * width + i]!
      // d/d(offset) of alpha/2 |w|^2 + mean hinge - nu * offset.
      offset += rate * NU - push
    }
  }
  const sum = weights.reduce((total, weight) => total + weight, 0)
  // All inputs zero: nothing to learn from, every bank counts the same.
  return sum > 0 ? Array.from(weights, (weight) => weight / sum) : new Array<number>(width).fill(1 / width)
}

/** Deviation of the bulk, deaf to a few outliers: 1.4826 * median |x - median|; the mean or 1 where that is 0. */
export function robustScale(values: ArrayLike<number>): number {
  const middle = median(Float64Array.from(values))
  const spread = 1.4826 * median(Float64Array.from(values, (value) => Math.abs(value - middle)))
  return spread > 0 ? spread : middle > 0 ? middle : 1
}

function median(values: Float64Array): number {
  values.sort()
  const half = values.length >> 1
  return values.length % 2 === 1 ? values[half]! : (values[half - 1]! + values[half]!) / 2
}

function shuffle(order: Uint32Array, random: () => number): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const kept = order[last]!
    order[last] = order[other]!
    order[other] = kept
  }
}
