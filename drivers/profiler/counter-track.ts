/**
 * From the counters that profiles carry to positions on one long ruler. A counter wraps around, jumps when somebody zeroes
 * the encoder, and starts anew for each part where the sensor is told to: each stretch without such a break is a run.
 */
export interface CounterTrackOptions {
  /** Counts from one profile to the next; negative when the counter falls as the part moves on. Not 0. */
  readonly countsPerProfile: number
  /** The counter wraps around at 2 to the power of this; 64 never does. */
  readonly counterBits: 16 | 32 | 64
  /** Profiles may come this many places late. */
  readonly reorderedProfiles: number
  /** A map's height: a gap larger than a map is a break. */
  readonly profiles: number
  /** The counter of a part's first profile, where the sensor counts each part from there. */
  readonly restartsAt?: number
}

export interface Place {
  readonly run: number
  /** In counts, rising with time, from the run's first profile that was seen. */
  readonly position: number
  /** Position of a profile with the counter `restartsAt` in this run; 0 without it. */
  readonly origin: number
}

export class CounterTrack {
  readonly #options: CounterTrackOptions
  readonly #direction: 1 | -1
  readonly #backCounts: number
  readonly #aheadCounts: number
  #newest: { run: number; position: number; counter: number; origin: number } | undefined

  constructor(options: CounterTrackOptions) {
    const { countsPerProfile, reorderedProfiles, profiles, restartsAt } = options
    this.#options = options
    this.#direction = countsPerProfile < 0 ? -1 : 1
    // The last part's end and the next one's beginning must not look like an exchange.
    const back =
      restartsAt === undefined
        ? reorderedProfiles
        : Math.min(reorderedProfiles, Math.floor((profiles - 1) / 2))
    this.#backCounts = back * Math.abs(countsPerProfile)
    this.#aheadCounts = (profiles + reorderedProfiles) * Math.abs(countsPerProfile)
  }

  /** @param counter absent where the format has none: then the profile is the next one */
  place(counter: number | undefined): Place {
    const newest = this.#newest
    const steps =
      newest === undefined
        ? 0
        : counter === undefined
          ? Math.abs(this.#options.countsPerProfile)
          : this.#steps(newest.counter, counter)
    if (newest === undefined || steps < -this.#backCounts || steps > this.#aheadCounts) {
      const { restartsAt } = this.#options
      const origin = restartsAt === undefined || counter === undefined ? 0 : this.#steps(counter, restartsAt)
      const place = { run: (newest?.run ?? 0) + 1, position: 0, origin }
      this.#newest = { ...place, counter: counter ?? 0 }
      return place
    }
    const place = { run: newest.run, position: newest.position + steps, origin: newest.origin }
    if (steps > 0) this.#newest = { ...place, counter: counter ?? 0 }
    return place
  }

  #steps(from: number, to: number): number {
    const { counterBits } = this.#options
    const difference = (to - from) * this.#direction
    if (counterBits === 64) return difference
    const turn = 2 ** counterBits
    const ahead = ((difference % turn) + turn) % turn
    return ahead >= turn / 2 ? ahead - turn : ahead
  }
}
