/** A planed softwood board with grain and a knot or two. */
import type { Category } from '../category.ts'
import { fractalNoise } from '../noise.ts'
import { bell, length, roundedBox, roundedEdge, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const TOP = 0.018

export const plank: Category = {
  name: 'plank',
  radiusMetres: 0.06,
  fieldMetres: 0.132,
  turnDegrees: 8,
  mat: 'dark-mat',
  core: colour(0xe9cf9d),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'warp', 'hole', 'scratch', 'crack', 'chipped'],
  make(random) {
    const warpOfGrain = fractalNoise(random.seed(), 3)
    const pores = fractalNoise(random.seed(), 2)
    const pale = colour(random.pick([0xdcb67c, 0xd8b076, 0xe0bd86]))
    const late = colour(0xa06a34)
    const knotCore = colour(0x5f3516)
    const offset = random.between(0, 1)
    const slant = random.between(-0.06, 0.06)
    const knots = Array.from({ length: random.integer(0, 2) }, () => ({
      x: random.between(-0.04, 0.04),
      y: random.between(-0.02, 0.02),
      size: random.between(0.002, 0.0035),
    }))
    return (x, y, surfel) => {
      const outline = roundedBox(x, y, { halfWidth: 0.052, halfHeight: 0.029, corner: 0.0015 })
      if (outline > 0) return false
      let across = y + slant * x + 0.0035 * warpOfGrain(x * 14, y * 30)
      let knotShare = 0
      for (const knot of knots) {
        const dx = (x - knot.x) * 0.7
        const dy = y - knot.y
        const away = length(dx, dy)
        // Grain bends round a knot.
        across += Math.sign(dy || 1) * knot.size * 1.3 * bell(away, knot.size * 1.8)
        knotShare = Math.max(knotShare, smoothstep(knot.size * 1.15, knot.size * 0.8, away))
      }
      const ring = across * 210 + offset
      const phase = ring - Math.floor(ring)
      // Late wood darkens slowly and ends at once.
      const lateWood = phase * phase * phase * smoothstep(1, 0.93, phase)
      const fibre = pores(x * 90, y * 1900)
      lay(surfel, pale, 1)
      lay(surfel, late, 0.75 * lateWood + 0.06 * (1 + fibre))
      lay(surfel, knotCore, 0.85 * knotShare)
      shadeBy(surfel, 1 + 0.07 * fibre)
      surfel.heightMetres = TOP - roundedEdge(-outline, 0.0012) + 0.00008 * lateWood
      surfel.detailMetres = 0.00004 * fibre
      surfel.roughness = 0.7
      return true
    }
  },
}
