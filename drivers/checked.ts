import type { Clock } from './clock.ts'
import type { Driver, Trigger } from './driver.ts'
import type { FreezeWatch } from './freeze.ts'
import type { Frame, Modality } from './frame.ts'
import { checkFrame, type FrameLimits } from './frame-check.ts'
import { FrameRefused, type Refusal } from './frame-refused.ts'
import { judgeLook, type LearnedLooks } from './look-limits.ts'

export interface CheckedOptions {
  readonly limits: FrameLimits
  /** A frame exposed this long before its trigger still counts: clocks of sensor and trigger differ a little. */
  readonly staleMs: number
  readonly watch: FreezeWatch
  readonly clock: Clock
  /** How frames may look, by what was taught; undefined while nothing was. Asked for every frame. */
  looks?(): LearnedLooks | undefined
}

/** Driver in, driver out: a frame that must not be used becomes a `FrameRefused`. */
export function checked<M extends Modality>(driver: Driver<M>, options: CheckedOptions): Driver<M> {
  return {
    name: driver.name,
    modality: driver.modality,
    open: (signal, onLost) => driver.open(signal, onLost),
    close: () => driver.close(),
    ...(driver.report && { report: (signal: AbortSignal) => driver.report!(signal) }),
    async capture(trigger, signal) {
      const frame = await driver.capture(trigger, signal)
      // Too late: nobody waits for it, and the freeze watch must not see frames out of order.
      signal.throwIfAborted()
      const refusal =
        checkFrame(frame, driver.modality, options.limits) ??
        checkAge(frame, trigger, options) ??
        options.watch.see(frame)
      if (refusal) throw new FrameRefused(driver.name, refusal)
      const learned = options.looks?.()
      if (learned === undefined) return frame
      const look = judgeLook(frame, learned)
      if (look.refusal) throw new FrameRefused(driver.name, look.refusal)
      return look.remarks.length === 0
        ? frame
        : { ...frame, remarks: [...(frame.remarks ?? []), ...look.remarks] }
    },
  }
}

function checkAge(frame: Frame, trigger: Trigger, { staleMs, clock }: CheckedOptions): Refusal | undefined {
  const earlyMs = trigger.atMs - frame.exposedAtMs
  if (earlyMs > staleMs) {
    return { reason: 'stale', detail: `was exposed ${earlyMs.toFixed(0)} ms before its trigger` }
  }
  const aheadMs = frame.exposedAtMs - clock.now()
  if (aheadMs > staleMs) {
    return {
      reason: 'stale',
      detail: `claims an exposure ${aheadMs.toFixed(0)} ms from now: its clock is wrong`,
    }
  }
  return undefined
}
