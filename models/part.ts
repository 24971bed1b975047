/** Finds the part in an organised point map: off the table, in one piece (numerics 1.3 and 10). */
import { signedDistanceMetres, type Plane } from '../calibration/plane.ts'
import { fitPlane } from '../calibration/ransac.ts'
import type { XyzFrame } from '../drivers/frame.ts'
import { cluster } from './cluster.ts'

const BORDER_PIXELS = 10
const LEAST_BORDER_POINTS = 50
const LEAST_BORDER_SHARE = 0.5
const PLANE_INLIER_METRES = 0.004
const PLANE_ITERATIONS = 1000
const BACKGROUND_METRES = 0.005
/** A fitted plane that takes more than this share of the points away has taken the part. */
const MOST_BACKGROUND_SHARE = 0.95
const CLUSTER_RADIUS_METRES = 0.006
const CLUSTER_MINIMUM_POINTS = 30
/** No inspection sensor sees further; a point out there is a wrong one. */
const FARTHEST_METRES = 20
/** A smaller part is a wrong unit, or nothing. */
const LEAST_EXTENT_METRES = 0.001

export interface PartFound {
  /** `height * width * 3`, metres; exactly (0,0,0) everywhere but on the part. */
  readonly pointsMetres: Float32Array
  readonly flags: readonly string[]
}

export interface PartRejected {
  /** One sentence for a person. */
  readonly rejected: string
  readonly flags: readonly string[]
}

/**
 * The largest cluster of what does not lie on the table.
 *
 * @param frame admitted (admit.ts): finite, metres.
 * @param plane the station's, which is trusted; without one the frame's own is fitted to the points along its border. A
 *   fit that cannot be the table is not used, and a flag says so: the part then touches the border, or the background
 *   had been removed before.
 */
export function findPart(
  frame: XyzFrame,
  { plane, seed }: { readonly plane?: Plane | undefined; readonly seed: number },
): PartFound | PartRejected {
  const flags: string[] = []
  const points = frame.pointsMetres.slice()
  if (dropFarPoints(points) > 0) flags.push('xyz-far-points')
  const background = plane ? stationBackground(frame, points, plane) : fittedBackground(frame, points, seed)
  if (background.flag !== undefined) flags.push(background.flag)
  if (background.plane) clearBackground(points, background.plane)

  const pixels = validPixels(points)
  const { labels, sizes } = cluster(pick(points, pixels), {
    radiusMetres: CLUSTER_RADIUS_METRES,
    minimumPoints: CLUSTER_MINIMUM_POINTS,
  })
  if (sizes.length === 0) {
    const detail = `${frame.sensor} sees no part: ${pixels.length} points off the table, no 30 of them within 6 mm of one`
    return { rejected: detail, flags }
  }
  // Of equally large ones the first. Noise (-1) is never kept; in the reference it can win.
  const largest = sizes.indexOf(Math.max(...sizes))
  for (let n = 0; n < pixels.length; n++) {
    if (labels[n] !== largest) points.fill(0, pixels[n]! * 3, pixels[n]! * 3 + 3)
  }
  const extent = extentMetres(points)
  if (extent < LEAST_EXTENT_METRES) {
    return {
      rejected: `${frame.sensor} sees a part ${extent.toExponential(1)} m wide: not in metres?`,
      flags,
    }
  }
  return { pointsMetres: points, flags }
}

function dropFarPoints(points: Float32Array): number {
  let dropped = 0
  for (let at = 0; at < points.length; at += 3) {
    const farthest = Math.max(Math.abs(points[at]!), Math.abs(points[at + 1]!), Math.abs(points[at + 2]!))
    if (farthest > FARTHEST_METRES) {
      dropped++
      points.fill(0, at, at + 3)
    }
  }
  return dropped
}

interface Background {
  readonly plane?: Plane
  readonly flag?: string
}

