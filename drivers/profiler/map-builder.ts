/** Puts the profiles of one part into an organised map, a row each, where their counters say. */
import type { Profile } from './profile.ts'

export interface MapGeometry {
  /** Rows. */
  readonly profiles: number
  /** Columns. */
  readonly samples: number
  readonly countsPerProfile: number
  readonly millimetresPerCount: number
  /** Of the first sample, and from one to the next; not used where the profiles carry positions. */
  readonly startMillimetres: number
  readonly pitchMillimetres: number
  readonly millimetresPerPositionCode: number
  readonly millimetresPerHeightCode: number
  /** Height code 0 lies here. */
  readonly heightOffsetMillimetres: number
}

export interface MapCounts {
  readonly missing: number
  /** Came twice: the first stays. */
  readonly repeated: number
  /** Came after one that lies behind them. */
  readonly outOfOrder: number
}

/** No profiler sees further; and no float of the map becomes infinite. */
const FARTHEST_MILLIMETRES = 1e9

export class MapBuilder {
  readonly #geometry: MapGeometry
  readonly #origin: number
  readonly #points: Float32Array
  readonly #hasRow: Uint8Array
  #placed = 0
  #repeated = 0
  #outOfOrder = 0
  #highest = -1

  /** @param origin position of row 0, in counts */
  constructor(geometry: MapGeometry, origin: number) {
    this.#geometry = geometry
    this.#origin = origin
    this.#points = new Float32Array(geometry.profiles * geometry.samples * 3)
    this.#hasRow = new Uint8Array(geometry.profiles)
  }

  /** Rows that are there. */
  get placed(): number {
    return this.#placed
  }

  get counts(): MapCounts {
    const missing = this.#geometry.profiles - this.#placed
    return { missing, repeated: this.#repeated, outOfOrder: this.#outOfOrder }
  }

  get isFull(): boolean {
    return this.#placed === this.#geometry.profiles
  }

  /** How many places the farthest profile lies behind the last row; negative before it. */
  get placesBeyond(): number {
    return this.#highest - (this.#geometry.profiles - 1)
  }

  /**
   * @param profile of `samples` samples
   * @param position in counts
   * @returns whether it became a row
   */
  place(profile: Profile, position: number): boolean {
    const { profiles, countsPerProfile } = this.#geometry
    const row = Math.round((position - this.#origin) / Math.abs(countsPerProfile))
    const isLate = row < this.#highest
    this.#highest = Math.max(this.#highest, row)
    // Before the map it belongs to nobody: the part begins with its first profile.
    if (row < 0 || row >= profiles) return false
    if (this.#hasRow[row] === 1) {
      this.#repeated++
      return false
    }
    if (isLate) this.#outOfOrder++
    this.#hasRow[row] = 1
    this.#placed++
    this.#fill(row, profile, (position - this.#origin) * this.#geometry.millimetresPerCount)
    return true
  }

  /** Metres, x, y, z each; rows and samples that are missing are (0,0,0). The builder is of no use afterwards. */
  take(): Float32Array {
    return this.#points
  }

  #fill(row: number, { heights, positions }: Profile, yMillimetres: number): void {
    const { samples, startMillimetres, pitchMillimetres } = this.#geometry
    const { millimetresPerPositionCode, millimetresPerHeightCode, heightOffsetMillimetres } = this.#geometry
    for (let column = 0; column < samples; column++) {
      const height = heights[column] ?? NaN
      const x = positions
        ? (positions[column] ?? NaN) * millimetresPerPositionCode
        : startMillimetres + column * pitchMillimetres
      const z = heightOffsetMillimetres + height * millimetresPerHeightCode
      // Not so for NaN, either.
      if (!(Math.abs(x) <= FARTHEST_MILLIMETRES && Math.abs(z) <= FARTHEST_MILLIMETRES)) continue
      const at = 3 * (row * samples + column)
      this.#points[at] = x / 1000
      this.#points[at + 1] = yMillimetres / 1000
      this.#points[at + 2] = z / 1000
    }
  }
}
