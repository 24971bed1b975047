/** The daemon's monotonic clock and its timers, as one thing to pass in: tests give `virtualClock` and never sleep. */
export interface Clock {
  /** Milliseconds, monotonic; the zero point means nothing. */
  now(): number
  /** Calls `callback` once, `ms` from now, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void
}

/**
 * Node looks at its timers before it looks at what has come in: after the process stood still, a deadline would pass although the
 * answer is there. So a timer that is due lets Node look once at what has come before it calls.
 */
export const monotonicClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    let due: NodeJS.Immediate | undefined
    const timer = setTimeout(() => (due = setImmediate(callback)), ms)
    return () => {
      clearTimeout(timer)
      clearImmediate(due)
    }
  },
}

/** Resolves `ms` from now; rejects with the signal's reason when that comes first. */
export function delay(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}
