/** An organised point map as a file holds it, and what every parser does at its end: units, invalid points, a look at the scale. */
import { cleanPoints } from '../clean-points.ts'
import { FormatError } from './format-error.ts'
import { limitsOf, type FormatLimits } from './limits.ts'

export interface PointMap {
  readonly width: number
  readonly height: number
  /** Row-major, x, y, z per pixel, metres; a pixel without a return is exactly (0,0,0), never NaN. */
  readonly pointsMetres: Float32Array
}

export interface PointMapOptions {
  /** What the file's floating-point numbers count. Default `metres`; no format here can say it itself. */
  readonly unit?: 'metres' | 'millimetres'
  /** Size of one integer step in metres. Without it integer coordinates are refused: they have no unit. */
  readonly integerStepMetres?: number
  /** The grid of a file whose points are in row order but which does not say so (ply, pcd). */
  readonly grid?: Grid
  readonly limits?: Partial<FormatLimits>
}

export interface Grid {
  readonly width: number
  readonly height: number
}

/** Above this median |z| the numbers are not metres to a part under an inspection camera (numerics 10). */
const LARGEST_MEDIAN_DEPTH_METRES = 20

/** Points that a parser handles before it lets the event loop go on: about 5 ms of ascii on an x86-64 core of 2023. */
export const POINTS_PER_TURN = 8192

/** Refuses a size that is no grid or beyond the limits. Call it before anything of that size is allocated. */
export function checkGrid(file: string, { width, height }: Grid, options: PointMapOptions): void {
  const { maxPixels } = limitsOf(options.limits)
  if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 1 || height < 1) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: size ${width} x ${height}, expected whole numbers from 1 up`,
    )
  }
  if (width * height > maxPixels) {
    throw new FormatError(
      'FORMAT_TOO_LARGE',
      `${file}: ${width} x ${height} points, the limit is ${maxPixels}`,
    )
  }
  if (width === 1 || height === 1) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${width} x ${height} is a list of points, expected an organised map of rows and columns`,
    )
  }
}

/** Metres per number in the file. Refuses integers without a step. */
export function metresPerCount(file: string, kind: 'float' | 'integer', options: PointMapOptions): number {
  if (kind === 'integer') {
    if (options.integerStepMetres !== undefined) return options.integerStepMetres
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: coordinates are integers, which have no unit; expected floating point, or integerStepMetres`,
    )
  }
  return options.unit === 'millimetres' ? 0.001 : 1
}

/** Takes over `pointsMetres`: invalid points become (0,0,0), and a map that is plainly not in metres is refused. */
export function toPointMap(file: string, { width, height }: Grid, pointsMetres: Float32Array): PointMap {
  cleanPoints(pointsMetres)
  const depth = medianDepth(pointsMetres)
  if (depth > LARGEST_MEDIAN_DEPTH_METRES) {
    throw new FormatError(
      'FORMAT_WRONG_UNIT',
      `${file}: median |z| is ${depth.toPrecision(4)}, expected metres (at most ${LARGEST_MEDIAN_DEPTH_METRES}); ` +
        "this looks like millimetres, for which unit: 'millimetres' is meant",
    )
  }
  return { width, height, pointsMetres }
}

/** Over at most 8192 evenly spread pixels: the question is a factor of a thousand, and sorting all would cost more than reading. */
function medianDepth(pointsMetres: Float32Array): number {
  const step = 3 * Math.ceil(pointsMetres.length / 3 / 8192)
  const depths = new Float32Array(8192)
  let count = 0
  for (let i = 0; i < pointsMetres.length; i += step) {
    const z = pointsMetres[i + 2]!
    if (z !== 0 || pointsMetres[i] !== 0 || pointsMetres[i + 1] !== 0) depths[count++] = Math.abs(z)
  }
  if (count === 0) return 0
  return depths.subarray(0, count).sort()[count >> 1]!
}
