/** How far apart the exposures of recent parts lay, for the status message. */
import { quantile } from '../drivers/quantile.ts'

export interface SkewFigures {
  readonly parts: number
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

/** An hour of a line with a part every 4 s. */
const MOST_PARTS = 1000

export class RecentSkews {
  /** Milliseconds; a ring once it is full. */
  readonly #skewsMs: number[] = []
  #next = 0

  note(skewMs: number): void {
    this.#skewsMs[this.#next] = skewMs
    this.#next = (this.#next + 1) % MOST_PARTS
  }

  /** Undefined when both sensors have not seen a part yet. */
  figures(): SkewFigures | undefined {
    const sorted = this.#skewsMs.toSorted((a, b) => a - b)
    const at = (share: number): number => Math.round(quantile(sorted, share)! * 10) / 10
    return sorted.length === 0
      ? undefined
      : { parts: sorted.length, p50: at(0.5), p99: at(0.99), worst: at(1) }
  }
}
