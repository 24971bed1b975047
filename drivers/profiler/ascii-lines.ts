/**
 * A profile a line, as numbers between separators: what Gocators send over TCP and serial with a custom format. A line ends
 * with CR, LF or both. Answers to commands (`OK...`, `ERROR...`) come in between and are skipped.
 */
import { DamageCount, type Profile, type ProfileParser } from './profile.ts'

export interface AsciiLinesOptions {
  readonly separator: string
  /** Counted from 0. Absent: the lines have no counter. */
  readonly counterColumn?: number
  /** Counted from 0. Absent: the lines have no time stamp. */
  readonly stampColumn?: number
  /** Of the first sample; all columns from there on are samples. */
  readonly firstColumn: number
  /** Stands for a sample without a return. */
  readonly invalidText: string
  readonly invalidCodes: readonly number[]
  /** More than these in a line are no profile. Bounds what is kept of a line that does not end. */
  readonly mostSamples: number
  /** True for serial ports: who opens one hears the rest of a line first, and the rest of a number looks like a number. */
  readonly skipsFirst: boolean
}

const CR = 13
const LF = 10
const MOST_BYTES_PER_COLUMN = 24
const NUMBER = /^\s*[-+]?\d+(?:\.\d*)?\s*$/

export class AsciiLines implements ProfileParser {
  readonly damage = new DamageCount()
  readonly #options: AsciiLinesOptions
  readonly #mostBytes: number
  #line: Buffer[] = []
  #lineBytes = 0
  #isSkipping: boolean

  constructor(options: AsciiLinesOptions) {
    this.#options = options
    this.#mostBytes = MOST_BYTES_PER_COLUMN * (options.firstColumn + options.mostSamples + 1)
    this.#isSkipping = options.skipsFirst
  }

  read(bytes: Uint8Array): Profile[] {
    const profiles: Profile[] = []
    let from = 0
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== CR && bytes[at] !== LF) continue
      this.#keep(bytes.subarray(from, at))
      const profile = this.#endLine()
      if (profile) profiles.push(profile)
      from = at + 1
    }
    this.#keep(bytes.subarray(from))
    return profiles
  }

  #keep(piece: Uint8Array): void {
    if (this.#isSkipping || piece.length === 0) return
    this.#lineBytes += piece.length
    if (this.#lineBytes > this.#mostBytes) {
      this.damage.note(`a line of more than ${this.#mostBytes} bytes`)
      this.#line = []
      this.#isSkipping = true
    } else this.#line.push(Buffer.from(piece))
  }

  #endLine(): Profile | undefined {
    const wasSkipped = this.#isSkipping
    const text = Buffer.concat(this.#line).toString('latin1')
    this.#line = []
    this.#lineBytes = 0
    this.#isSkipping = false
    if (wasSkipped || text === '' || /^(?:OK|ERROR)(?![\d.])/i.test(text)) return undefined
    const profile = this.#profileOf(text)
    if (typeof profile === 'string') {
      this.damage.note(profile)
      return undefined
    }
    this.damage.good()
    return profile
  }

  #profileOf(text: string): Profile | string {
    const { separator, counterColumn, stampColumn, firstColumn, invalidText, invalidCodes } = this.#options
    const columns = text.split(separator)
    // Some end the line with a separator.
    if (columns.at(-1)?.trim() === '') columns.pop()
    if (columns.length <= firstColumn) return `a line of ${columns.length} columns: ${quoted(text)}`
    const heights = new Float64Array(columns.length - firstColumn)
    for (let i = 0; i < heights.length; i++) {
      const column = columns[firstColumn + i] ?? ''
      if (column.trim() === invalidText) heights[i] = NaN
      else if (!NUMBER.test(column)) return `a line with ${quoted(column)} in it`
      else heights[i] = invalidCodes.includes(Number(column)) ? NaN : Number(column)
    }
    const counter = wholeNumberIn(columns, counterColumn)
    if (typeof counter === 'string') return `a line with the counter ${counter}`
    const stamp = wholeNumberIn(columns, stampColumn)
    if (typeof stamp === 'string') return `a line with the time stamp ${stamp}`
    return { heights, ...(counter !== undefined && { counter }), ...(stamp !== undefined && { stamp }) }
  }
}

/** @returns undefined without such a column, or what stands there if it is no whole number */
function wholeNumberIn(columns: readonly string[], index: number | undefined): number | undefined | string {
  if (index === undefined) return undefined
  const text = columns[index] ?? ''
  return NUMBER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : quoted(text)
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 40))
