/** Lines of text inside a file that may go on in binary: PLY and PCD headers, and their ascii bodies. */
import { FormatError } from './format-error.ts'

const NEWLINE = 10

export interface TextLines {
  /** The next line without its ending, or undefined at the end. CR LF and LF both end a line. */
  next(): string | undefined
  /** Number of the line that `next` returned last, from 1. */
  readonly lineNumber: number
  /** Where the byte after that line is. */
  readonly offset: number
}

/** `endOffset` bounds the text, so that a binary file without newlines is not taken for one endless line. */
export function textLines(bytes: Uint8Array, startOffset = 0, endOffset = bytes.length): TextLines {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(endOffset, bytes.length))
  let offset = startOffset
  let lineNumber = 0
  return {
    next() {
      if (offset >= text.length) return undefined
      const found = text.indexOf(NEWLINE, offset)
      const end = found < 0 ? text.length : found
      const line = text.toString('latin1', offset, end)
      offset = found < 0 ? end : end + 1
      lineNumber++
      return line.endsWith('\r') ? line.slice(0, -1) : line
    },
    get lineNumber() {
      return lineNumber
    },
    get offset() {
      return offset
    },
  }
}

/** How C libraries print values that are not finite. */
const NOT_FINITE = /^[+-]?(nan|inf|infinity|1\.#(qnan|snan|ind|inf)\d*)$/i

/** One ascii coordinate. NaN and infinity, in any spelling, become NaN; what is no number is refused. `where` is for messages. */
export function parseCoordinate(where: string, word: string): number {
  const value = Number(word)
  if (word !== '' && !Number.isNaN(value)) return value
  if (NOT_FINITE.test(word)) return NaN
  throw new FormatError('FORMAT_UNREADABLE', `${where}: "${word.slice(0, 40)}", expected a number`)
}

/** A count in a header: decimal digits only. */
export function parseCount(where: string, word: string | undefined): number {
  if (word !== undefined && /^\d{1,15}$/.test(word)) return Number(word)
  throw new FormatError(
    'FORMAT_UNREADABLE',
    `${where}: "${(word ?? '').slice(0, 40)}", expected a whole number`,
  )
}
