/** Defects that both sensors see: the surface is cut, pierced, broken or covered. */
import {
  around,
  blend,
  blob,
  extentOf,
  groundColour,
  luminance,
  placeInside,
  placeOnEdge,
  texelAt,
  type Damageable,
  type Place,
} from '../damage-site.ts'
import { fractalNoise, valueNoise } from '../noise.ts'
import type { Random } from '../../random.ts'
import type { Relief } from '../relief.ts'
import { length, mix, segment, smoothstep } from '../shapes.ts'
import { colour, type Colour } from '../surfel.ts'

/** A hole down to the mat. */
export function pierce({ relief, core }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.006, 0.014)) / Math.PI)
  const place = placeInside(relief, extent, { random, radius: radius * 1.4 })
  const rim = blob(random, radius, 0.1)
  const dark: Colour = [core[0] * 0.12, core[1] * 0.12, core[2] * 0.12]
  around(relief, { ...place, reach: radius * 1.8 }, (index, dx, dy) => {
    const share = smoothstep(1.05, 0.93, rim(dx, dy))
    if (share === 0) return
    relief.heightMetres[index] = mix(relief.heightMetres[index]!, 0.0004, share)
    blend(relief, index, [dark, share])
    relief.metalness[index] = relief.metalness[index]! * (1 - share)
    relief.roughness[index] = mix(relief.roughness[index]!, 0.9, share)
  })
}

type Stroke = readonly [x0: number, y0: number, x1: number, y1: number]

/** A wandering line of short strokes. */
function wander(
  from: Place,
  options: { random: Random; heading: number; length: number; unrest: number },
): Stroke[] {
  const { random } = options
  const strokes: Stroke[] = []
  const pace = options.length / 10
  let { x, y } = from
  let heading = options.heading
  for (let step = 0; step < 10; step++) {
    const nextX = x + pace * Math.cos(heading)
    const nextY = y + pace * Math.sin(heading)
    strokes.push([x, y, nextX, nextY])
    x = nextX
    y = nextY
    heading += options.unrest * random.normal()
  }
  return strokes
}

/** Carves strokes into the surface and shows `colour` on their ground. */
function carve(
  relief: Relief,
  strokes: readonly Stroke[],
  cut: { halfWidth: number; depth: number; colour: Colour; opacity: number },
): void {
  const nearest = new Map<number, number>()
  for (const stroke of strokes) {
    const [x0, y0, x1, y1] = stroke
    const place = { x: (x0 + x1) / 2, y: (y0 + y1) / 2 }
    const reach = length(x1 - x0, y1 - y0) / 2 + cut.halfWidth * 1.5 + relief.texelMetres
    around(relief, { ...place, reach }, (index, dx, dy) => {
      const distance = segment(place.x + dx, place.y + dy, stroke)
      if (distance < (nearest.get(index) ?? Infinity)) nearest.set(index, distance)
    })
  }
  for (const [index, distance] of nearest) {
    const share = smoothstep(cut.halfWidth * 1.3, cut.halfWidth * 0.5, distance)
    relief.heightMetres[index] = Math.max(relief.heightMetres[index]! - cut.depth * share, 0.0004)
    blend(relief, index, [cut.colour, cut.opacity * share])
  }
}

/** A tool's or a rock's track: nearly straight, a millimetre deep, the core shows. */
export function scratch({ relief, core }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const run = extent.radiusMetres * random.between(0.65, 1)
  const heading = random.between(0, 2 * Math.PI)
  const middle = placeInside(relief, extent, { random, radius: run * 0.4 })
  const start = {
    x: middle.x - (run / 2) * Math.cos(heading),
    y: middle.y - (run / 2) * Math.sin(heading),
  }
  const strokes = wander(start, { random, heading, length: run, unrest: 0.06 })
  const ground = groundColour(relief, { ...middle, reach: run * 0.4 })
  const similar = Math.abs(Math.sqrt(luminance(ground)) - Math.sqrt(luminance(core))) < 0.15
  const shown: Colour = similar ? [core[0] * 0.3, core[1] * 0.3, core[2] * 0.3] : core
  const halfWidth = Math.max(extent.radiusMetres * random.between(0.018, 0.028), relief.texelMetres)
  carve(relief, strokes, { halfWidth, depth: random.between(0.0009, 0.0016), colour: shown, opacity: 0.85 })
}

