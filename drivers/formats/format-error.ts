/**
 * - `FORMAT_UNREADABLE`: the file cannot be read, or contradicts its own format.
 * - `FORMAT_UNSUPPORTED`: a sound file that is not an organised 3D map (or not an 8/16-bit picture) for our use.
 * - `FORMAT_TRUNCATED`: the file ends before the data that its header promises.
 * - `FORMAT_TOO_LARGE`: larger, or promising to become larger, than the limits.
 * - `FORMAT_WRONG_UNIT`: the values cannot be metres.
 */
export type FormatErrorCode =
  'FORMAT_UNREADABLE' | 'FORMAT_UNSUPPORTED' | 'FORMAT_TRUNCATED' | 'FORMAT_TOO_LARGE' | 'FORMAT_WRONG_UNIT'

/** A file that we refuse. The message begins with the file's name and says where and what was expected. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly code: FormatErrorCode

  constructor(code: FormatErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
