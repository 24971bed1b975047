/** Where a defect goes: places on the part, its texels around them, ragged outlines and blended colours. */
import { fractalNoise, type Field } from './noise.ts'
import type { Random } from '../random.ts'
import type { Relief } from './relief.ts'
import { clamp, length, mix } from './shapes.ts'
import type { Colour } from './surfel.ts'

export interface Damageable {
  readonly relief: Relief
  /** What the part is made of under its surface. */
  readonly core: Colour
  /** Repaints one texel as the bare mat. */
  bare(index: number): void
}

/** A place on the plane, metres from the picture's centre. */
export interface Place {
  readonly x: number
  readonly y: number
}

export interface Extent extends Place {
  readonly areaMetres2: number
  /** Radius of the disc of the same area. */
  readonly radiusMetres: number
  /** Farthest part texel from the centre of area. */
  readonly reachMetres: number
}

export function extentOf({ columns, rows, texelMetres, part }: Relief): Extent {
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

export const texelAt = (relief: Relief, x: number, y: number): number => {
  const column = Math.round(x / relief.texelMetres + (relief.columns - 1) / 2)
  const row = Math.round(y / relief.texelMetres + (relief.rows - 1) / 2)
  return clamp(row, 0, relief.rows - 1) * relief.columns + clamp(column, 0, relief.columns - 1)
}

/** A random place around which a disc lies wholly on the part; the best of many where none does. */
export function placeInside(
  relief: Relief,
  extent: Extent,
  options: { random: Random; radius: number },
): Place {
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
export function placeOnEdge(relief: Relief, extent: Extent, random: Random): Place {
  const angle = random.between(0, 2 * Math.PI)
  for (let away = extent.reachMetres * 1.05; away > 0; away -= relief.texelMetres / 2) {
    const place = { x: extent.x + away * Math.cos(angle), y: extent.y + away * Math.sin(angle) }
    if (relief.part[texelAt(relief, place.x, place.y)] === 1) return place
  }
  return extent
}

/** Calls `visit` for every part texel within `reach` of a place, with its offset from it. */
export function around(
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
export function blob(random: Random, radius: number, ragged: number): Field {
  const rim = fractalNoise(random.seed(), 3)
  const stretch = random.between(0.75, 1)
  const turn = random.between(0, Math.PI)
  const cos = Math.cos(turn)
  const sin = Math.sin(turn)
  return (dx, dy) => {
    const along = (dx * cos + dy * sin) * stretch
    const aside = (dy * cos - dx * sin) / stretch
    return length(along, aside) / radius + ragged * rim((along / radius) * 2.1, (aside / radius) * 2.1)
  }
}

export function blend(
  { red, green, blue }: Relief,
  index: number,
  [[r, g, b], opacity]: readonly [Colour, number],
): void {
  red[index] = mix(red[index]!, r, opacity)
  green[index] = mix(green[index]!, g, opacity)
  blue[index] = mix(blue[index]!, b, opacity)
}

/** Mean colour of the part within `reach` of a place. */
export function groundColour(relief: Relief, place: Place & { reach: number }): Colour {
  let [red, green, blue, count] = [0, 0, 0, 0]
  around(relief, place, (index) => {
    red += relief.red[index]!
    green += relief.green[index]!
    blue += relief.blue[index]!
    count++
  })
  return [red / count, green / count, blue / count]
}

export const luminance = ([red, green, blue]: Colour): number => 0.2126 * red + 0.7152 * green + 0.0722 * blue
