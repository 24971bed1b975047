/**
 * The kinds of defect and how each damages a relief. Sizes follow the part's own size: a careful inspector finds every
 * one of them, and none covers half of the part.
 */
import { fractalNoise, valueNoise, type Field } from './noise.ts'
import type { Random } from './random.ts'
import type { Relief } from './relief.ts'
import { bell, clamp, mix, segment, smoothstep } from './shapes.ts'
import { colour, type Colour } from './surfel.ts'

export const DEFECT_KINDS = [
  'stain',
  'discolouration',
  'misprint',
  'dent',
  'bump',
  'warp',
  'hole',
  'scratch',
  'crack',
  'chipped',
  'foreign-body',
  'missing-piece',
] as const
export type DefectKind = (typeof DEFECT_KINDS)[number]

/** Which sensor can see a defect at all: colour-only kinds leave every height as it was, shape-only kinds every colour. */
export const VISIBLE_IN: Record<DefectKind, 'rgb' | 'xyz' | 'both'> = {
  stain: 'rgb',
  discolouration: 'rgb',
  misprint: 'rgb',
  dent: 'xyz',
  bump: 'xyz',
  warp: 'xyz',
  hole: 'both',
  scratch: 'both',
  crack: 'both',
  chipped: 'both',
  'foreign-body': 'both',
  'missing-piece': 'both',
}

/** Kinds that any relief can suffer. The others are flaws that only the category can paint. */
export type Damage = Exclude<DefectKind, 'misprint' | 'missing-piece'>

export interface Damageable {
  readonly relief: Relief
  /** What the part is made of under its surface. */
  readonly core: Colour
  /** Repaints one texel as the bare mat. */
  bare(index: number): void
}

export function damage(part: Damageable, kind: Damage, random: Random): void {
  switch (kind) {
    case 'stain':
      return stain(part, random)
    case 'discolouration':
      return discolour(part, random)
    case 'dent':
      return press(part, random, -1)
    case 'bump':
      return press(part, random, 1)
    case 'warp':
      return warp(part, random)
    case 'hole':
      return pierce(part, random)
    case 'scratch':
      return scratch(part, random)
    case 'crack':
      return crack(part, random)
    case 'chipped':
      return chip(part, random)
    case 'foreign-body':
      return litter(part, random)
  }
}

/** A place on the plane, metres from the picture's centre. */
interface Place {
  readonly x: number
  readonly y: number
}

interface Extent extends Place {
  readonly areaMetres2: number
  /** Radius of the disc of the same area. */
  readonly radiusMetres: number
  /** Farthest part texel from the centre of area. */
  readonly reachMetres: number
}

function extentOf({ columns, rows, texelMetres, part }: Relief): Extent {
  let count = 0
  let sumColumn = 0
  let sumRow = 0
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (part[row * columns + column] === 0) continue
      count++
      sumColumn += column
      sumRow += row
    }
  }
  const centreColumn = sumColumn / count
  const centreRow = sumRow / count
  let reach = 0
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (part[row * columns + column] === 0) continue
      reach = Math.max(reach, (column - centreColumn) ** 2 + (row - centreRow) ** 2)
    }
  }
  const areaMetres2 = count * texelMetres * texelMetres
  return {
    x: (centreColumn - (columns - 1) / 2) * texelMetres,
    y: (centreRow - (rows - 1) / 2) * texelMetres,
    areaMetres2,
    radiusMetres: Math.sqrt(areaMetres2 / Math.PI),
    reachMetres: Math.sqrt(reach) * texelMetres,
  }
}

const texelAt = (relief: Relief, x: number, y: number): number => {
  const column = Math.round(x / relief.texelMetres + (relief.columns - 1) / 2)
  const row = Math.round(y / relief.texelMetres + (relief.rows - 1) / 2)
  return clamp(row, 0, relief.rows - 1) * relief.columns + clamp(column, 0, relief.columns - 1)
}