function stationBackground(frame: XyzFrame, points: Float32Array, plane: Plane): Background {
  const border = pick(points, borderPixels(frame, points))
  const onPlane = countNear(border, plane, PLANE_INLIER_METRES)
  const isOff = border.length >= LEAST_BORDER_POINTS * 3 && onPlane * 3 < border.length * LEAST_BORDER_SHARE
  return { plane, ...(isOff && { flag: 'station-plane-off' }) }
}

function fittedBackground(frame: XyzFrame, points: Float32Array, seed: number): Background {
  const border = pick(points, borderPixels(frame, points))
  if (border.length < LEAST_BORDER_POINTS * 3) return { flag: 'plane-skipped-few-border-points' }
  const plane = fitPlane(border, {
    inlierMetres: PLANE_INLIER_METRES,
    iterations: PLANE_ITERATIONS,
    seed,
    minimumPoints: LEAST_BORDER_POINTS,
  })
  if (!plane || plane.inlierRatio < LEAST_BORDER_SHARE) return { flag: 'plane-skipped-uneven-border' }
  const valid = pick(points, validPixels(points))
  const taken = countNear(valid, plane, BACKGROUND_METRES)
  return taken * 3 > valid.length * MOST_BACKGROUND_SHARE ? { flag: 'plane-skipped-takes-part' } : { plane }
}

function clearBackground(points: Float32Array, plane: Plane): void {
  for (let pixel = 0; pixel * 3 < points.length; pixel++) {
    if (!isValid(points, pixel)) continue
    if (Math.abs(signedDistanceMetres(plane, points, pixel)) < BACKGROUND_METRES) {
      points.fill(0, pixel * 3, pixel * 3 + 3)
    }
  }
}

function countNear(points: Float32Array, plane: Plane, metres: number): number {
  let near = 0
  for (let i = 0; i * 3 < points.length; i++) {
    if (Math.abs(signedDistanceMetres(plane, points, i)) < metres) near++
  }
  return near
}

/** Points in the 10-pixel frame. The corners count twice, as in the reference. */
function borderPixels({ width, height }: XyzFrame, points: Float32Array): Uint32Array {
  const deep = Math.min(BORDER_PIXELS, height)
  const across = Math.min(BORDER_PIXELS, width)
  const pixels = new Uint32Array(2 * (deep * width + across * height))
  let found = 0
  const take = (pixel: number): void => {
    if (isValid(points, pixel)) pixels[found++] = pixel
  }
  for (let n = 0; n < deep * width; n++) {
    take(n)
    take((height - deep) * width + n)
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < across; x++) {
      take(y * width + x)
      take((y + 1) * width - 1 - x)
    }
  }
  return pixels.subarray(0, found)
}

function validPixels(points: Float32Array): Uint32Array {
  const pixels = new Uint32Array(points.length / 3)
  let found = 0
  for (let pixel = 0; pixel < pixels.length; pixel++) if (isValid(points, pixel)) pixels[found++] = pixel
  return pixels.subarray(0, found)
}

function isValid(points: Float32Array, pixel: number): boolean {
  return points[pixel * 3] !== 0 || points[pixel * 3 + 1] !== 0 || points[pixel * 3 + 2] !== 0
}

function pick(points: Float32Array, pixels: Uint32Array): Float32Array {
  const picked = new Float32Array(pixels.length * 3)
  for (let n = 0; n < pixels.length; n++) {
    const from = pixels[n]! * 3
    picked[n * 3] = points[from]!
    picked[n * 3 + 1] = points[from + 1]!
    picked[n * 3 + 2] = points[from + 2]!
  }
  return picked
}

/** Longest extent along an axis. */
function extentMetres(points: Float32Array): number {
  let longest = 0
  for (let axis = 0; axis < 3; axis++) {
    let least = Infinity
    let greatest = -Infinity
    for (let pixel = 0; pixel * 3 < points.length; pixel++) {
      if (!isValid(points, pixel)) continue
      least = Math.min(least, points[pixel * 3 + axis]!)
      greatest = Math.max(greatest, points[pixel * 3 + axis]!)
    }
    longest = Math.max(longest, greatest - least)
  }
  return longest
}
