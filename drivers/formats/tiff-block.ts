/** One strip or tile of a TIFF file: decompression and the undoing of predictors. Output never exceeds the block's size. */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { FormatError } from './format-error.ts'

/** Off the main thread, and bounded: a deflate bomb stops at `maxOutputLength`. */
const inflateBounded = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(inflate)

export const TIFF_COMPRESSIONS: Readonly<Record<number, string>> = {
  1: 'none',
  5: 'LZW',
  8: 'deflate',
  32773: 'PackBits',
  32946: 'deflate',
}

/**
 * Decompresses one block to at most `blockBytes` bytes; the last strip may be shorter.
 * `where` names file, block and byte offset for messages.
 */
export async function decompressBlock(
  where: string,
  compression: number,
  packed: Uint8Array,
  blockBytes: number,
): Promise<Uint8Array> {
  switch (compression) {
    case 1:
      // A copy, since undoing a predictor writes into the block; not `slice`, which on a Buffer is a view.
      return new Uint8Array(packed.subarray(0, blockBytes))
    case 5:
      return unpackLzw(where, packed, blockBytes)
    case 32773:
      return unpackPackBits(packed, blockBytes)
    case 8:
    case 32946:
      try {
        return await inflateBounded(packed, { maxOutputLength: blockBytes })
      } catch (error) {
        throw new FormatError(
          'FORMAT_UNREADABLE',
          `${where}: deflate data is damaged or longer than ${blockBytes} bytes`,
          {
            cause: error,
          },
        )
      }
    default:
      throw new FormatError('FORMAT_UNSUPPORTED', `${where}: compression ${compression}`)
  }
}

/** TIFF 6.0 section 9. -128 is a no-op. Stops where either side ends: the caller checks the length. */
function unpackPackBits(packed: Uint8Array, blockBytes: number): Uint8Array {
  const out = new Uint8Array(blockBytes)
  let to = 0
  for (let from = 0; from < packed.length && to < blockBytes;) {
    const header = packed[from++]!
    if (header < 128) {
      const literal = packed.subarray(from, from + Math.min(header + 1, blockBytes - to))
      out.set(literal, to)
      to += literal.length
      from += header + 1
    } else if (header > 128 && from < packed.length) {
      const run = Math.min(257 - header, blockBytes - to)
      out.fill(packed[from++]!, to, to + run)
      to += run
    }
  }
  return out.subarray(0, to)
}

const LZW_CLEAR = 256
const LZW_END = 257
const LZW_LARGEST_TABLE = 4096

/**
 * TIFF 6.0 section 13: codes of 9 to 12 bits, most significant bit first, width grows one code early.
 * A table entry is where its string last stood in the output, so the table needs no strings and cannot loop.
 */
function unpackLzw(where: string, packed: Uint8Array, blockBytes: number): Uint8Array {
  const out = new Uint8Array(blockBytes)
  const start = new Int32Array(LZW_LARGEST_TABLE)
  const length = new Int32Array(LZW_LARGEST_TABLE)
  let next = LZW_END + 1
  let width = 9
  let to = 0
  let previousStart = 0
  let previousLength = 0
  let held = 0
  let heldBits = 0
  for (let from = 0; to < blockBytes;) {
    while (heldBits < width && from < packed.length) {
      held = ((held << 8) | packed[from++]!) & 0xffffff
      heldBits += 8
    }
    if (heldBits < width) break
    heldBits -= width
    const code = (held >> heldBits) & ((1 << width) - 1)
    if (code === LZW_END) break
    if (code === LZW_CLEAR) {
      next = LZW_END + 1
      width = 9
      previousLength = 0
      continue
    }
    const entryStart = to
    // The entry made here, previous string + this string's first byte, is exactly the output at previousStart.
    if (previousLength > 0 && next < LZW_LARGEST_TABLE) {
      start[next] = previousStart
      length[next] = previousLength + 1
      next++
    }
    if (code < LZW_CLEAR) out[to++] = code
    else {
      if (code >= next)
        throw new FormatError('FORMAT_UNREADABLE', `${where}: LZW code ${code} before it is defined`)
      const end = Math.min(to + length[code]!, blockBytes)
      for (let read = start[code]!; to < end;) out[to++] = out[read++]!
    }
    previousStart = entryStart
    previousLength = to - entryStart
    if (next + 1 >= 1 << width && width < 12) width++
  }
  return out.subarray(0, to)
}

export interface BlockLayout {
  /** Samples per row of the block, all channels. */
  readonly samplesPerRow: number
  /** Samples from one pixel to the next: 3 interleaved, 1 planar. */
  readonly stride: number
  readonly bytesPerSample: number
  readonly littleEndian: boolean
}

/** TIFF 6.0 section 14: each sample is stored as the difference, modulo its size, from the pixel on its left. */
export function undoHorizontalDifference(block: Uint8Array, layout: BlockLayout): void {
  const { samplesPerRow, stride, bytesPerSample, littleEndian } = layout
  const rowBytes = samplesPerRow * bytesPerSample
  const pixelBytes = stride * bytesPerSample
  for (let row = 0; row < block.length; row += rowBytes) {
    const rowEnd = Math.min(row + rowBytes, block.length)
    for (let sample = row + pixelBytes; sample + bytesPerSample <= rowEnd; sample += bytesPerSample) {
      let carry = 0
      for (let b = 0; b < bytesPerSample; b++) {
        const at = sample + (littleEndian ? b : bytesPerSample - 1 - b)
        const sum = block[at]! + block[at - pixelBytes]! + carry
        block[at] = sum & 0xff
        carry = sum >> 8
      }
    }
  }
}

/**
 * Adobe TIFF technical note 3: per row, bytewise differences of planes that hold all most significant bytes first.
 * The samples come out BIG-endian whatever the file's byte order.
 */
export function undoFloatingPointDifference(block: Uint8Array, layout: BlockLayout): void {
  const { samplesPerRow, stride, bytesPerSample } = layout
  const rowBytes = samplesPerRow * bytesPerSample
  for (let row = 0; row + rowBytes <= block.length; row += rowBytes) {
    for (let i = row + stride; i < row + rowBytes; i++) block[i] = (block[i]! + block[i - stride]!) & 0xff
    const planes = new Uint8Array(block.subarray(row, row + rowBytes))
    for (let sample = 0; sample < samplesPerRow; sample++) {
      for (let b = 0; b < bytesPerSample; b++) {
        block[row + sample * bytesPerSample + b] = planes[b * samplesPerRow + sample]!
      }
    }
  }
}