/** A random place around which a disc lies wholly on the part; the best of many where none does. */
function placeInside(relief: Relief, extent: Extent, options: { random: Random; radius: number }): Place {
  let best: Place = extent
  let bestInside = -1
  for (let attempt = 0; attempt < 200; attempt++) {
    const angle = options.random.between(0, 2 * Math.PI)
    const away = extent.reachMetres * Math.sqrt(options.random.between(0, 1))
    const place = { x: extent.x + away * Math.cos(angle), y: extent.y + away * Math.sin(angle) }
    let inside = 0
    for (let probe = 0; probe < 17; probe++) {
      const turn = probe * 2.399963
      const reach = options.radius * Math.sqrt(probe / 16)
      inside +=
        relief.part[texelAt(relief, place.x + reach * Math.cos(turn), place.y + reach * Math.sin(turn))]!
    }
    if (inside === 17) return place
    if (inside > bestInside) {
      bestInside = inside
      best = place
    }
  }
  return best
}

/** A random place on the part's outer edge: the last part texel of a ray from far outside. */
function placeOnEdge(relief: Relief, extent: Extent, random: Random): Place {
  const angle = random.between(0, 2 * Math.PI)
  for (let away = extent.reachMetres * 1.05; away > 0; away -= relief.texelMetres / 2) {
    const place = { x: extent.x + away * Math.cos(angle), y: extent.y + away * Math.sin(angle) }
    if (relief.part[texelAt(relief, place.x, place.y)] === 1) return place
  }
  return extent
}

/** Calls `visit` for every part texel within `reach` of a place, with its offset from it. */
function around(
  relief: Relief,
  place: Place & { reach: number },
  visit: (index: number, dx: number, dy: number) => void,
): void {
  const { columns, rows, texelMetres } = relief
  const left = Math.max(0, Math.ceil((place.x - place.reach) / texelMetres + (columns - 1) / 2))
  const right = Math.min(columns - 1, Math.floor((place.x + place.reach) / texelMetres + (columns - 1) / 2))
  const top = Math.max(0, Math.ceil((place.y - place.reach) / texelMetres + (rows - 1) / 2))
  const bottom = Math.min(rows - 1, Math.floor((place.y + place.reach) / texelMetres + (rows - 1) / 2))
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) {
      const index = row * columns + column
      if (relief.part[index] === 0) continue
      visit(
        index,
        (column - (columns - 1) / 2) * texelMetres - place.x,
        (row - (rows - 1) / 2) * texelMetres - place.y,
      )
    }
  }
}

/** A disc with a ragged rim, as share of its radius: below 1 inside. */
function blob(random: Random, radius: number, ragged: number): Field {
  const rim = fractalNoise(random.seed(), 3)
  const stretch = random.between(0.75, 1)
  const turn = random.between(0, Math.PI)
  const cos = Math.cos(turn)
  const sin = Math.sin(turn)
  return (dx, dy) => {
    const along = (dx * cos + dy * sin) * stretch
    const aside = (dy * cos - dx * sin) / stretch
    return Math.hypot(along, aside) / radius + ragged * rim((dx / radius) * 1.6, (dy / radius) * 1.6)
  }
}

function blend(
  { red, green, blue }: Relief,
  index: number,
  [[r, g, b], opacity]: readonly [Colour, number],
): void {
  red[index] = mix(red[index]!, r, opacity)
  green[index] = mix(green[index]!, g, opacity)
  blue[index] = mix(blue[index]!, b, opacity)
}

const luminance = (relief: Relief, index: number): number =>
  0.2126 * relief.red[index]! + 0.7152 * relief.green[index]! + 0.0722 * relief.blue[index]!

const SPILLS = [0x1c1a17, 0x7a3b12, 0x1f4f8a, 0xd8d2bf, 0x2f6b2e, 0x8a1f2d] as const

/** The spill that differs most from the ground among a few picked at random: a stain must be seen. */
function contrastingSpill(relief: Relief, index: number, random: Random): Colour {
  const ground = [relief.red[index]!, relief.green[index]!, relief.blue[index]!] as const
  const candidates = [random.pick(SPILLS), random.pick(SPILLS), random.pick(SPILLS)].map(colour)
  const contrast = (spill: Colour): number =>
    spill.reduce((sum, part, channel) => sum + Math.abs(Math.sqrt(part) - Math.sqrt(ground[channel]!)), 0)
  return candidates.reduce((best, spill) => (contrast(spill) > contrast(best) ? spill : best))
}

