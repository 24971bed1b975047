/**
 * How well scores tell good from defective, as the papers of this field report it (numerics 6). Thresholds are strict
 * everywhere: a pixel or a part is anomalous when its score is above the threshold. What is undefined is null, never 0.
 */
import type { BinomialInterval } from './binomial-interval.ts'
import { seededRandom } from './random.ts'

/** One anomaly map, higher is more anomalous: `height * width` scores, row-major. */
export interface ScoreMap {
  readonly width: number
  readonly height: number
  readonly scores: Float32Array | Float64Array
}

/** What is wrong with that part, pixel by pixel: non-zero is defective. Undefined for a good part. */
export type DefectMask =
  { readonly width: number; readonly height: number; readonly pixels: Uint8Array } | undefined

/**
 * Area under the ROC curve: the chance that a defective part scores higher than a good one, ties counted half.
 * @param labels truthy or above 0 is defective.
 * @returns null unless both kinds are there.
 * @throws RangeError on NaN, which has no rank.
 */
export function auroc(scores: ArrayLike<number>, labels: ArrayLike<number | boolean>): number | null {
  if (scores.length !== labels.length) {
    throw new RangeError(`${scores.length} scores for ${labels.length} labels`)
  }
  const { good, defective } = split(Array.from(scores), Array.from(labels, Number))
  return areaUnderRoc(good, defective)
}

export interface BootstrapOptions {
  readonly scores: ArrayLike<number>
  readonly labels: ArrayLike<number | boolean>
  readonly seed: number
  readonly resamples?: number
  readonly confidence?: number
}

/**
 * Percentile bootstrap of `auroc`, stratified: good and defective parts are drawn anew separately, so that no resample
 * lacks one kind. 95 % and 2000 resamples unless told.
 */
export function bootstrapInterval(options: BootstrapOptions): BinomialInterval | null {
  const { scores, labels, seed, resamples = 2000, confidence = 0.95 } = options
  const { good, defective } = split(Array.from(scores), Array.from(labels, Number))
  if (good.length === 0 || defective.length === 0) return null
  const random = seededRandom(seed)
  const draw = (from: Float64Array) => from.map(() => from[Math.floor(random() * from.length)]!)
  const areas = Float64Array.from(
    { length: resamples },
    () => areaUnderRoc(draw(good), draw(defective)) ?? 0,
  ).sort()
  const tail = (1 - confidence) / 2
  return { lower: quantile(areas, tail), upper: quantile(areas, 1 - tail) }
}

/** `auroc` over the pixels of all maps together. */
export function pixelAuroc(maps: readonly ScoreMap[], masks: readonly DefectMask[]): number | null {
  const { good, regions } = splitPixels(maps, masks)
  const defective = new Float64Array(regions.reduce((total, region) => total + region.length, 0))
  let end = 0
  for (const region of regions) {
    defective.set(region, end)
    end += region.length
  }
  return areaUnderRoc(good, defective)
}

export interface AuproOptions {
  readonly maps: readonly ScoreMap[]
  readonly masks: readonly DefectMask[]
  /** `exact`: every distinct score is a threshold (MVTec's code). `ranks`: that many of them (M3DM: 100). */
  readonly mode: 'exact' | { readonly ranks: number }
}

/**
 * Area under the per-region overlap curve up to `limit`, divided by it. A region is an 8-connected component of a mask, and
 * each counts the same whatever its size; false positives are counted on the good pixels of all parts together.
 * @param options.limit false-positive rate, in (0, 1]. Papers say 0.3, newer ones 0.01 too.
 * @returns null when there is no defect, or nothing but defects.
 */
export function aupro({ limit, ...options }: AuproOptions & { readonly limit: number }): number | null {
  return auproAt([limit], options)?.[0] ?? null
}

/** `aupro` at several limits, ascending, in one walk along the curve: the sorting is what costs. */
export function auproAt(limits: readonly number[], { maps, masks, mode }: AuproOptions): number[] | null {
  if (!limits.every((limit, i) => limit > (limits[i - 1] ?? 0) && limit <= 1)) {
    throw new RangeError(`limits ${limits.join(', ')}: expected above 0, ascending, at most 1`)
  }
  const { good, regions } = splitPixels(maps, masks)
  if (regions.length === 0 || good.length === 0) return null
  good.sort()
  const curve = mode === 'exact' ? exactCurve(good, regions) : rankedCurve(good, regions, mode.ranks)
  return areasUpTo(limits, curve).map((area, i) => area / limits[i]!)
}

/** A point of the curve: false-positive rate and mean overlap at one threshold. */
type Point = readonly [rate: number, overlap: number]

/** From (0,0), where nothing is above the threshold, downwards through every distinct score. */
function* exactCurve(good: Float64Array, regions: readonly Float64Array[]): Generator<Point> {
  const { scores, weights } = weighted(regions)
  let overlap = 0
  let g = good.length
  let d = scores.length
  yield [0, 0]
  while (g > 0 || d > 0) {
    const score = Math.max(g > 0 ? good[g - 1]! : -Infinity, d > 0 ? scores[d - 1]! : -Infinity)
    while (g > 0 && good[g - 1]! === score) g--
    while (d > 0 && scores[d - 1]! === score) overlap += weights[--d]!
    yield [1 - g / good.length, Math.min(1, overlap)]
  }
}

