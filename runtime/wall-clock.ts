/**
 * Nothing that is decided or timed depends on the machine's wall clock, but every time stamp is read from it: a station without
 * a battery starts in 1970, and time servers and people set the clock. Whoever reads the stamps is told of both.
 */
import type { Clock } from '../drivers/clock.ts'

export interface WallClockWatchOptions {
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  onTrouble(trouble: { readonly code: 'CLOCK_UNSET' | 'CLOCK_STEP'; readonly detail: string }): void
}

/** Longer than it takes to read both clocks on a machine that is busy, shorter than anybody would set a clock by on purpose. */
const STEP_MS = 2000
const EVERY_MS = 1000

/** A clock before this program was written was never set. */
export function isWallClockSet(wallMs: number): boolean {
  return wallMs > Date.UTC(2026, 0, 1)
}

/** @returns ends the watch */
export function watchWallClock({ clock, wallClock, onTrouble }: WallClockWatchOptions): () => void {
  let cancel = (): void => undefined
  let last = { wallMs: wallClock(), monotonicMs: clock.now() }
  const wait = (): void => {
    cancel = clock.after(EVERY_MS, () => {
      const now = { wallMs: wallClock(), monotonicMs: clock.now() }
      const stepMs = now.wallMs - last.wallMs - (now.monotonicMs - last.monotonicMs)
      last = now
      wait()
      if (Math.abs(stepMs) >= STEP_MS) onTrouble({ code: 'CLOCK_STEP', detail: stepText(now.wallMs, stepMs) })
    })
  }
  wait()
  if (!isWallClockSet(last.wallMs)) {
    const detail = `the machine says ${isoOf(last.wallMs)}: its clock was never set, and time stamps are wrong`
    onTrouble({ code: 'CLOCK_UNSET', detail })
  }
  return () => cancel()
}

function stepText(wallMs: number, stepMs: number): string {
  const by = `${(Math.abs(stepMs) / 1000).toFixed(1)} s ${stepMs > 0 ? 'forward' : 'back'}`
  return `the machine's clock was set ${by}, from ${isoOf(wallMs - stepMs)} to ${isoOf(wallMs)}`
}

const isoOf = (wallMs: number): string => new Date(wallMs).toISOString()
