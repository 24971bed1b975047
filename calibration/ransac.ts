/**
 * Seeded RANSAC for the plane under the part (numerics 1.3). The reference calls Open3D's unseeded one, whose plane
 * differs from run to run and from version to version; a station must give the same answer to the same frame.
 */
import { planeFacingCamera, type Plane, type PlaneFit } from './plane.ts'
import { seededRandom } from './random.ts'

export interface PlaneSearch {
  /** A point nearer than this belongs to the plane. */
  readonly inlierMetres: number
  /** Most samples to draw; fewer are drawn once a better plane has become improbable. */
  readonly iterations: number
  readonly seed: number
  /** With fewer points no plane is looked for. At least 3. */
  readonly minimumPoints: number
}

/** A chance of 1e-9 that a better plane was missed ends the search. */
const LOG_MISS = Math.log(1e-9)
/** Thinner triangles (sine of the angle at the first corner) turn noise into tilt. */
const LEAST_SINE = 1e-3
const MOST_REFITS = 5

/**
 * The plane with most inliers among 3-point samples, refitted to its inliers by least squares in float64.
 *
 * @param pointsMetres `count * 3`, valid points only.
 * @returns undefined with fewer than `minimumPoints` points or when every sample was (almost) one line.
 */
export function fitPlane(pointsMetres: Float32Array, search: PlaneSearch): PlaneFit | undefined {
  const count = Math.floor(pointsMetres.length / 3)
  if (count < Math.max(3, search.minimumPoints)) return undefined
  const random = seededRandom(search.seed)
  let best: Plane | undefined
  let bestInliers = 0
  let needed = search.iterations
  for (let drawn = 0; drawn < needed; drawn++) {
    const first = Math.floor(random() * count)
    const second = Math.floor(random() * count)
    const third = Math.floor(random() * count)
    const plane = planeThrough(pointsMetres, [first, second, third])
    if (plane === undefined) continue
    const inliers = countInliers(pointsMetres, plane, search.inlierMetres)
    if (inliers <= bestInliers) continue
    best = plane
    bestInliers = inliers
    const allInliers = (inliers / count) ** 3
    // log1p(-1) is -Infinity: a plane that holds every point needs no further sample.
    needed = Math.min(needed, Math.ceil(LOG_MISS / Math.log1p(-allInliers)))
  }
  if (best === undefined) return undefined
  for (let refit = 0; refit < MOST_REFITS; refit++) {
    best = leastSquaresPlane(pointsMetres, best, search.inlierMetres)
    const inliers = countInliers(pointsMetres, best, search.inlierMetres)
    if (inliers === bestInliers) break
    bestInliers = inliers
  }
  return {
    ...best,
    inlierCount: bestInliers,
    inlierRatio: bestInliers / count,
    rmsMetres: rmsOfInliers(pointsMetres, best, search.inlierMetres),
  }
}

function planeThrough(
  points: Float32Array,
  [first, second, third]: readonly [number, number, number],
): Plane | undefined {
  const x = points[first * 3]!
  const y = points[first * 3 + 1]!
  const z = points[first * 3 + 2]!
  const ax = points[second * 3]! - x
  const ay = points[second * 3 + 1]! - y
  const az = points[second * 3 + 2]! - z
  const bx = points[third * 3]! - x
  const by = points[third * 3 + 1]! - y
  const bz = points[third * 3 + 2]! - z
  const nx = ay * bz - az * by
  const ny = az * bx - ax * bz
  const nz = ax * by - ay * bx
  const area = Math.hypot(nx, ny, nz)
  if (!(area > LEAST_SINE * Math.hypot(ax, ay, az) * Math.hypot(bx, by, bz))) return undefined
  return planeFacingCamera([nx, ny, nz], -(nx * x + ny * y + nz * z))
}

