/** Notices that a free-running sensor has gone silent. A triggered one is silent by right: the capture's deadline guards it. */
import type { Clock } from './clock.ts'

export interface FrameGapOptions {
  readonly limitMs: number
  readonly clock: Clock
  /** Once. */
  onGap(silentMs: number): void
}

export interface FrameGap {
  /** Something came. */
  seen(): void
  stop(): void
}

/** Three periods, and 500 ms at least: a busy machine is no fault of the camera. */
export function gapLimitMs(framesPerSecond: number): number {
  return Math.max(500, 3000 / framesPerSecond)
}

/** Watches from now on: a sensor that never sends its first frame is silent, too. */
export function watchFrameGap({ limitMs, clock, onGap }: FrameGapOptions): FrameGap {
  let lastMs = clock.now()
  let cancel = clock.after(limitMs, check)
  // One timer at a time, not one a frame.
  function check(): void {
    const silentMs = clock.now() - lastMs
    if (silentMs >= limitMs) onGap(silentMs)
    else cancel = clock.after(limitMs - silentMs, check)
  }
  return {
    seen: () => void (lastMs = clock.now()),
    stop: () => cancel(),
  }
}
