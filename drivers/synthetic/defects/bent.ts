/** Defects of shape: every colour stays as it was. Smooth, so that only the light on them tells. */
import { around, blob, extentOf, placeInside, type Damageable } from '../damage-site.ts'
import type { Random } from '../../random.ts'
import { bell } from '../shapes.ts'

/** A smooth dent or bulge: only the light on it tells. */
export function press({ relief }: Damageable, random: Random, direction: -1 | 1): void {
  const extent = extentOf(relief)
  const sigma = extent.radiusMetres * random.between(0.14, 0.19)
  // Never steeper than about 25 degrees: a steeper flank would flash in the picture.
  const depth = direction * Math.min(random.between(0.0018, 0.0036), 0.7 * sigma)
  const place = placeInside(relief, extent, { random, radius: sigma * 1.5 })
  const shape = blob(random, sigma, 0.12)
  around(relief, { ...place, reach: sigma * 5 }, (index, dx, dy) => {
    const height = relief.heightMetres[index]! + depth * bell(shape(dx, dy), 1)
    relief.heightMetres[index] = Math.max(height, 0.0005)
  })
}

/** One side of the part is bent up. */
export function warp({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const angle = random.between(0, 2 * Math.PI)
  const cos = Math.cos(angle)
  const sin = Math.sin(angle)
  const hinge = extent.reachMetres * random.between(0.2, 0.4)
  const lift = random.between(0.004, 0.0065)
  const span = extent.reachMetres - hinge
  around(relief, { ...extent, reach: extent.reachMetres * 1.5 }, (index, dx, dy) => {
    const beyond = (dx * cos + dy * sin - hinge) / span
    if (beyond > 0)
      relief.heightMetres[index] = relief.heightMetres[index]! + lift * beyond * beyond * (1.6 - 0.6 * beyond)
  })
}
