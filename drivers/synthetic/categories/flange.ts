/** A sand-cast aluminium bearing flange: rough skin, milled boss and pads, four bolt holes. */
import type { Category } from '../category.ts'
import { fractalNoise, valueNoise } from '../noise.ts'
import { length, roundedBox, roundedEdge, segment, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const HOLE = 0.0305

export const flange: Category = {
  name: 'flange',
  radiusMetres: 0.056,
  fieldMetres: 0.132,
  turnDegrees: 180,
  mat: 'green-mat',
  core: colour(0xe6e6e4),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'hole', 'scratch', 'crack', 'chipped', 'foreign-body'],
  make(random) {
    const skin = fractalNoise(random.seed(), 4)
    const sand = valueNoise(random.seed())
    const marks = valueNoise(random.seed())
    const cast = colour(random.pick([0x8f9192, 0x8a8d8f, 0x949492]))
    const milled = colour(0xc4c5c6)
    return (x, y, surfel) => {
      const outline = roundedBox(x, y, { halfWidth: 0.041, halfHeight: 0.041, corner: 0.014 })
      const radius = length(x, y)
      const holeX = Math.abs(x) - HOLE
      const holeY = Math.abs(y) - HOLE
      const toHole = length(holeX, holeY)
      if (outline > 0 || toHole < 0.0042 || radius < 0.0122) return false
      const rib = Math.min(
        segment(Math.abs(x), Math.abs(y), [0.012, 0.012, 0.026, 0.026]),
        segment(Math.abs(x), y, [0.015, 0, 0.037, 0]),
      )
      let height = 0.0095
      height += 0.005 * smoothstep(0.0042, 0.0018, rib) * smoothstep(0.039, 0.03, radius)
      height = Math.max(height, 0.0095 + 0.0135 * smoothstep(0.0222, 0.0182, radius))
      const pad = smoothstep(0.0082, 0.0072, toHole)
      height = height * (1 - pad) + 0.0118 * pad
      const machined = Math.max(smoothstep(0.0181, 0.0178, radius), smoothstep(0.0072, 0.007, toHole))
      height -= roundedEdge(-outline, 0.0025) + roundedEdge(radius - 0.0122, 0.0009)
      lay(surfel, cast, 1)
      shadeBy(surfel, 1 + 0.13 * skin(x * 260, y * 260) + 0.06 * sand(x * 1900, y * 1900))
      lay(surfel, milled, machined)
      surfel.heightMetres = height + (1 - machined) * 0.00016 * skin(x * 420, y * 420)
      surfel.detailMetres =
        (1 - machined) * 0.00014 * skin(x * 900, y * 900) +
        machined * 0.00001 * marks((radius < 0.02 ? radius : toHole) * 4000, 3)
      surfel.metalness = 0.45 + 0.55 * machined
      surfel.roughness = 0.72 - 0.36 * machined
      return true
    }
  },
}
