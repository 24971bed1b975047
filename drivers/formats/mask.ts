import { FormatError } from './format-error.ts'
import type { FormatLimits } from './limits.ts'
import { readPicture } from './picture.ts'

export interface Mask {
  readonly width: number
  readonly height: number
  /** 255 where the part is defective, else 0. */
  readonly pixels: Uint8Array
}

/**
 * Reads a ground-truth mask: any pixel above 0 is a defect. MVTec 3D-AD writes class ids 252 to 255, so a threshold at 255 or at half
 * would lose whole kinds of defect. 16-bit masks are refused: their small ids would vanish when scaled to 8 bits.
 */
export async function readMask(
  file: string,
  bytes: Uint8Array,
  limits?: Partial<FormatLimits>,
): Promise<Mask> {
  const { width, height, pixels: rgb, remarks } = await readPicture(file, bytes, limits)
  if (remarks.includes('sixteen-bit-scaled')) {
    throw new FormatError('FORMAT_UNSUPPORTED', `${file}: a 16-bit mask, expected 8 bits or fewer`)
  }
  const pixels = new Uint8Array(width * height)
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = rgb[i * 3]! > 0 || rgb[i * 3 + 1]! > 0 || rgb[i * 3 + 2]! > 0 ? 255 : 0
  }
  return { width, height, pixels }
}
