/** A moulded toy brick with two rows of four studs. */
import type { Category } from '../category.ts'
import { valueNoise } from '../noise.ts'
import { length, roundedBox, roundedEdge, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const PITCH = 0.016
const TOP = 0.0192
const STUD = 0.0048

export const toyBrick: Category = {
  name: 'toy-brick',
  radiusMetres: 0.0365,
  fieldMetres: 0.082,
  turnDegrees: 12,
  mat: 'light-table',
  core: colour(0xf0a09a),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'warp', 'hole', 'scratch', 'chipped', 'missing-piece'],
  make(random, flaw) {
    const plastic = colour(random.pick([0xc4161c, 0xbf1a1e, 0xca1a1a]))
    const dust = valueNoise(random.seed())
    const swirl = valueNoise(random.seed())
    const scarred = colour(0xe58f88)
    // Drawn also for good parts: a flaw may not shift later choices.
    const lostColumn = random.integer(0, 3)
    const lostRow = random.integer(0, 1)
    return (x, y, surfel) => {
      const outline = roundedBox(x, y, {
        halfWidth: 2 * PITCH - 0.0001,
        halfHeight: PITCH - 0.0001,
        corner: 0.001,
      })
      if (outline > 0) return false
      lay(surfel, plastic, 1)
      shadeBy(surfel, 1 + 0.04 * swirl(x * 60, y * 160) + 0.03 * dust(x * 1500, y * 1500))
      surfel.roughness = 0.3
      surfel.heightMetres = TOP - roundedEdge(-outline, 0.0008)
      const column = Math.min(3, Math.max(0, Math.floor(x / PITCH + 2)))
      const row = y < 0 ? 0 : 1
      const radius = length(x - (column - 1.5) * PITCH, y - (row - 0.5) * PITCH)
      const lost = flaw === 'missing-piece' && column === lostColumn && row === lostRow
      if (lost) {
        // The stud has snapped off: a pale, rough scar with a hollow in it.
        const scar = smoothstep(STUD, STUD - 0.0005, radius)
        lay(surfel, scarred, 0.8 * scar)
        surfel.heightMetres -= 0.0008 * scar
        surfel.roughness = 0.3 + 0.5 * scar
      } else if (radius < STUD) {
        surfel.heightMetres = TOP + 0.0045 - roundedEdge(STUD - radius, 0.0007)
        // The maker's ring, raised by a hair.
        surfel.detailMetres = 0.00012 * smoothstep(0.0005, 0.0002, Math.abs(radius - STUD * 0.62))
      }
      return true
    }
  },
}
