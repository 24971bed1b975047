/** What repeated runs took: the figures that a speed claim needs. */
export interface Timing {
  readonly bestMs: number
  readonly medianMs: number
  readonly worstMs: number
}

/** @param samplesMs at least one. */
export function timingOf(samplesMs: readonly number[]): Timing {
  const sorted = samplesMs.toSorted((a, b) => a - b)
  return {
    bestMs: sorted[0] ?? NaN,
    medianMs: sorted[sorted.length >> 1] ?? NaN,
    worstMs: sorted.at(-1) ?? NaN,
  }
}
