/** A chocolate chip cookie. */
import type { Category } from '../category.ts'
import { fractalNoise } from '../noise.ts'
import { bell, clamp, length, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const RADIUS = 0.036

export const cookie: Category = {
  name: 'cookie',
  radiusMetres: 0.04,
  fieldMetres: 0.1,
  turnDegrees: 180,
  mat: 'light-table',
  core: colour(0xe2b878),
  defects: ['stain', 'discolouration', 'dent', 'warp', 'hole', 'crack', 'chipped', 'foreign-body'],
  make(random) {
    const rim = fractalNoise(random.seed(), 2)
    const lumps = fractalNoise(random.seed(), 4)
    const furrows = fractalNoise(random.seed(), 3)
    const crumb = fractalNoise(random.seed(), 3)
    const dough = colour(random.pick([0xc98e4b, 0xc48744, 0xce9653]))
    const crust = colour(0x8a4f1f)
    const chocolate = colour(0x2f1a10)
    const rise = random.between(0.0115, 0.0135)
    const chips = Array.from({ length: random.integer(11, 15) }, (_, index) => {
      const angle = index * 2.399963 + random.between(-0.45, 0.45)
      const away = RADIUS * 0.86 * Math.sqrt((index + 0.6) / 15)
      return {
        x: away * Math.cos(angle),
        y: away * Math.sin(angle),
        size: random.between(0.0032, 0.0047),
        lift: random.between(0.0008, 0.0022),
        lean: random.between(0, Math.PI),
      }
    })
    return (x, y, surfel) => {
      const radius = length(x, y)
      const edge = RADIUS * (1 + 0.045 * rim((x / RADIUS) * 1.7, (y / RADIUS) * 1.7))
      if (radius > edge) return false
      const from = radius / edge
      const furrow = smoothstep(0.09, 0, Math.abs(furrows(x * 85, y * 85))) * smoothstep(1, 0.6, from)
      let height = 0.0025 + rise * Math.sqrt(1 - from ** 4)
      height += 0.0007 * lumps(x * 240, y * 240) - 0.0009 * furrow
      lay(surfel, dough, 1)
      lay(surfel, crust, clamp(0.75 * smoothstep(0.62, 1, from) + 0.16 * lumps(x * 130, y * 130), 0, 1))
      shadeBy(surfel, 1 + 0.14 * crumb(x * 900, y * 900) - 0.3 * furrow)
      surfel.detailMetres = 0.00012 * crumb(x * 800, y * 800)
      surfel.roughness = 0.75
      for (const chip of chips) {
        const dx = x - chip.x
        const dy = y - chip.y
        if (dx * dx + dy * dy > 0.00006) continue
        const along = dx * Math.cos(chip.lean) + dy * Math.sin(chip.lean)
        const aside = dy * Math.cos(chip.lean) - dx * Math.sin(chip.lean)
        const away = length(along, aside * 1.25) + 0.0004 * lumps(x * 500, y * 500)
        const share = smoothstep(chip.size * 1.06, chip.size * 0.9, away)
        if (share === 0) continue
        lay(surfel, chocolate, share)
        height += share * chip.lift * (0.4 + bell(away, chip.size * 0.6))
        surfel.roughness = 0.42
        surfel.detailMetres *= 0.4
      }
      surfel.heightMetres = height
      return true
    }
  },
}
