/** A milled spur gear with hub, keyed bore and lightening holes. */
import type { Category } from '../category.ts'
import { fractalNoise, valueNoise } from '../noise.ts'
import { box, length, roundedEdge, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const TEETH = 24
const OUTER = 0.042
const ROOT = 0.0365

/** Outline radius at an angle: straight flanks, narrower at the tip, as a cutter leaves them. */
function toothRadius(angle: number): number {
  const turn = (angle * TEETH) / (2 * Math.PI)
  const phase = Math.abs(turn - Math.floor(turn) - 0.5) * 2
  return ROOT + (OUTER - ROOT) * smoothstep(0.28, 0.68, phase)
}

export const gear: Category = {
  name: 'gear',
  radiusMetres: OUTER,
  fieldMetres: 0.108,
  turnDegrees: 180,
  mat: 'dark-mat',
  core: colour(0xe4e3df),
  defects: [
    'stain',
    'discolouration',
    'dent',
    'bump',
    'warp',
    'scratch',
    'chipped',
    'missing-piece',
    'foreign-body',
  ],
  make(random, flaw) {
    const steel = colour(random.pick([0xa9a7a2, 0xa3a29f, 0xafaca5]))
    const cloud = fractalNoise(random.seed(), 3)
    const grain = valueNoise(random.seed())
    const lostTooth = random.integer(0, TEETH - 1)
    return (x, y, surfel) => {
      const radius = length(x, y)
      const angle = Math.atan2(y, x)
      let limit = toothRadius(angle)
      const tooth = Math.floor((angle * TEETH) / (2 * Math.PI) + 0.5 + TEETH) % TEETH
      const lost = flaw === 'missing-piece' && tooth === lostTooth
      if (lost) limit = ROOT + 0.0006 * (1 + grain(angle * 300, 3))
      if (radius > limit) return false
      if (radius < 0.0075 || box(x, y - 0.0085, 0.0016, 0.0022) < 0) return false
      // Five round windows in the web.
      const fifth = (2 * Math.PI) / 5
      const turn = angle - fifth * Math.round(angle / fifth)
      const window = length(radius * Math.cos(turn) - 0.0225, radius * Math.sin(turn)) - 0.0048
      if (window < 0) return false
      let height = 0.0085
      height += 0.0055 * smoothstep(0.0295, 0.0308, radius)
      height += 0.0085 * smoothstep(0.0148, 0.0136, radius)
      height -= roundedEdge(limit - radius, 0.0007) + roundedEdge(window, 0.0005)
      height -= roundedEdge(radius - 0.0075, 0.0008)
      surfel.heightMetres = height
      lay(surfel, steel, 1)
      shadeBy(surfel, 1 + 0.07 * cloud(x * 70, y * 70))
      surfel.metalness = 1
      surfel.roughness = 0.4 + 0.08 * cloud(x * 140, y * 140)
      surfel.detailMetres = 0.00001 * grain(radius * 3600, 5 + angle * 2)
      return true
    }
  },
}
