/** A lacquered tin lid with a printed label: fluted rim, pressed ring, fruit and lettering. */
import type { Category } from '../category.ts'
import { letter } from '../glyphs.ts'
import { valueNoise } from '../noise.ts'
import { length, roundedEdge, segment, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const RADIUS = 0.0345
const TOP = 0.0135

export const jarLid: Category = {
  name: 'jar-lid',
  radiusMetres: 0.0355,
  fieldMetres: 0.09,
  turnDegrees: 180,
  mat: 'grey-table',
  core: colour(0xd2d3d2),
  defects: ['misprint', 'stain', 'discolouration', 'dent', 'bump', 'scratch', 'foreign-body', 'hole'],
  make(random, flaw) {
    const lacquer = colour(random.pick([0xf1ead6, 0xefe7d0, 0xf3eddc]))
    const ink = colour(0x8d1430)
    const fruit = colour(0xc4182c)
    const leaf = colour(0x3c7d2c)
    const gold = colour(0xc79a3b)
    const seedGold = colour(0xf2cf6b)
    const dust = valueNoise(random.seed())
    const upper = letter('STRAWBERRY')
    const lower = letter('NET 340 G')
    // The printing press runs a little out of register on every lid.
    const offsetX = 0.0003 * random.normal()
    const offsetY = 0.0003 * random.normal()
    const fault = random.pick(['no text', 'no fruit', 'shifted'] as const)
    const shifted = flaw === 'misprint' && fault === 'shifted'
    const inksText = flaw !== 'misprint' || fault !== 'no text'
    const inksFruit = flaw !== 'misprint' || fault !== 'no fruit'
    const unit = 0.00072
    const textRadius = 0.0212
    return (x, y, surfel) => {
      const radius = length(x, y)
      const angle = Math.atan2(y, x)
      const flutes = 0.00055 * Math.cos(angle * 60)
      if (radius > RADIUS + flutes * smoothstep(0.03, RADIUS, radius)) return false
      let height = TOP - roundedEdge(RADIUS + flutes - radius, 0.0035)
      height -= 0.0011 * smoothstep(0.0282, 0.0272, radius)
      height += 0.0009 * smoothstep(0.0148, 0.0136, radius)
      surfel.heightMetres = height
      lay(surfel, lacquer, 1)
      lay(surfel, gold, smoothstep(0.0288, 0.0292, radius))
      surfel.metalness = 0.75 * smoothstep(0.0288, 0.0292, radius)
      surfel.roughness = 0.33
      const printX = x - offsetX - (shifted ? 0.0034 : 0)
      const printY = y - offsetY - (shifted ? 0.0022 : 0)
      const printRadius = length(printX, printY)
      const printAngle = Math.atan2(printY, printX)
      lay(surfel, ink, 0.95 * smoothstep(0.00045, 0.0003, Math.abs(printRadius - 0.0262)))
      lay(surfel, ink, 0.95 * smoothstep(0.0004, 0.00025, Math.abs(printRadius - 0.0162)))
      if (inksText && printRadius > 0.0165 && printRadius < 0.026) {
        const arcUp = (wrap(printAngle + Math.PI / 2) * textRadius) / unit + upper.widthUnits / 2
        const arcDown = (-wrap(printAngle - Math.PI / 2) * textRadius) / unit + lower.widthUnits / 2
        const climb = (printRadius - textRadius) / unit
        const inked = Math.max(upper.inkAt(arcUp, 3.5 - climb), lower.inkAt(arcDown, 3.5 + climb))
        lay(surfel, ink, 0.95 * inked)
      }
      if (inksFruit && printRadius < 0.016) paintStrawberry(printX / 0.0105, printY / 0.0105)
      shadeBy(surfel, 1 + 0.02 * dust(x * 900, y * 900))
      return true

      function paintStrawberry(u: number, v: number): void {
        // A heart that narrows downwards, with seeds in a diamond grid and five leaves on top.
        const width = 0.82 * Math.sqrt(Math.max(0, 1 - ((v + 0.1) / 1.05) ** 2)) * (1 - 0.33 * v)
        const body = width > 0 ? smoothstep(0.05, -0.03, Math.abs(u) - width) : 0
        lay(surfel, fruit, body)
        const row = Math.round((v + 0.1) / 0.24)
        const seedX = u / 0.3 + (row & 1) * 0.5
        const seed = length((seedX - Math.round(seedX)) * 0.3, (v + 0.1 - row * 0.24) * 0.7)
        lay(surfel, seedGold, body * smoothstep(0.06, 0.035, seed))
        for (const [tipX, tipY] of LEAVES) {
          const away = segment(u, v, [0, -0.92, tipX, tipY])
          lay(surfel, leaf, smoothstep(0.15, 0.11, away))
        }
      }
    }
  },
}

const LEAVES = [
  [-0.62, -0.72],
  [-0.33, -0.55],
  [0.02, -0.5],
  [0.35, -0.55],
  [0.62, -0.74],
  [0.08, -1.28],
] as const

const wrap = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI))
