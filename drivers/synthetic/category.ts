/** What a product category declares. One file per category under categories/. */
import type { Damage, DefectKind } from './defect.ts'
import type { MatKind } from './mat.ts'
import type { Random } from '../random.ts'
import type { Colour, Surfel } from './surfel.ts'

export interface Category {
  readonly name: string
  /** Radius of the circle that holds every part of the category, metres. */
  readonly radiusMetres: number
  /** Width of the station plane that the shorter side of a picture shows, metres. */
  readonly fieldMetres: number
  /** How far a part may be turned from its nominal pose, degrees either way. 180 is any angle. */
  readonly turnDegrees: number
  readonly mat: MatKind
  /** What it is made of under its surface: seen where it is broken or cut. */
  readonly core: Colour
  /** The kinds of defect that make sense here; at least one per `visibleIn`. */
  readonly defects: readonly [DefectKind, ...DefectKind[]]
  /**
   * Draws one part. With a flaw it draws the very same part with that flaw, so `random` must give the same choices in
   * the same order. Only categories whose `defects` name the flaw are asked for it.
   */
  make(random: Random, flaw?: Flaw): Solid
}

/** Defects that only the category itself can paint. */
export type Flaw = Exclude<DefectKind, Damage>

/**
 * A part in its own coordinates, metres, y downwards as in the picture. Writes the surface at (x, y) and returns true,
 * or returns false where there is no part. Heights count from the station plane.
 */
export type Solid = (x: number, y: number, surfel: Surfel) => boolean
