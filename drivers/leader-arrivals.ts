/**
 * When a frame's first packet came, on the monotonic clock. libaravis' receiving thread notes it, so that neither the rest of
 * the frame nor a busy event loop makes it later. But it notes the wall clock, which may be set meanwhile.
 */
import type { Clock } from './clock.ts'

export interface LeaderArrivalsOptions {
  readonly clock: Clock
  /** The clock that the library notes. */
  wallMs(): number
}

interface Reading {
  readonly nowMs: number
  readonly wallMs: number
}

/** A note from longer ago was not made for this frame. */
const OLDEST_MS = 10_000
/** The wall clock is drawn towards the right time by 0.5 ms in a second at most; beyond that it was set. */
const DRAWN_BY = 1e-3
const READ_APART_MS = 1

export class LeaderArrivals {
  readonly #options: LeaderArrivalsOptions
  #last: Reading

  constructor(options: LeaderArrivalsOptions) {
    this.#options = options
    this.#last = this.#read()
  }

  /**
   * To be called for each frame as soon as it is there.
   *
   * @param notedWallMs 0 when the first packet was lost
   * @returns now, when the note cannot be believed
   */
  arrivedAtMs(notedWallMs: number): number {
    const last = this.#last
    const read = this.#read()
    this.#last = read
    const ageMs = read.wallMs - notedWallMs
    if (!(ageMs >= 0 && ageMs <= OLDEST_MS) || wasSet(last, read)) return read.nowMs
    return read.nowMs - ageMs
  }

  #read(): Reading {
    return { nowMs: this.#options.clock.now(), wallMs: this.#options.wallMs() }
  }
}

function wasSet(last: Reading, { nowMs, wallMs }: Reading): boolean {
  const passedMs = nowMs - last.nowMs
  return Math.abs(wallMs - last.wallMs - passedMs) > READ_APART_MS + DRAWN_BY * passedMs
}