/**
 * Thresholds at equidistant ranks of the good pixels' scores. The rate is the rank's, also where scores are tied, and
 * the last point is (1,1) by decree: both as in MVTec's and M3DM's code.
 */
function* rankedCurve(good: Float64Array, regions: readonly Float64Array[], ranks: number): Generator<Point> {
  const sorted = regions.map((region) => region.slice().sort())
  const last = good.length - 1
  for (let i = ranks - 1; i >= 0; i--) {
    const rank = i === ranks - 1 ? last : Math.floor(i * (last / (ranks - 1)))
    const threshold = good[rank]!
    let overlap = 0
    for (const region of sorted) overlap += countAbove(region, threshold) / region.length
    yield [1 - (rank + 1) / good.length, overlap / sorted.length]
  }
  yield [1, 1]
}

/** Trapezoids up to each limit; where no point lies on it, the line between its neighbours is cut there. */
function areasUpTo(limits: readonly number[], curve: Iterable<Point>): number[] {
  const areas: number[] = []
  let area = 0
  let [x0, y0] = [0, 0]
  for (const [x1, y1] of curve) {
    for (let limit = limits[areas.length]; limit !== undefined && x1 > limit; limit = limits[areas.length]) {
      const cut = y0 + ((y1 - y0) * (limit - x0)) / (x1 - x0)
      areas.push(area + ((y0 + cut) / 2) * (limit - x0))
    }
    if (areas.length === limits.length) return areas
    area += ((y0 + y1) / 2) * (x1 - x0)
    x0 = x1
    y0 = y1
  }
  // The curve ends at rate 1, which may be the last limit.
  return [...areas, area]
}

/** All defective pixels in ascending order, and what each adds to the mean overlap. */
function weighted(regions: readonly Float64Array[]): { scores: Float64Array; weights: Float64Array } {
  const pixels = regions.flatMap((region) =>
    Array.from(region, (score) => ({ score, weight: 1 / region.length / regions.length })),
  )
  pixels.sort((a, b) => a.score - b.score)
  return {
    scores: Float64Array.from(pixels, ({ score }) => score),
    weights: Float64Array.from(pixels, ({ weight }) => weight),
  }
}

/** Scores of all good pixels together, and those of each defective region. */
function splitPixels(maps: readonly ScoreMap[], masks: readonly DefectMask[]) {
  if (maps.length !== masks.length) throw new RangeError(`${maps.length} maps for ${masks.length} masks`)
  const good = new Float64Array(maps.reduce((total, { scores }) => total + scores.length, 0))
  const regions: Float64Array[] = []
  let goods = 0
  maps.forEach(({ width, height, scores }, index) => {
    const mask = masks[index]
    if (scores.length !== width * height) {
      throw new RangeError(`map ${index}: ${scores.length} scores, expected ${width}x${height}`)
    }
    if (mask && (mask.width !== width || mask.height !== height)) {
      throw new RangeError(`map ${index} is ${width}x${height}, its mask ${mask.width}x${mask.height}`)
    }
    for (let i = 0; i < scores.length; i++) {
      if (Number.isNaN(scores[i]!)) throw new RangeError(`map ${index}: NaN at pixel ${i}`)
      if (!mask || mask.pixels[i] === 0) good[goods++] = scores[i]!
    }
    if (mask)
      for (const region of regionsOf(mask)) regions.push(Float64Array.from(region, (pixel) => scores[pixel]!))
  })
  return { good: good.subarray(0, goods), regions }
}

/** The pixels of each 8-connected component. */
function regionsOf({ width, height, pixels }: NonNullable<DefectMask>): number[][] {
  const isOpen = pixels.map((value) => (value === 0 ? 0 : 1))
  const regions: number[][] = []
  for (let start = isOpen.indexOf(1); start !== -1; start = isOpen.indexOf(1, start)) {
    const region = [start]
    isOpen[start] = 0
    // Grows while it is walked: the part behind `i` waits for its neighbours to be looked at.
    for (let i = 0; i < region.length; i++) {
      const x = region[i]! % width
      const y = (region[i]! - x) / width
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const pixel = ny * width + nx
          if (isOpen[pixel] === 0) continue
          isOpen[pixel] = 0
          region.push(pixel)
        }
      }
    }
    regions.push(region)
  }
  return regions
}

function split(scores: readonly number[], labels: readonly number[]) {
  if (scores.some(Number.isNaN)) throw new RangeError('NaN among the scores')
  return {
    good: Float64Array.from(scores.filter((_, i) => !(labels[i]! > 0))),
    defective: Float64Array.from(scores.filter((_, i) => labels[i]! > 0)),
  }
}

/** Mann and Whitney's U over the number of pairs. Sorts both in place. */
function areaUnderRoc(good: Float64Array, defective: Float64Array): number | null {
  if (good.length === 0 || defective.length === 0) return null
  good.sort()
  defective.sort()
  let below = 0
  let upTo = 0
  let wins = 0
  for (const score of defective) {
    while (below < good.length && good[below]! < score) below++
    upTo = Math.max(upTo, below)
    while (upTo < good.length && good[upTo]! === score) upTo++
    wins += (below + upTo) / 2
  }
  return wins / (good.length * defective.length)
}

function countAbove(sorted: Float64Array, threshold: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! > threshold) high = middle
    else low = middle + 1
  }
  return sorted.length - low
}

/** Linear between order statistics, as NumPy's default. */
function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const low = Math.floor(at)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (at - low)
}
