/** One point of a surface, as a category describes it. One object is reused for a whole picture: nothing is allocated per texel. */
export interface Surfel {
  /** Above the station plane. */
  heightMetres: number
  /** Relief too fine for the 3D sensor: it only bends the light (grain, turning marks, fibres). */
  detailMetres: number
  /** Linear reflectance, 0..1. Of a metal: the colour of its mirror image. */
  red: number
  green: number
  blue: number
  /** 0.05 is polished, 1 is chalk. */
  roughness: number
  /** 0 or 1 for real materials; between them where they mix in one texel. */
  metalness: number
}

export type Colour = readonly [red: number, green: number, blue: number]

/** All fields start as fractions: an engine that has once seen whole numbers there would recompile the hot loop. */
export function createSurfel(): Surfel {
  return {
    heightMetres: 0.5,
    detailMetres: 0.5,
    red: 0.5,
    green: 0.5,
    blue: 0.5,
    roughness: 0.5,
    metalness: 0.5,
  }
}

const linear = (byte: number): number => (byte <= 10 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4)

/** The linear colour of a picture's colour as people write it, e.g. `colour(0xb5651d)`. */
export const colour = (srgb: number): Colour => [
  linear(srgb >> 16),
  linear((srgb >> 8) & 255),
  linear(srgb & 255),
]

/** Lays a colour over the surface: opacity 1 hides what was there. */
export function lay(surfel: Surfel, over: Colour, opacity: number): void {
  // By index: destructuring an array runs its iterator, and this runs a million times per picture.
  surfel.red += (over[0] - surfel.red) * opacity
  surfel.green += (over[1] - surfel.green) * opacity
  surfel.blue += (over[2] - surfel.blue) * opacity
}

/** Makes the surface brighter or darker. */
export function shadeBy(surfel: Surfel, factor: number): void {
  surfel.red *= factor
  surfel.green *= factor
  surfel.blue *= factor
}
