/** What a file may cost us at most. Every parser checks before it allocates. */
export interface FormatLimits {
  readonly maxFileBytes: number
  readonly maxPixels: number
}

/** 16.8 million points are a 4096 x 4096 sensor: 201 MB of floats. A file may spend 16 bytes on each. */
const DEFAULT_LIMITS: FormatLimits = { maxFileBytes: 2 ** 28, maxPixels: 2 ** 24 }

export function limitsOf(limits: Partial<FormatLimits> = {}): FormatLimits {
  return { ...DEFAULT_LIMITS, ...limits }
}
