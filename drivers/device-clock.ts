/**
 * From a device's time stamps to the daemon's monotonic clock. A stamp says exactly when a frame was exposed, but by a
 * clock that started elsewhere, drifts, may be set while it runs, or stands at 1970. An arrival says it by our clock, but
 * late by an unknown delay. The smallest of recent delays is the clocks' difference plus the shortest way that a frame
 * takes: `pathMs`, which only the device's maker or a measurement knows.
 *
 * A frame that comes late and a clock that was set back look alike: both delays grow at once. A stamp earlier than the one
 * before it tells the clock at once. Otherwise frames count as old, which at worst costs a few of them, until several in a
 * row are late by the same time: then it was the clock.
 */
import type { FrameRemark } from './frame.ts'

export interface DeviceClockOptions {
  /** From the start of exposure to what counts as the frame's arrival, at best. Default 0. */
  readonly pathMs?: number
  /** The stamps claim to be Unix time; then one before 2020 says that nobody has set the clock. */
  readonly isWallClock?: boolean
}

/** A delay this far below the least cannot be a fast network, and this far above it may be a clock that was set. */
const STEP_MS = 2000
/** So many late frames in a row tell a clock that was set back, when they are spread over `CONFIRMING_MS`, */
export const CONFIRMING_FRAMES = 5
export const CONFIRMING_MS = 2000
/** and their delays are this alike: a backlog that drains becomes shorter. */
const ALIKE_MS = 200
/** Delays of the last minute count, and those of the last few frames however old they are. */
const WINDOW_MS = 60_000
const BUCKETS = 12
/** Crystals differ by this much. A delay of long ago is taken for so much longer: no exposure is called older than it was. */
export const DRIFT = 1e-4
const UNSET_BEFORE_MS = Date.UTC(2020)

interface Delays {
  readonly sinceMs: number
  untilMs: number
  leastMs: number
  frames: number
}

/** Late frames in a row. */
interface Suspicion {
  readonly sinceMs: number
  readonly leastMs: number
  readonly mostMs: number
  readonly frames: number
}

export class DeviceClock {
  readonly #pathMs: number
  readonly #isWallClock: boolean
  /** Least delays of stretches of the window, newest last. */
  #buckets: Delays[] = []
  #suspicion: Suspicion | undefined
  #lastStampMs: number | undefined
  #stoodStill = false

  constructor({ pathMs = 0, isWallClock = false }: DeviceClockOptions = {}) {
    this.#pathMs = pathMs
    this.#isWallClock = isWallClock
  }

  /**
   * @param stampMs start of exposure by the device's clock, any zero point; undefined, 0 or not finite if it has none
   * @param arrivedAtMs monotonic
   * @returns start of exposure on the monotonic clock, never after the arrival, and what is wrong with the device's clock.
   * With a drift of `DRIFT` at most it is not before the true one, and after it by no more than the least extra delay of
   * recent frames and twice the drift since then.
   */
  read(stampMs: number | undefined, arrivedAtMs: number): { exposedAtMs: number; remark?: FrameRemark } {
    const guess = arrivedAtMs - this.#pathMs
    if (stampMs === undefined || stampMs === 0 || !Number.isFinite(stampMs)) return { exposedAtMs: guess }
    const lastStampMs = this.#lastStampMs
    this.#lastStampMs = stampMs
    if (stampMs === lastStampMs) {
      this.#stoodStill = true
      const detail = `has the same time stamp as the one before it: the device's clock stands still`
      return { exposedAtMs: guess, remark: remarkOf('clock-stopped', detail) }
    }
    const stepMs = this.#stepMs(stampMs, { lastStampMs, arrivedAtMs })
    const delayMs = arrivedAtMs - stampMs
    this.#note(delayMs, arrivedAtMs)
    const leastMs = Math.min(delayMs, this.#leastMs(arrivedAtMs))
    const exposedAtMs = Math.min(arrivedAtMs, stampMs + leastMs - this.#pathMs)
    if (stepMs !== undefined) {
      const by = `${Math.abs(stepMs / 1000).toFixed(3)} s ${stepMs > 0 ? 'back' : 'forward'}`
      return { exposedAtMs, remark: remarkOf('clock-step', `is stamped by a clock that was set ${by}`) }
    }
    if (this.#isWallClock && stampMs < UNSET_BEFORE_MS) {
      const detail = `is stamped ${stampText(stampMs)}: the device's clock was never set`
      return { exposedAtMs, remark: remarkOf('clock-unset', detail) }
    }
    return { exposedAtMs }
  }

  /** By how much the clock was set back, when it is sure that it was. Then, and when it goes again, former delays are forgotten. */
  #stepMs(
    stampMs: number,
    { lastStampMs, arrivedAtMs }: { lastStampMs: number | undefined; arrivedAtMs: number },
  ): number | undefined {
    const delayMs = arrivedAtMs - stampMs
    const stoodStill = this.#stoodStill
    this.#stoodStill = false
    if (this.#buckets.length === 0) return undefined
    const lateMs = delayMs - this.#leastMs(arrivedAtMs)
    const isSure = lateMs < -STEP_MS || (lastStampMs !== undefined && stampMs < lastStampMs)
    if (isSure || stoodStill) {
      this.#suspicion = undefined
      this.#buckets = []
      return isSure ? lateMs : undefined
    }
    if (lateMs <= STEP_MS) {
      this.#suspicion = undefined
      return undefined
    }
    const suspicion = this.#suspect(delayMs, arrivedAtMs)
    const { sinceMs, leastMs, frames } = suspicion
    if (frames < CONFIRMING_FRAMES || arrivedAtMs - sinceMs < CONFIRMING_MS) {
      this.#suspicion = suspicion
      return undefined
    }
    this.#suspicion = undefined
    this.#buckets = [{ sinceMs, untilMs: arrivedAtMs, leastMs, frames }]
    return lateMs
  }

  #suspect(delayMs: number, nowMs: number): Suspicion {
    const before = this.#suspicion
    const leastMs = Math.min(before?.leastMs ?? delayMs, delayMs)
    const mostMs = Math.max(before?.mostMs ?? delayMs, delayMs)
    if (before === undefined || mostMs - leastMs > ALIKE_MS) {
      return { sinceMs: nowMs, leastMs: delayMs, mostMs: delayMs, frames: 1 }
    }
    return { sinceMs: before.sinceMs, leastMs, mostMs, frames: before.frames + 1 }
  }

  #leastMs(nowMs: number): number {
    return Math.min(...this.#buckets.map(({ leastMs, sinceMs }) => leastMs + DRIFT * (nowMs - sinceMs)))
  }

  #note(delayMs: number, nowMs: number): void {
    let newer = 1
    this.#buckets = this.#buckets
      .reverse()
      .filter(({ untilMs, frames }) => {
        const stays = nowMs - untilMs < WINDOW_MS || newer < CONFIRMING_FRAMES
        newer += frames
        return stays
      })
      .reverse()
    const newest = this.#buckets.at(-1)
    if (newest !== undefined && nowMs - newest.sinceMs < WINDOW_MS / BUCKETS) {
      newest.untilMs = nowMs
      newest.leastMs = Math.min(newest.leastMs, delayMs)
      newest.frames++
    } else this.#buckets.push({ sinceMs: nowMs, untilMs: nowMs, leastMs: delayMs, frames: 1 })
  }
}

function stampText(stampMs: number): string {
  const date = new Date(stampMs)
  return Number.isNaN(date.getTime()) ? `${stampMs} ms` : date.toISOString()
}

const remarkOf = (code: string, detail: string): FrameRemark => ({ code, detail, degrades: false })
