/** When a bridge's frames were exposed, by the clock that its hello names. */
import type { BridgeHello } from './bridge-hello.ts'
import type { Clock } from './clock.ts'
import { DeviceClock } from './device-clock.ts'
import type { FrameRemark } from './frame.ts'

/** A stamp by our own clock that lies further back is by another clock. */
const OLDEST_STAMP_MS = 10_000

export class BridgeStamps {
  readonly #clock: BridgeHello['clock']
  readonly #deviceClock: DeviceClock
  readonly #hrtimeAheadMs: number

  constructor({ clock, pathMs }: Pick<BridgeHello, 'clock' | 'pathMs'>, ours: Clock) {
    this.#clock = clock
    this.#deviceClock = new DeviceClock({ pathMs, isWallClock: clock === 'wall' })
    // One CLOCK_MONOTONIC for all processes of a machine; performance.now() only has another zero.
    this.#hrtimeAheadMs = Number(process.hrtime.bigint()) / 1e6 - ours.now()
  }

  /**
   * @param stampMs 0 if the frame has none
   * @param arrivedAtMs monotonic, of the whole frame
   * @returns start of exposure on the daemon's monotonic clock, and what is wrong with the stamp
   */
  read(stampMs: number, arrivedAtMs: number): { exposedAtMs: number; remark?: FrameRemark } {
    if (this.#clock === 'none') return this.#deviceClock.read(undefined, arrivedAtMs)
    if (this.#clock !== 'monotonic') return this.#deviceClock.read(stampMs, arrivedAtMs)
    const exposedAtMs = stampMs - this.#hrtimeAheadMs
    const ageMs = arrivedAtMs - exposedAtMs
    if (ageMs >= 0 && ageMs < OLDEST_STAMP_MS) return { exposedAtMs }
    const by = `${Math.abs(ageMs / 1000).toFixed(3)} s ${ageMs < 0 ? 'after' : 'before'} its arrival`
    const detail = `is stamped ${by}, which this machine's CLOCK_MONOTONIC cannot be`
    const remark = { code: 'clock-implausible', detail, degrades: false }
    return { exposedAtMs: this.#deviceClock.read(stampMs, arrivedAtMs).exposedAtMs, remark }
  }
}
