import { DeviceClock } from '../device-clock.ts'
import type { FrameRemark } from '../frame.ts'

export interface ProfileStampsOptions {
  /** One step of the stamps. */
  readonly stampMs: number
  /** From exposure to arrival at best. */
  readonly latencyMs: number
}

export interface Exposure {
  /** Monotonic. */
  readonly exposedAtMs: number
  readonly remark?: FrameRemark
}

const TURN = 2 ** 32

/** From the stamps of profiles to the monotonic clock: a profile that the network held back keeps its time. */
export class ProfileStamps {
  readonly #stampMs: number
  readonly #clock: DeviceClock
  #last: { readonly stamp: number; readonly exposure: Exposure } | undefined
  #turns = 0

  constructor({ stampMs, latencyMs }: ProfileStampsOptions) {
    this.#stampMs = stampMs
    this.#clock = new DeviceClock({ pathMs: latencyMs })
  }

  /** @param stamp as sent; it may wrap around after 32 bits */
  read(stamp: number | undefined, arrivedAtMs: number): Exposure {
    const last = this.#last
    // Profiles come closer together than coarse stamps can tell.
    if (last !== undefined && stamp === last.stamp) return { exposedAtMs: last.exposure.exposedAtMs }
    if (last !== undefined && stamp !== undefined && last.stamp < TURN && stamp < last.stamp - TURN / 2)
      this.#turns++
    // A stamp of 0 means none to the clock.
    const whole = stamp === undefined ? undefined : stamp + this.#turns * TURN + 1
    const exposure = this.#clock.read(whole === undefined ? undefined : whole * this.#stampMs, arrivedAtMs)
    if (stamp !== undefined) this.#last = { stamp, exposure }
    return exposure
  }
}
