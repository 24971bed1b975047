/** Depth as a 16-bit grey picture: counts, whose meaning is the data set's. Reading it as a picture would leave 8 of the 16 bits. */
import sharp from 'sharp'
import { FormatError } from './format-error.ts'
import { limitsOf, type FormatLimits } from './limits.ts'

export interface DepthPicture {
  readonly width: number
  readonly height: number
  /** Row-major, as stored. */
  readonly depths: Uint16Array
}

/** `file` is its name in messages. Rejects with FormatError. */
export async function readDepthPicture(
  file: string,
  bytes: Uint8Array,
  limits?: Partial<FormatLimits>,
): Promise<DepthPicture> {
  const { maxPixels } = limitsOf(limits)
  try {
    const image = sharp(bytes, { limitInputPixels: false, failOn: 'warning' })
    const { width, height, channels, depth } = await image.metadata()
    if (width * height > maxPixels) {
      throw new FormatError(
        'FORMAT_TOO_LARGE',
        `${file}: ${width} x ${height} pixels, the limit is ${maxPixels}`,
      )
    }
    if (channels !== 1 || depth !== 'ushort') {
      throw new FormatError(
        'FORMAT_UNSUPPORTED',
        `${file}: ${channels} channels of ${depth}, expected one of 16 bits`,
      )
    }
    const raw = await image.toColourspace('grey16').raw({ depth: 'ushort' }).toBuffer()
    // A copy: the buffer's start need not be even.
    return { width, height, depths: new Uint16Array(Uint8Array.from(raw).buffer) }
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: expected a 16-bit grey picture (${String(error).split('\n', 1)[0]!.slice(0, 200)})`,
      { cause: error },
    )
  }
}
