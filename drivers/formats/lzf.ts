/**
 * LibLZF decompression, the codec of PCD's binary_compressed. A control byte below 32 starts a run of literals; otherwise its top
 * three bits are a length (7: one more byte follows) and the rest with the next byte a distance back.
 */

/** Three packed bytes make 264 at most. */
export const LZF_LARGEST_RATIO = 88

/** Undefined when the data is damaged or does not fill exactly `size` bytes. */
export function decompressLzf(packed: Uint8Array, size: number): Uint8Array | undefined {
  const out = new Uint8Array(size)
  let to = 0
  let from = 0
  while (from < packed.length) {
    const control = packed[from++]!
    if (control < 32) {
      const count = control + 1
      if (from + count > packed.length || to + count > size) return undefined
      out.set(packed.subarray(from, from + count), to)
      from += count
      to += count
      continue
    }
    let count = (control >> 5) + 2
    if (count === 9) {
      if (from >= packed.length) return undefined
      count += packed[from++]!
    }
    if (from >= packed.length) return undefined
    let read = to - ((control & 0x1f) << 8) - packed[from++]! - 1
    if (read < 0 || to + count > size) return undefined
    // Byte by byte: the copy may overlap what it writes.
    for (const end = to + count; to < end;) out[to++] = out[read++]!
  }
  return to === size ? out : undefined
}
