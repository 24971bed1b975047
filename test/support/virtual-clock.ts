/**
 * A clock that moves only when told. `advance` fires the timers that fall due, in order, and lets everything that
 * waits on them run to its next wait before the clock moves on.
 */
import type { Clock } from '../../drivers/clock.ts'

export interface VirtualClock extends Clock {
  advance(ms: number): Promise<void>
  /** Advances until `promise` settles; fails after `limitMs` of virtual time, so that a hang is a failed test. */
  settle<T>(promise: Promise<T>, limitMs?: number): Promise<T>
  /** Timers that are still armed: a leak when everything is closed. */
  pending(): number
}

/** Runs all microtasks, and whatever they queue, to the end. */
export const quiet = () => new Promise<void>((resolve) => setImmediate(resolve))

export function virtualClock(startMs = 1000): VirtualClock {
  let nowMs = startMs
  const timers = new Set<{ dueMs: number; callback: () => void }>()

  const fireNext = (untilMs: number): boolean => {
    let next: { dueMs: number; callback: () => void } | undefined
    for (const timer of timers) if (next === undefined || timer.dueMs < next.dueMs) next = timer
    if (next === undefined || next.dueMs > untilMs) return false
    timers.delete(next)
    nowMs = Math.max(nowMs, next.dueMs)
    next.callback()
    return true
  }

  const advance = async (ms: number) => {
    const untilMs = nowMs + ms
    await quiet()
    while (fireNext(untilMs)) await quiet()
    nowMs = untilMs
  }

  return {
    now: () => nowMs,
    after: (ms, callback) => {
      const timer = { dueMs: nowMs + ms, callback }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    advance,
    settle: async (promise, limitMs = 60_000) => {
      let settled = false
      promise.then(
        () => (settled = true),
        () => (settled = true),
      )
      const untilMs = nowMs + limitMs
      await quiet()
      while (!settled) {
        if (!fireNext(untilMs)) throw new Error(`still waiting after ${limitMs} ms of virtual time`)
        await quiet()
      }
      return promise
    },
    pending: () => timers.size,
  }
}
