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

/** A timer so late means that the daemon itself stood still. */
const HELD_UP_MS = 20
/** So long it may then take to read what came meanwhile. A large frame comes through a pipe in many pieces. */
const READING_MS = 100

/** Watches from now on: a sensor that never sends its first frame is silent, too. */
export function watchFrameGap({ limitMs, clock, onGap }: FrameGapOptions): FrameGap {
  let lastMs = clock.now()
  let cancel: () => void
  // One timer at a time, not one a frame.
  function wait(ms: number): void {
    const dueMs = clock.now() + ms
    cancel = clock.after(ms, () => check(clock.now() - dueMs))
  }
  function check(lateMs: number): void {
    const silentMs = clock.now() - lastMs
    if (silentMs < limitMs) wait(limitMs - silentMs)
    // Once in a silence, also on a machine that is always late.
    else if (lateMs > HELD_UP_MS) cancel = clock.after(READING_MS, () => check(0))
    else onGap(silentMs)
  }
  wait(limitMs)
  return {
    seen: () => void (lastMs = clock.now()),
    stop: () => cancel(),
  }
}
