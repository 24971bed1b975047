/** Times the steps of one inspection; the host tells the daemon which step it is in, so a hang has a name. */
export interface StepClock {
  /** Ends the step before and starts this one. The same step may be entered again; its times add up. */
  enter(step: string): void
  /** Ends the last step. Milliseconds per step, and `total` since the clock was made. */
  stop(): Readonly<Record<string, number>>
}

export function startStepClock(onStep?: (step: string) => void): StepClock {
  const startedMs = performance.now()
  const timingMs: Record<string, number> = {}
  let current: { readonly step: string; readonly sinceMs: number } | undefined
  const end = () => {
    if (current === undefined) return
    timingMs[current.step] = (timingMs[current.step] ?? 0) + performance.now() - current.sinceMs
    current = undefined
  }
  return {
    enter(step) {
      end()
      current = { step, sinceMs: performance.now() }
      onStep?.(step)
    },
    stop() {
      end()
      return { ...timingMs, total: performance.now() - startedMs }
    },
  }
}
