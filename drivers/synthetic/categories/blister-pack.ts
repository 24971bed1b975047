/** A foil card of ten tablets under clear domes, in its 6 mm nest. */
import type { Category } from '../category.ts'
import { letter } from '../glyphs.ts'
import { fractalNoise, valueNoise } from '../noise.ts'
import { clamp, length, roundedBox, roundedEdge, segment, smoothstep } from '../shapes.ts'
import { colour, lay, shadeBy } from '../surfel.ts'

const PITCH = 0.0168
const NEST = 0.0062

export const blisterPack: Category = {
  name: 'blister-pack',
  radiusMetres: 0.053,
  fieldMetres: 0.116,
  turnDegrees: 10,
  mat: 'blue-mat',
  core: colour(0x9c9a94),
  defects: [
    'missing-piece',
    'stain',
    'discolouration',
    'misprint',
    'dent',
    'warp',
    'scratch',
    'hole',
    'foreign-body',
  ],
  make(random, flaw) {
    const creases = fractalNoise(random.seed(), 3)
    const chalk = valueNoise(random.seed())
    const foil = colour(0xc9cbcc)
    const card = colour(0xdfe2e4)
    const tablet = colour(random.pick([0xf3efe6, 0xf1ece2, 0xf4f1ea]))
    const print = colour(0x1f4e8c)
    const edge = colour(0xb5aea0)
    const seam = colour(0x8c9298)
    const torn = colour(0x7d8084)
    const brand = letter('VITAMIN D3')
    const scores = Array.from({ length: 10 }, () => {
      const turn = random.between(0, Math.PI)
      return { turn, x: 0.0005 * random.normal(), y: 0.0005 * random.normal() }
    })
    const lost = random.integer(0, 9)
    return (x, y, surfel) => {
      const outline = roundedBox(x, y, { halfWidth: 0.0455, halfHeight: 0.0255, corner: 0.004 })
      if (outline > 0) return false
      const column = clamp(Math.round(x / PITCH), -2, 2)
      const row = y < 0 ? 0 : 1
      const dx = x - column * PITCH
      const dy = y - (row - 0.5) * 0.0222
      const radius = length(dx, dy)
      let height = NEST + 0.0006 - roundedEdge(-outline, 0.0004) + 0.00012 * creases(x * 130, y * 130)
      const knurl = Math.sin((x + y) * 3400) * Math.sin((x - y) * 3400)
      surfel.detailMetres = 0.00003 * knurl + 0.00006 * creases(x * 260, y * 260)
      lay(surfel, foil, 1)
      lay(surfel, card, smoothstep(-0.0022, -0.0016, outline))
      surfel.metalness = 0.8
      surfel.roughness = 0.42
      const dome = smoothstep(0.0076, 0.0066, radius)
      if (dome > 0) {
        const pocket = row * 5 + column + 2
        const seat = scores[pocket]!
        const empty = flaw === 'missing-piece' && pocket === lost
        const arch = Math.sqrt(Math.max(0, 1 - (radius / 0.0086) ** 2))
        // A burst dome lies crumpled on the foil; a full one stands over its tablet.
        height += empty ? 0.0007 * (1 + creases(x * 900, y * 900)) * dome : dome * (0.0022 + 0.0042 * arch)
        surfel.metalness = 0.8 * (1 - dome) + (empty ? 0.35 : 0) * dome
        surfel.roughness = empty ? 0.4 : 0.2
        surfel.detailMetres *= 1 - dome
        if (empty) lay(surfel, torn, 0.6 * dome)
        else paintTablet(dx - seat.x, dy - seat.y, seat.turn)
        lay(surfel, seam, 0.5 * smoothstep(0.0006, 0.0002, Math.abs(radius - 0.0069)))
      }
      const misprinted = flaw === 'misprint'
      const inked = brand.inkAt((x + 0.0262) / 0.00072, (y + 0.0021) / 0.0006)
      if (!misprinted && dome === 0) lay(surfel, print, 0.9 * inked)
      if (!misprinted) surfel.metalness *= 1 - 0.8 * inked * (1 - dome)
      surfel.heightMetres = height
      return true

      function paintTablet(tx: number, ty: number, turn: number): void {
        const away = length(tx, ty)
        const disc = smoothstep(0.0056, 0.0052, away)
        const line = segment(tx, ty, [
          -0.004 * Math.cos(turn),
          -0.004 * Math.sin(turn),
          0.004 * Math.cos(turn),
          0.004 * Math.sin(turn),
        ])
        lay(surfel, tablet, disc)
        lay(
          surfel,
          edge,
          disc * (0.6 * smoothstep(0.0006, 0.0002, line) + 0.5 * smoothstep(0.0044, 0.0054, away)),
        )
        shadeBy(surfel, 1 + 0.03 * chalk(x * 2000, y * 2000))
        surfel.metalness *= 1 - disc
      }
    }
  },
}
