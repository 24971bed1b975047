/** One line of heights, as a profiler sent it. */
export interface Profile {
  /** The encoder's or trigger's count as sent; absent where the format has none. */
  readonly counter?: number
  /** When it was exposed, by the sensor's clock and in its unit; absent where the format has none. */
  readonly stamp?: number
  /** In the sensor's own unit. NaN for a sample without a return. */
  readonly heights: Float64Array
  /** Along the laser line, in the sensor's own unit; absent where they follow from a start and a pitch. */
  readonly positions?: Float64Array
}

/** Bytes in, profiles out. Never throws, and keeps a bounded number of bytes whatever comes. */
export interface ProfileParser {
  /** @param bytes in any pieces; not kept */
  read(bytes: Uint8Array): Profile[]
  readonly damage: Damage
}

/** What came and was no profile: counted and skipped. */
export interface Damage {
  /** Lines or frames, since the connection. */
  readonly total: number
  /** ... since the last good profile. */
  readonly inARow: number
  /** Why the last of them was none, for a person. */
  readonly last: string
  /** The stream cannot be read any further: where the next frame begins is unknown. */
  readonly isFatal: boolean
}

export class DamageCount implements Damage {
  total = 0
  inARow = 0
  last = ''
  isFatal = false

  note(why: string): void {
    this.total++
    this.inARow++
    this.last = why
  }

  good(): void {
    this.inARow = 0
  }
}
