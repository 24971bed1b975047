/** A ripe tomato with its calyx, seen from the stem. */
import type { Category } from '../category.ts'
import { fractalNoise } from '../noise.ts'
import { clamp, length, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const RADIUS = 0.031

export const tomato: Category = {
  name: 'tomato',
  radiusMetres: 0.0345,
  fieldMetres: 0.088,
  turnDegrees: 180,
  mat: 'light-table',
  core: colour(0xdc7a56),
  defects: ['stain', 'discolouration', 'dent', 'bump', 'hole', 'crack', 'scratch'],
  make(random) {
    const skin = fractalNoise(random.seed(), 3)
    const blush = fractalNoise(random.seed(), 2)
    const vein = fractalNoise(random.seed(), 2)
    const ripe = colour(random.pick([0xc9211a, 0xc42a1c, 0xcd1d1a]))
    const young = colour(0xd8742a)
    const green = colour(0x4d7a2c)
    const greenDark = colour(0x2f5420)
    const cut = colour(0xa8a55e)
    const lobes = random.integer(4, 6)
    const lobeTurn = random.between(0, 6.28)
    const lobeDepth = random.between(0.012, 0.03)
    const squash = random.between(0.74, 0.8)
    const sepals = Array.from({ length: 5 }, (_, index) => ({
      angle: (index * 2 * Math.PI) / 5 + random.between(-0.18, 0.18),
      length: RADIUS * random.between(0.52, 0.66),
      width: random.between(0.0026, 0.0034),
      bend: random.between(-90, 90),
    }))
    const stemTurn = random.between(0, 6.28)
    return (x, y, surfel) => {
      const radius = length(x, y)
      const angle = Math.atan2(y, x)
      const outline =
        RADIUS * (1 + lobeDepth * Math.cos(lobes * angle + lobeTurn) + 0.018 * blush(x * 30, y * 30))
      if (radius > outline) return false
      const from = radius / outline
      const crease = 1 - smoothstep(0, 0.75, from)
      let height = RADIUS * squash * (0.96 + Math.sqrt(1 - from * from))
      // The shoulders rise round the stem's hollow and carry the lobes' creases.
      height -= 0.0065 * Math.exp(-((from / 0.3) ** 2)) * (1 + 0.25 * Math.cos(lobes * angle + lobeTurn))
      height += 0.0007 * crease * Math.cos(lobes * angle + lobeTurn)
      lay(surfel, ripe, 1)
      lay(surfel, young, clamp(0.5 * smoothstep(0.55, 0.12, from) + 0.14 * blush(x * 60, y * 60), 0, 1))
      shadeBy(surfel, 1 + 0.05 * skin(x * 300, y * 300))
      surfel.roughness = 0.24
      surfel.detailMetres = 0.00002 * skin(x * 500, y * 500)
      for (const sepal of sepals) {
        if (radius > sepal.length) continue
        const bent = angle - sepal.angle - sepal.bend * radius * from
        const turn = bent - 2 * Math.PI * Math.round(bent / (2 * Math.PI))
        if (Math.abs(turn) > Math.PI / 2) continue
        const along = radius * Math.cos(turn)
        const aside = Math.abs(radius * Math.sin(turn))
        const half = sepal.width * (1 - along / sepal.length) ** 0.6
        const leaf = smoothstep(half, half - 0.0006, aside)
        if (leaf === 0) continue
        lay(surfel, green, leaf)
        lay(
          surfel,
          greenDark,
          leaf * (0.35 * smoothstep(0.0006, 0.0001, aside) + 0.25 * (1 + vein(x * 500, y * 500))),
        )
        height += leaf * (0.001 + 0.001 * (1 - aside / half))
        surfel.roughness = 0.24 + 0.5 * leaf
      }
      const stem = length(x - 0.0008 * Math.cos(stemTurn), y - 0.0008 * Math.sin(stemTurn))
      if (stem < 0.0034) {
        const peg = smoothstep(0.0034, 0.0024, stem)
        lay(surfel, stem < 0.0017 ? cut : greenDark, peg)
        height += 0.0045 * peg
        surfel.roughness = 0.8
      }
      surfel.heightMetres = height
      return true
    }
  },
}
