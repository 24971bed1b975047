/** How many of a point map's pixels carry a point. `notFinite` counts those that had NaN or infinity in them. */
export interface PointCounts {
  readonly valid: number
  readonly missing: number
  readonly notFinite: number
}

/**
 * Makes every pixel without a return exactly (0,0,0), in place: a point with a coordinate that is not finite, or
 * with nothing but (signed) zeros. Sensors write NaN (Kinect, RealSense, ZED) or zeros (HALCON); the method tests `!= 0`,
 * which NaN passes (numerics 10). `pointsMetres` holds x, y, z per pixel.
 */
export function cleanPoints(pointsMetres: Float32Array): PointCounts {
  let valid = 0
  let notFinite = 0
  for (let i = 0; i < pointsMetres.length; i += 3) {
    const x = pointsMetres[i]!
    const y = pointsMetres[i + 1]!
    const z = pointsMetres[i + 2]!
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(z)) notFinite++
    else if (x !== 0 || y !== 0 || z !== 0) {
      valid++
      continue
    }
    pointsMetres.fill(0, i, i + 3)
  }
  return { valid, missing: pointsMetres.length / 3 - valid, notFinite }
}
