/**
 * From what a 3D sensor sends, depths or points in units of its own, to a point map in metres. The samples are read only
 * and may be of any origin: a camera's buffer, a pipeline's GRAY16_LE, a bridge's payload.
 */
import { cleanPoints } from './clean-points.ts'

/** coordinate = sample × scale + offset, in metres. */
export interface Axis {
  readonly scaleMetres: number
  readonly offsetMetres: number
}

export const METRES: Axis = { scaleMetres: 1, offsetMetres: 0 }
export const MILLIMETRES: Axis = { scaleMetres: 0.001, offsetMetres: 0 }

/** Where the pixels of a depth map lie beside its depth. */
export type Lateral =
  /** Resampled by the sensor: x = column × scale + offset, y = row × scale + offset. */
  | { readonly kind: 'grid'; readonly x: Axis; readonly y: Axis }
  /** Seen through a lens: x = (column - principal) × depth / focal; depth along the optical axis. Pixels of this map. */
  | {
      readonly kind: 'pinhole'
      readonly focalXPixels: number
      readonly focalYPixels: number
      readonly principalXPixels: number
      readonly principalYPixels: number
    }

export interface DepthOptions {
  readonly width: number
  readonly height: number
  readonly depth: Axis
  /** The raw sample of a pixel without a return. Values that are not finite are without a return anyhow. */
  readonly invalid?: number
  readonly lateral: Lateral
}

/**
 * @param depths `width * height` raw samples, row-major
 * @param points where they are written, zeros so far: `width * height * 3`, x, y, z in metres, (0,0,0) where there is no return
 * @returns it
 * @throws RangeError for another number of samples
 */
export function pointsFromDepth(
  depths: Uint16Array | Int16Array | Int32Array | Float32Array,
  { width, height, depth, invalid, lateral }: DepthOptions,
  points: Float32Array = new Float32Array(width * height * 3),
): Float32Array {
  expectSamples(depths.length, width * height)
  expectSamples(points.length, width * height * 3)
  const { scaleMetres, offsetMetres } = depth
  const column = lateral.kind === 'grid' ? new Float64Array(0) : rays(width, lateral, 'X')
  for (let y = 0, pixel = 0, at = 0; y < height; y++) {
    const row = lateral.kind === 'grid' ? coordinate(lateral.y, y) : ray(lateral, 'Y', y)
    for (let x = 0; x < width; x++, pixel++, at += 3) {
      const sample = depths[pixel]!
      if (sample === invalid) continue
      const z = sample * scaleMetres + offsetMetres
      points[at] = lateral.kind === 'grid' ? coordinate(lateral.x, x) : column[x]! * z
      points[at + 1] = lateral.kind === 'grid' ? row : row * z
      points[at + 2] = z
    }
  }
  cleanPoints(points)
  return points
}

/** Farther than a float reaches: no measurement. */
const FAR = 3e38

export interface XyzOptions {
  readonly x: Axis
  readonly y: Axis
  readonly z: Axis
  /** The raw z of a pixel without a return. Values that are not finite are without a return anyhow. */
  readonly invalid?: number
}

/**
 * @param samples x, y, z of each pixel in turn
 * @param points where they are written: as many, in metres, (0,0,0) where there is no return
 * @returns it
 * @throws RangeError when the samples are not threes
 */
export function pointsFromXyz(
  samples: Float32Array | Int16Array | Uint16Array,
  { x, y, z, invalid }: XyzOptions,
  points: Float32Array = new Float32Array(samples.length),
): Float32Array {
  expectSamples(samples.length % 3, 0)
  expectSamples(points.length, samples.length)
  // NaN equals nothing, and keeps the comparison one of numbers.
  const invalidZ = invalid ?? NaN
  const [scaleX, scaleY, scaleZ] = [x.scaleMetres, y.scaleMetres, z.scaleMetres]
  const [offsetX, offsetY, offsetZ] = [x.offsetMetres, y.offsetMetres, z.offsetMetres]
  for (let at = 0; at < samples.length; at += 3) {
    const rawX = samples[at]!
    const rawY = samples[at + 1]!
    const rawZ = samples[at + 2]!
    const metresX = rawX * scaleX + offsetX
    const metresY = rawY * scaleY + offsetY
    const metresZ = rawZ * scaleZ + offsetZ
    // (0,0,0) is how many sensors say nothing; an offset must not make a point of it. The sum does what `cleanPoints`
    // does, in the same pass: a quarter of the time of 640 x 480 points. It is false for NaN.
    const isPoint =
      rawZ !== invalidZ &&
      (rawX !== 0 || rawY !== 0 || rawZ !== 0) &&
      Math.abs(metresX) + Math.abs(metresY) + Math.abs(metresZ) < FAR
    points[at] = isPoint ? metresX : 0
    points[at + 1] = isPoint ? metresY : 0
    points[at + 2] = isPoint ? metresZ : 0
  }
  return points
}

function coordinate({ scaleMetres, offsetMetres }: Axis, sample: number): number {
  return sample * scaleMetres + offsetMetres
}

type Pinhole = Extract<Lateral, { kind: 'pinhole' }>

function ray(lens: Pinhole, axis: 'X' | 'Y', pixel: number): number {
  return (pixel - lens[`principal${axis}Pixels`]) / lens[`focal${axis}Pixels`]
}

function rays(count: number, lens: Pinhole, axis: 'X' | 'Y'): Float64Array {
  return Float64Array.from({ length: count }, (_, pixel) => ray(lens, axis, pixel))
}

function expectSamples(got: number, expected: number): void {
  if (got !== expected) throw new RangeError(`expected ${expected} samples, got ${got}`)
}
