/** A flat coil of three-strand sisal rope. */
import type { Category } from '../category.ts'
import { fractalNoise } from '../noise.ts'
import { clamp, length, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const PITCH = 0.0096
const TURNS = 4.35
const THICKNESS = 0.0101

export const rope: Category = {
  name: 'rope',
  radiusMetres: 0.049,
  fieldMetres: 0.124,
  turnDegrees: 180,
  mat: 'dark-mat',
  core: colour(0xdcc08c),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'warp', 'scratch', 'chipped', 'foreign-body'],
  make(random) {
    const fibre = fractalNoise(random.seed(), 2)
    const tone = fractalNoise(random.seed(), 2)
    const slack = fractalNoise(random.seed(), 2)
    const sisal = colour(random.pick([0xc7a368, 0xc29d61, 0xcca972]))
    const shade = colour(0x6d4a22)
    const start = random.between(0, 1)
    const lay0 = random.between(0, 1)
    return (x, y, surfel) => {
      const radius = length(x, y) + 0.0004 * slack(x * 45, y * 45)
      const turn = Math.atan2(y, x) / (2 * Math.PI) + 0.5
      // Archimedes' spiral: the rope's middle runs at (turns + 0.5) pitches from the centre.
      const winding = clamp(Math.round(radius / PITCH - turn - 0.5), -1, 9)
      let turns = winding + turn
      if (turns < 0 || turns > TURNS) turns = clamp(turns, 0, TURNS)
      const isTip = winding + turn !== turns
      const aside = radius - (turns + 0.5) * PITCH
      const beyond = isTip ? (winding + turn - turns) * 2 * Math.PI * radius : 0
      const across = length(aside, beyond) / (THICKNESS / 2)
      if (across > 1) return false
      const along = Math.PI * PITCH * turns * (turns + 1) + start
      // Strands run round the rope: the angle round its axis adds to the phase along it.
      const around = Math.asin(clamp(aside / (THICKNESS / 2), -1, 1))
      const phase = along / 0.0098 + (around * 0.95) / Math.PI + lay0
      const strand = Math.abs(phase - Math.floor(phase) - 0.5) * 2
      const groove = smoothstep(0.62, 1, strand)
      const arch = Math.sqrt(Math.max(0, 1 - across * across))
      const thread = fibre(phase * 11, along * 160 + aside * 900)
      surfel.heightMetres = 0.0012 + THICKNESS * (0.45 + 0.5 * arch) - 0.0013 * groove
      surfel.detailMetres = 0.0001 * thread
      lay(surfel, sisal, 1)
      shadeBy(surfel, 1 + 0.17 * thread + 0.1 * tone(along * 60, phase))
      lay(surfel, shade, 0.62 * groove + 0.25 * smoothstep(0.75, 1, across))
      surfel.roughness = 0.9
      return true
    }
  },
}
