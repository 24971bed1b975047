/** The plane that parts lie on, in the camera's frame. */

/** `normal . p + offsetMetres = 0`, `|normal| = 1`. The normal points at the camera, so the part has distances > 0. */
export interface Plane {
  readonly normal: readonly [number, number, number]
  /** Distance of the camera (the origin) from the plane; >= 0. */
  readonly offsetMetres: number
}

export interface PlaneFit extends Plane {
  readonly inlierCount: number
  /** Inliers / points given. */
  readonly inlierRatio: number
  /** Root mean square distance of the inliers. */
  readonly rmsMetres: number
}

/** Distance of point `index` of a `count * 3` list; positive on the camera's side. */
export function signedDistanceMetres(plane: Plane, pointsMetres: Float32Array, index: number): number {
  const [nx, ny, nz] = plane.normal
  const at = index * 3
  return nx * pointsMetres[at]! + ny * pointsMetres[at + 1]! + nz * pointsMetres[at + 2]! + plane.offsetMetres
}

/** Normalises `normal` (any length > 0) and turns it towards the camera. */
export function planeFacingCamera(normal: readonly [number, number, number], offsetMetres: number): Plane {
  const [nx, ny, nz] = normal
  const length = Math.hypot(nx, ny, nz)
  // A plane through the camera has no side with the camera on it; -z then looks back at it.
  const facing = offsetMetres > 0 || (offsetMetres === 0 && nz < 0) ? 1 : -1
  const scale = facing / length
  return { normal: [nx * scale, ny * scale, nz * scale], offsetMetres: offsetMetres * scale }
}
