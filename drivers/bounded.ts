import type { Clock } from './clock.ts'

export interface Bounded<T> {
  /** Settles by the deadline at the latest. */
  readonly result: Promise<T>
  /** Resolves when the work itself has ended, perhaps late, perhaps never. What it brings late is dropped. */
  readonly ended: Promise<void>
}

export interface BoundedOptions {
  readonly deadlineMs: number
  /** Any of them ends the wait with its reason. */
  readonly signals: readonly AbortSignal[]
  readonly clock: Clock
  /** What `result` rejects with at the deadline. */
  expired(): Error
}

/**
 * Waits for work that may ignore its signal. The work is told to stop when the wait ends for any reason; that it
 * really has stopped shows in `ended`.
 */
export function bounded<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { deadlineMs, signals, clock, expired }: BoundedOptions,
): Bounded<T> {
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted) return { result: Promise.reject(aborted.reason), ended: Promise.resolve() }

  const control = new AbortController()
  // In an async function, so that a driver that throws at once is a rejection like any other.
  const running = (async () => work(control.signal))()
  const result = new Promise<T>((resolve, reject) => {
    const stop = (reason: unknown) => {
      forget()
      reject(reason)
      control.abort(reason)
    }
    const listeners = signals.map((signal) => [signal, () => stop(signal.reason)] as const)
    for (const [signal, listener] of listeners) signal.addEventListener('abort', listener)
    const cancel = clock.after(deadlineMs, () => stop(expired()))
    // Without this a signal that outlives the wait (the daemon's own) would hold every frame it ever waited for.
    const forget = () => {
      cancel()
      for (const [signal, listener] of listeners) signal.removeEventListener('abort', listener)
    }
    running.then(resolve, reject).finally(forget)
  })
  const ended = running.then(
    () => undefined,
    () => undefined,
  )
  return { result, ended }
}