/** Dirt, oil or paint: a blot and a few drops beside it. */
function stain({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.02, 0.055)) / Math.PI)
  const place = placeInside(relief, extent, { random, radius: radius * 0.8 })
  const spill = contrastingSpill(relief, texelAt(relief, place.x, place.y), random)
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
function discolour({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const radius = Math.sqrt((extent.areaMetres2 * random.between(0.05, 0.1)) / Math.PI)
  const place = placeInside(relief, extent, { random, radius: radius * 0.7 })
  const bright = luminance(relief, texelAt(relief, place.x, place.y)) > 0.06
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

/** A smooth dent or bulge: only the light on it tells. */
function press({ relief }: Damageable, random: Random, direction: -1 | 1): void {
  const extent = extentOf(relief)
  const sigma = extent.radiusMetres * random.between(0.1, 0.15)
  const depth = direction * random.between(0.002, 0.0038)
  const place = placeInside(relief, extent, { random, radius: sigma * 1.7 })
  const shape = blob(random, sigma, 0.12)
  around(relief, { ...place, reach: sigma * 5 }, (index, dx, dy) => {
    const height = relief.heightMetres[index]! + depth * bell(shape(dx, dy), 1)
    relief.heightMetres[index] = Math.max(height, 0.0005)
  })
}

/** One side of the part is bent up. */
function warp({ relief }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const angle = random.between(0, 2 * Math.PI)
  const cos = Math.cos(angle)
  const sin = Math.sin(angle)
  const hinge = extent.reachMetres * random.between(0.2, 0.4)
  const lift = random.between(0.004, 0.0065)
  const span = extent.reachMetres - hinge
  around(relief, { ...extent, reach: extent.reachMetres * 1.5 }, (index, dx, dy) => {
    const beyond = (dx * cos + dy * sin - hinge) / span
    if (beyond > 0)
      relief.heightMetres[index] = relief.heightMetres[index]! + lift * beyond * beyond * (1.6 - 0.6 * beyond)
  })
}

/** A hole down to the mat. */
function pierce({ relief, core }: Damageable, random: Random): void {
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
    const reach = Math.hypot(x1 - x0, y1 - y0) / 2 + cut.halfWidth * 1.5 + relief.texelMetres
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
function scratch({ relief, core }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const length = extent.radiusMetres * random.between(0.65, 1)
  const heading = random.between(0, 2 * Math.PI)
  const middle = placeInside(relief, extent, { random, radius: length * 0.4 })
  const start = {
    x: middle.x - (length / 2) * Math.cos(heading),
    y: middle.y - (length / 2) * Math.sin(heading),
  }
  const strokes = wander(start, { random, heading, length, unrest: 0.06 })
  const ground = texelAt(relief, middle.x, middle.y)
  const similar =
    Math.abs(Math.sqrt(luminance(relief, ground)) - Math.sqrt(0.7 * core[1] + 0.3 * core[0])) < 0.15
  const shown: Colour = similar ? [core[0] * 0.3, core[1] * 0.3, core[2] * 0.3] : core
  const halfWidth = Math.max(extent.radiusMetres * random.between(0.018, 0.028), relief.texelMetres)
  carve(relief, strokes, { halfWidth, depth: random.between(0.0009, 0.0016), colour: shown, opacity: 0.85 })
}

/** A forked crack that starts at the edge. */
function crack({ relief, core }: Damageable, random: Random): void {
  const extent = extentOf(relief)
  const edge = placeOnEdge(relief, extent, random)
  const inwards = Math.atan2(extent.y - edge.y, extent.x - edge.x) + random.between(-0.4, 0.4)
  const length = extent.radiusMetres * random.between(0.7, 1.05)
  const trunk = wander(edge, { random, heading: inwards, length, unrest: 0.3 })
  const [forkX, forkY] = trunk[random.integer(4, 6)]!
  const branch = wander(
    { x: forkX, y: forkY },
    {
      random,
      heading: inwards + random.pick([-0.7, 0.7]),
      length: length * 0.45,
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
function chip({ relief, core, bare }: Damageable, random: Random): void {
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
function litter({ relief }: Damageable, random: Random): void {
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
