/**
 * From a device's time stamps to the daemon's monotonic clock. A stamp says exactly when a frame was exposed, but by a
 * clock that started elsewhere, drifts, may be set while it runs, or stands at 1970. An arrival says it by our clock, but
 * late by an unknown delay. The smallest of recent delays is the clocks' difference plus the shortest way that a frame
 * takes: `pathMs`, which only the device's maker or a measurement knows.
 */
import type { FrameRemark } from './frame.ts'

export interface DeviceClockOptions {
  /** From the start of exposure to the whole frame's arrival at best: exposure, readout and transfer. Default 0. */
  readonly pathMs?: number
  /** The stamps claim to be Unix time; then one before 2020 says that nobody has set the clock. */
  readonly isWallClock?: boolean
}

/** A delay this far from the recent least cannot be a slow network: one of the clocks was set. */
const STEP_MS = 2000
/** Crystals drift by some 50 ppm: over a window of a minute that is 3 ms. */
const WINDOW_MS = 60_000
const BUCKETS = 12
const UNSET_BEFORE_MS = Date.UTC(2020)

export class DeviceClock {
  readonly #pathMs: number
  readonly #isWallClock: boolean
  /** Least delays of stretches of the window, newest last. */
  #buckets: { sinceMs: number; leastMs: number }[] = []
  #lastStampMs: number | undefined

  constructor({ pathMs = 0, isWallClock = false }: DeviceClockOptions = {}) {
    this.#pathMs = pathMs
    this.#isWallClock = isWallClock
  }

  /**
   * @param stampMs start of exposure by the device's clock, any zero point; undefined or 0 if it has none
   * @param arrivedAtMs monotonic
   * @returns start of exposure on the monotonic clock, never after the arrival, and what is wrong with the device's clock
   */
  read(stampMs: number | undefined, arrivedAtMs: number): { exposedAtMs: number; remark?: FrameRemark } {
    const guess = arrivedAtMs - this.#pathMs
    if (stampMs === undefined || stampMs === 0) return { exposedAtMs: guess }
    const lastStampMs = this.#lastStampMs
    this.#lastStampMs = stampMs
    if (stampMs === lastStampMs) {
      const detail = `has the same time stamp as the one before it: the device's clock stands still`
      return { exposedAtMs: guess, remark: { code: 'clock-stopped', detail, degrades: false } }
    }
    const delayMs = arrivedAtMs - stampMs
    const stepMs = this.#buckets.length === 0 ? 0 : delayMs - this.#leastMs()
    const isStep = Math.abs(stepMs) > STEP_MS
    if (isStep) this.#buckets = []
    this.#note(delayMs, arrivedAtMs)
    const exposedAtMs = Math.min(arrivedAtMs, stampMs + this.#leastMs() - this.#pathMs)
    if (isStep) {
      const by = `${Math.abs(stepMs / 1000).toFixed(1)} s ${stepMs > 0 ? 'back' : 'forward'}`
      const detail = `is stamped by a clock that was set ${by} since the frame before`
      return { exposedAtMs, remark: { code: 'clock-step', detail, degrades: false } }
    }
    if (this.#isWallClock && stampMs < UNSET_BEFORE_MS) {
      const detail = `is stamped ${new Date(stampMs).toISOString()}: the device's clock was never set`
      return { exposedAtMs, remark: { code: 'clock-unset', detail, degrades: false } }
    }
    return { exposedAtMs }
  }

  #leastMs(): number {
    return Math.min(...this.#buckets.map(({ leastMs }) => leastMs))
  }

  #note(delayMs: number, nowMs: number): void {
    this.#buckets = this.#buckets.filter(({ sinceMs }) => nowMs - sinceMs < WINDOW_MS)
    const newest = this.#buckets.at(-1)
    if (newest !== undefined && nowMs - newest.sinceMs < WINDOW_MS / BUCKETS) {
      newest.leastMs = Math.min(newest.leastMs, delayMs)
    } else this.#buckets.push({ sinceMs: nowMs, leastMs: delayMs })
  }
}
