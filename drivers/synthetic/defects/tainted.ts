/** Defects of colour: every height stays as it was. */
import {
  around,
  blend,
  blob,
  extentOf,
  groundColour,
  luminance,
  placeInside,
  type Damageable,
  type Place,
} from '../damage-site.ts'
import { valueNoise } from '../noise.ts'
import type { Random } from '../../random.ts'
import { mix, smoothstep } from '../shapes.ts'
import { colour, type Colour } from '../surfel.ts'

const SPILLS = [0x1c1a17, 0x7a3b12, 0x1f4f8a, 0xd8d2bf, 0x2f6b2e, 0x8a1f2d] as const

/** The spill that differs most from the ground among a few picked at random: a stain must be seen. */
function contrastingSpill(ground: Colour, random: Random): Colour {
  const candidates = [random.pick(SPILLS), random.pick(SPILLS), random.pick(SPILLS)].map(colour)
  const contrast = (spill: Colour): number =>
    spill.reduce((sum, part, channel) => sum + Math.abs(Math.sqrt(part) - Math.sqrt(ground[channel]!)), 0)
  return candidates.reduce((best, spill) => (contrast(spill) > contrast(best) ? spill : best))
}

/** Dirt, oil or paint: a blot and a few drops beside it. */
export function stain({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.02, 0.055)) / Math.PI)
  const place = placeInside(relief, extent, { random, radius: radius * 0.8 })
  const spill = contrastingSpill(groundColour(relief, { ...place, reach: radius }), random)
  const opacity = random.between(0.7, 0.92)
  const cloud = valueNoise(random.seed())
  const drop = (at: Place, size: number): void => {
    const rim = blob(random, size, 0.45)
    around(relief, { ...at, reach: size * 2 }, (index, dx, dy) => {
      const share = smoothstep(1.08, 0.86, rim(dx, dy))
      if (share === 0) return
      const uneven = 0.88 + 0.12 * cloud((dx / size) * 3, (dy / size) * 3)
      blend(relief, index, [spill, opacity * share * uneven])
      relief.metalness[index] = relief.metalness[index]! * (1 - 0.9 * share)
      relief.roughness[index] = mix(relief.roughness[index]!, 0.5, share)
    })
  }
  drop(place, radius)
  for (let splash = random.integer(1, 4); splash > 0; splash--) {
    const angle = random.between(0, 2 * Math.PI)
    const away = radius * random.between(1.2, 1.9)
    drop(
      { x: place.x + away * Math.cos(angle), y: place.y + away * Math.sin(angle) },
      radius * random.between(0.1, 0.25),
    )
  }
}

/** Heat, rot or fading: a broad tint without a rim. */
export function discolour({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.05, 0.1)) / Math.PI)
  const place = placeInside(relief, extent, { random, radius: radius * 0.7 })
  const bright = luminance(groundColour(relief, { ...place, reach: radius })) > 0.06
  const tint: Colour = bright
    ? random.pick([colour(0x3a2312), colour(0x4a2f14), colour(0x2b2440)])
    : random.pick([colour(0xb8b2a6), colour(0xc9b48a)])
  const strength = random.between(0.6, 0.8)
  const rim = blob(random, radius, 0.25)
  around(relief, { ...place, reach: radius * 2.4 }, (index, dx, dy) => {
    const share = strength * smoothstep(1.5, 0.45, rim(dx, dy))
    blend(relief, index, [tint, share])
    relief.roughness[index] = mix(relief.roughness[index]!, 0.6, share)
  })
}