function countInliers(points: Float32Array, plane: Plane, inlierMetres: number): number {
  const [nx, ny, nz] = plane.normal
  const offset = plane.offsetMetres
  let inliers = 0
  for (let at = 0; at + 2 < points.length; at += 3) {
    const distance = nx * points[at]! + ny * points[at + 1]! + nz * points[at + 2]! + offset
    if (distance < inlierMetres && distance > -inlierMetres) inliers++
  }
  return inliers
}

function rmsOfInliers(points: Float32Array, plane: Plane, inlierMetres: number): number {
  const [nx, ny, nz] = plane.normal
  let inliers = 0
  let squares = 0
  for (let at = 0; at + 2 < points.length; at += 3) {
    const distance = nx * points[at]! + ny * points[at + 1]! + nz * points[at + 2]! + plane.offsetMetres
    if (distance < inlierMetres && distance > -inlierMetres) {
      inliers++
      squares += distance * distance
    }
  }
  return inliers === 0 ? 0 : Math.sqrt(squares / inliers)
}

/** Total least squares: through the inliers' mean, along the direction in which they spread least. */
function leastSquaresPlane(points: Float32Array, plane: Plane, inlierMetres: number): Plane {
  const [nx, ny, nz] = plane.normal
  let count = 0
  const mean = [0, 0, 0]
  for (let at = 0; at + 2 < points.length; at += 3) {
    const distance = nx * points[at]! + ny * points[at + 1]! + nz * points[at + 2]! + plane.offsetMetres
    if (!(distance < inlierMetres && distance > -inlierMetres)) continue
    count++
    for (let axis = 0; axis < 3; axis++) mean[axis]! += points[at + axis]!
  }
  if (count < 3) return plane
  for (let axis = 0; axis < 3; axis++) mean[axis]! /= count
  let xx = 0
  let xy = 0
  let xz = 0
  let yy = 0
  let yz = 0
  let zz = 0
  for (let at = 0; at + 2 < points.length; at += 3) {
    const distance = nx * points[at]! + ny * points[at + 1]! + nz * points[at + 2]! + plane.offsetMetres
    if (!(distance < inlierMetres && distance > -inlierMetres)) continue
    const x = points[at]! - mean[0]!
    const y = points[at + 1]! - mean[1]!
    const z = points[at + 2]! - mean[2]!
    xx += x * x
    xy += x * y
    xz += x * z
    yy += y * y
    yz += y * z
    zz += z * z
  }
  const normal = leastSpread([
    [xx, xy, xz],
    [xy, yy, yz],
    [xz, yz, zz],
  ])
  return planeFacingCamera(normal, -(normal[0] * mean[0]! + normal[1] * mean[1]! + normal[2] * mean[2]!))
}

/** Eigenvector of the smallest eigenvalue of a symmetric 3x3 matrix, by cyclic Jacobi rotations (converges in a few sweeps). */
function leastSpread(matrix: number[][]): [number, number, number] {
  const vectors = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ]
  for (let sweep = 0; sweep < 12; sweep++) {
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const pq = matrix[p]![q]!
      if (pq === 0) continue
      const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * pq)
      const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1))
      const cosine = 1 / Math.hypot(tangent, 1)
      const sine = tangent * cosine
      for (let k = 0; k < 3; k++) {
        const kp = matrix[k]![p]!
        const kq = matrix[k]![q]!
        matrix[k]![p] = cosine * kp - sine * kq
        matrix[k]![q] = sine * kp + cosine * kq
      }
      for (let k = 0; k < 3; k++) {
        const pk = matrix[p]![k]!
        const qk = matrix[q]![k]!
        matrix[p]![k] = cosine * pk - sine * qk
        matrix[q]![k] = sine * pk + cosine * qk
        const kp = vectors[k]![p]!
        const kq = vectors[k]![q]!
        vectors[k]![p] = cosine * kp - sine * kq
        vectors[k]![q] = sine * kp + cosine * kq
      }
    }
  }
  let least = 0
  for (let axis = 1; axis < 3; axis++) if (matrix[axis]![axis]! < matrix[least]![least]!) least = axis
  return [vectors[0]![least]!, vectors[1]![least]!, vectors[2]![least]!]
}