/** A forked crack that starts at the edge. */
export function crack({ relief, core }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const edge = placeOnEdge(relief, extent, random)
  const inwards = Math.atan2(extent.y - edge.y, extent.x - edge.x) + random.between(-0.4, 0.4)
  const run = extent.radiusMetres * random.between(0.7, 1.05)
  const trunk = wander(edge, { random, heading: inwards, length: run, unrest: 0.3 })
  const [forkX, forkY] = trunk[random.integer(4, 6)]!
  const branch = wander(
    { x: forkX, y: forkY },
    {
      random,
      heading: inwards + random.pick([-0.7, 0.7]),
      length: run * 0.45,
      unrest: 0.3,
    },
  )
  const halfWidth = Math.max(extent.radiusMetres * random.between(0.011, 0.018), relief.texelMetres * 0.8)
  const dark: Colour = [core[0] * 0.08, core[1] * 0.08, core[2] * 0.08]
  carve(relief, [...trunk, ...branch], {
    halfWidth,
    depth: random.between(0.002, 0.004),
    colour: dark,
    opacity: 0.9,
  })
}

/** A piece has broken off the edge. */
export function chip({ relief, core, bare }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.03, 0.06)) / Math.PI)
  const edge = placeOnEdge(relief, extent, random)
  const rim = blob(random, radius, 0.3)
  const grain = fractalNoise(random.seed(), 3)
  around(relief, { ...edge, reach: radius * 2 }, (index, dx, dy) => {
    const inside = 1 - rim(dx, dy)
    if (inside <= 0) return
    const broken = relief.heightMetres[index]! * (1 - inside * 3.2) + 0.0008 * grain(dx * 700, dy * 700)
    if (broken < 0.001) {
      bare(index)
      return
    }
    relief.heightMetres[index] = Math.min(relief.heightMetres[index]!, broken)
    const uneven = 0.85 + 0.15 * grain(dx * 500, dy * 500)
    blend(relief, index, [
      [core[0] * uneven, core[1] * uneven, core[2] * uneven],
      smoothstep(0, 0.06, inside),
    ])
    relief.roughness[index] = 0.8
  })
}

/** Something that does not belong there: a pebble, a crumb of plastic or a piece of wire. */
export function litter({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const size = extent.radiusMetres * random.between(0.085, 0.13)
  const place = placeInside(relief, extent, { random, radius: size })
  const body = random.pick([
    { tint: colour(0x8c867a), rise: 0.75, long: 1, metal: 0 },
    { tint: colour(0x2b6fc4), rise: 0.6, long: 1, metal: 0 },
    { tint: colour(0x23211f), rise: 0.45, long: 2.6, metal: 0 },
    { tint: colour(0xc9c6bf), rise: 0.4, long: 2.8, metal: 1 },
  ])
  const half = body.long > 1 ? size * body.long : 0
  const thick = body.long > 1 ? size * 0.38 : size
  const heading = random.between(0, Math.PI)
  const axis: Stroke = [
    -half * Math.cos(heading),
    -half * Math.sin(heading),
    half * Math.cos(heading) + 1e-6,
    half * Math.sin(heading),
  ]
  const ground = relief.heightMetres[texelAt(relief, place.x, place.y)]!
  const lumps = valueNoise(random.seed())
  around(relief, { ...place, reach: half + thick * 1.5 }, (index, dx, dy) => {
    const lump = 1 + 0.22 * lumps((dx / thick) * 1.2, (dy / thick) * 1.2)
    const across = segment(dx, dy, axis) / (thick * lump)
    if (across >= 1) return
    const height = ground + thick * (0.25 + body.rise * Math.sqrt(1 - across * across))
    relief.heightMetres[index] = Math.max(relief.heightMetres[index]!, height)
    relief.detailMetres[index] = 0
    blend(relief, index, [body.tint, 1])
    relief.metalness[index] = body.metal
    relief.roughness[index] = 0.4
  })
}
