/** What can go wrong between a sample and its inspection. Decide on `code`; the message is for a person. */
const CODES = [
  /** A file of the bundle is absent, damaged, tampered with, or not what the format says. */
  'MODEL_UNREADABLE',
  /** Two parts that must fit do not: a graph and its manifest, tokens and a bank. The message names both. */
  'MODEL_MISMATCH',
  /** The runtime refused to run a graph. */
  'MODEL_FAILED',
  /** A NaN or an infinity where a number was due. */
  'NOT_FINITE',
] as const
export type ModelErrorCode = (typeof CODES)[number]

/** A code that came from the inference host; an error of another kind counts as MODEL_FAILED. */
export function asModelErrorCode(text: string): ModelErrorCode {
  return CODES.find((code) => code === text) ?? 'MODEL_FAILED'
}

export class ModelError extends Error {
  override readonly name = 'ModelError'
  readonly code: ModelErrorCode

  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
