/**
 * The first directory (IFD) of a TIFF or BigTIFF file: TIFF 6.0 sections 2, 7, 15; BigTIFF as libtiff defines it.
 * Only the tags that lay out pixels are read. Chains and SubIFDs are never followed, so a loop in them cannot hold us;
 * every count and offset is held against the file's length before it is believed.
 */
import { FormatError } from './format-error.ts'

const TAGS = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  stripOffsets: 273,
  orientation: 274,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planarConfiguration: 284,
  predictor: 317,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileByteCounts: 325,
  sampleFormat: 339,
} as const

export type TiffTag = keyof typeof TAGS

/** BYTE, SHORT, LONG, LONG8: the only types that TIFF allows for these tags. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 }

export interface TiffDirectory {
  readonly littleEndian: boolean
  /** True when another page follows this one. */
  readonly hasNextPage: boolean
  /** The tag's values, or undefined when the file does not have it. */
  values(tag: TiffTag): readonly number[] | undefined
}

export function readTiffDirectory(file: string, bytes: Uint8Array): TiffDirectory {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const order = bytes.length < 8 ? '' : String.fromCharCode(bytes[0]!, bytes[1]!)
  if (order !== 'II' && order !== 'MM') {
    throw new FormatError('FORMAT_UNREADABLE', `${file}: byte 0: expected a TIFF header, "II" or "MM"`)
  }
  const littleEndian = order === 'II'
  const magic = view.getUint16(2, littleEndian)
  if (magic !== 42 && magic !== 43) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: byte 2: magic number ${magic}, expected 42 or 43 (BigTIFF)`,
    )
  }
  const big = magic === 43

  const within = (offset: number, length: number, what: string): number => {
    if (offset + length <= bytes.length) return offset
    throw new FormatError(
      'FORMAT_TRUNCATED',
      `${file}: ${what} at byte ${offset} needs ${length} bytes, the file has ${bytes.length}`,
    )
  }
  const unsigned = (offset: number, size: number): number => {
    if (size === 1) return view.getUint8(offset)
    if (size === 2) return view.getUint16(offset, littleEndian)
    if (size === 4) return view.getUint32(offset, littleEndian)
    // Above 2^53 a number is inexact, but it stays far beyond any file's end, which is all that is asked of it.
    return Number(view.getBigUint64(offset, littleEndian))
  }
  const offsetBytes = big ? 8 : 4
  const countBytes = big ? 8 : 2
  const entryBytes = big ? 20 : 12

  const first = unsigned(within(big ? 8 : 4, offsetBytes, 'the offset of the first directory'), offsetBytes)
  const entries = unsigned(within(first, countBytes, 'the first directory'), countBytes)
  const table = first + countBytes
  within(table, entries * entryBytes + offsetBytes, `a directory of ${entries} entries`)

  const found = new Map<number, { type: number; count: number; at: number }>()
  for (let i = 0; i < entries; i++) {
    const at = table + i * entryBytes
    const tag = unsigned(at, 2)
    // The first of a doubled tag counts, as in libtiff.
    if (!found.has(tag)) {
      found.set(tag, {
        type: unsigned(at + 2, 2),
        count: unsigned(at + 4, offsetBytes),
        at: at + 4 + offsetBytes,
      })
    }
  }

  return {
    littleEndian,
    hasNextPage: unsigned(table + entries * entryBytes, offsetBytes) !== 0,
    values(tag) {
      const entry = found.get(TAGS[tag])
      if (entry === undefined) return undefined
      const size = TYPE_BYTES[entry.type]
      if (size === undefined) {
        throw new FormatError(
          'FORMAT_UNREADABLE',
          `${file}: tag ${tag} at byte ${entry.at} has type ${entry.type}, expected an unsigned integer`,
        )
      }
      const inline = entry.count * size <= offsetBytes
      const at = inline ? entry.at : unsigned(entry.at, offsetBytes)
      within(at, entry.count * size, `tag ${tag} with ${entry.count} values`)
      return Array.from({ length: entry.count }, (_, i) => unsigned(at + i * size, size))
    },
  }
}
