/** What the part lies on. */
import { valueNoise } from './noise.ts'
import type { Random } from '../random.ts'
import { colour, lay, shadeBy, type Surfel } from './surfel.ts'

export type MatKind = 'dark-mat' | 'grey-table' | 'blue-mat' | 'green-mat' | 'light-table'

const colours = {
  'dark-mat': colour(0x2e3033),
  'grey-table': colour(0x8b8d8f),
  'blue-mat': colour(0x35587a),
  'green-mat': colour(0x2f6650),
  'light-table': colour(0xb9b7b0),
} as const

/** Paints the mat at (x, y) metres on the plane. A little uneven, never above half a millimetre. */
export function makeMat(kind: MatKind, random: Random): (x: number, y: number, surfel: Surfel) => void {
  const ground = colours[kind]
  const cloud = valueNoise(random.seed())
  const grit = valueNoise(random.seed())
  const wear = random.between(0.03, 0.08)
  return (x, y, surfel) => {
    const grain = grit(x * 1400, y * 1400)
    surfel.heightMetres = 0.0001 + 0.00006 * grain
    surfel.detailMetres = 0.00008 * grain
    surfel.roughness = 0.9
    surfel.metalness = 0
    lay(surfel, ground, 1)
    shadeBy(surfel, 1 + wear * cloud(x * 45, y * 45) + 0.07 * grain)
  }
}
