/** A turned steel nut, M24-like: chamfered hexagon, threaded bore, washer face. */
import type { Category } from '../category.ts'
import { fractalNoise, valueNoise } from '../noise.ts'
import { hexagon, length, roundedEdge, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const APOTHEM = 0.0235
const TOP = 0.021
const BORE = 0.0128

export const hexNut: Category = {
  name: 'hex-nut',
  radiusMetres: 0.0275,
  fieldMetres: 0.072,
  turnDegrees: 180,
  mat: 'blue-mat',
  core: colour(0xe8e6e2),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'scratch', 'chipped', 'foreign-body'],
  make(random) {
    const steel = colour(random.pick([0xb9bbbd, 0xb3b5b8, 0xbdbcb8]))
    const threadTurn = random.between(0, 2 * Math.PI)
    const cloud = fractalNoise(random.seed(), 3)
    const grain = valueNoise(random.seed())
    return (x, y, surfel) => {
      const outline = hexagon(x, y, APOTHEM)
      if (outline > 0) return false
      const radius = length(x, y)
      const angle = Math.atan2(y, x)
      // The 30 degree chamfer cuts the six corners: a cone meets the flats in the nut's well-known arcs.
      const chamfer = Math.max(0, radius - APOTHEM * 0.97) * 0.6
      const washer = 0.0006 * smoothstep(APOTHEM * 0.95, APOTHEM * 0.92, radius)
      let height = TOP - chamfer + washer - roundedEdge(-outline, 0.0006)
      lay(surfel, steel, 1)
      surfel.metalness = 1
      surfel.roughness = 0.36 + 0.08 * cloud(x * 160, y * 160)
      // Turning marks run round the axis.
      surfel.detailMetres = 0.000009 * grain(radius * 4200, 7 + angle * 1.5)
      if (radius < BORE + 0.0016) {
        const depth = (BORE + 0.0016 - radius) / 0.0016
        const thread = Math.sin(depth * 19 + angle + threadTurn)
        height -= depth < 0.35 ? depth * 0.0045 : 0.0016 + (depth - 0.35) * 0.0215 + 0.0003 * thread
        shadeBy(surfel, 0.72 + 0.22 * thread)
      }
      if (radius < BORE) return false
      surfel.heightMetres = height
      shadeBy(surfel, 1 + 0.06 * cloud(x * 90, y * 90))
      return true
    }
  },
}
