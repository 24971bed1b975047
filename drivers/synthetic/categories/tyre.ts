/** A small rubber tyre with tread blocks and raised lettering on its side wall. Black: the 3D sensor's hard case. */
import type { Category } from '../category.ts'
import { letter } from '../glyphs.ts'
import { fractalNoise } from '../noise.ts'
import { length, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const OUTER = 0.05
const INNER = 0.0245
const BLOCKS = 32

export const tyre: Category = {
  name: 'tyre',
  radiusMetres: 0.051,
  fieldMetres: 0.13,
  turnDegrees: 180,
  mat: 'light-table',
  core: colour(0x8a8378),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'scratch', 'chipped', 'missing-piece', 'foreign-body'],
  make(random, flaw) {
    const bloom = fractalNoise(random.seed(), 3)
    const rough = fractalNoise(random.seed(), 2)
    const rubber = colour(random.pick([0x2b2b2c, 0x2e2d2d, 0x29292b]))
    const brand = letter('RADAR EDGE')
    const size = letter('100-50 R')
    const torn = colour(0x8a8378)
    const worn = colour(0x6b6862)
    const unit = 0.00088
    const lineRadius = 0.0332
    const lostBlock = random.integer(0, BLOCKS - 1)
    return (x, y, surfel) => {
      const radius = length(x, y)
      const angle = Math.atan2(y, x)
      const place = (angle / (2 * Math.PI) + 0.5) * BLOCKS
      const phase = Math.abs(place - Math.floor(place) - 0.5) * 2
      const block = smoothstep(0.8, 0.68, phase)
      const lost = flaw === 'missing-piece' && Math.floor(place) === lostBlock
      const tread = lost ? 0 : block
      const limit = OUTER - 0.0022 * (1 - tread)
      if (radius > limit || radius < INNER) return false
      const middle = (OUTER + INNER) / 2
      const half = (OUTER - INNER) / 2
      const across = (radius - middle) / half
      let height = 0.0085 + 0.0125 * (1 - Math.abs(across) ** 3.2) ** 0.5
      const shoulder = smoothstep(0.0418, 0.0428, radius)
      height += shoulder * (0.0016 * tread - 0.0014)
      // The bead that sits on the rim.
      height += 0.0012 * smoothstep(0.0012, 0.0004, Math.abs(radius - 0.0272))
      height += 0.0006 * smoothstep(0.0006, 0.0002, Math.abs(radius - 0.0395))
      const climb = (radius - lineRadius) / unit
      const arcUp = (wrap(angle + Math.PI / 2) * lineRadius) / unit + brand.widthUnits / 2
      const arcDown = (-wrap(angle - Math.PI / 2) * lineRadius) / unit + size.widthUnits / 2
      const raised = Math.max(brand.inkAt(arcUp, 3.5 - climb), size.inkAt(arcDown, 3.5 + climb))
      surfel.heightMetres = height + 0.0005 * raised
      surfel.detailMetres = 0.00004 * rough(x * 1100, y * 1100)
      lay(surfel, rubber, 1)
      lay(surfel, worn, 0.25 * raised + 0.07 * (1 + bloom(x * 90, y * 90)))
      if (lost && shoulder > 0.5 && block > 0.5) lay(surfel, torn, 0.8)
      shadeBy(surfel, 1 + 0.1 * rough(x * 400, y * 400))
      surfel.roughness = 0.55
      return true
    }
  },
}

const wrap = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI))
