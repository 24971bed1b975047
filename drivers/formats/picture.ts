/**
 * Pictures (PNG, JPEG, TIFF) as 8-bit RGB, decoded by sharp off the main thread. Pixels stay where the sensor put them: an EXIF
 * orientation is not applied, since it would turn the picture away from its point map.
 */
import sharp, { type Metadata } from 'sharp'
import { FormatError } from './format-error.ts'
import { limitsOf, type FormatLimits } from './limits.ts'
import { readTiffDirectory } from './tiff-directory.ts'

export interface Picture {
  readonly width: number
  readonly height: number
  /** Interleaved 8-bit R, G, B, row-major. */
  readonly pixels: Uint8Array
  /** What had to be changed on the way. */
  readonly remarks: readonly PictureRemark[]
}

export type PictureRemark = 'alpha-dropped' | 'grey-replicated' | 'sixteen-bit-scaled' | 'orientation-ignored'

const COLOUR_SPACES = ['srgb', 'b-w', 'rgb16', 'grey16']

/** Reads a picture file's bytes. `file` is its name in messages. Rejects with FormatError. */
export async function readPicture(
  file: string,
  bytes: Uint8Array,
  limits?: Partial<FormatLimits>,
): Promise<Picture> {
  const { maxPixels } = limitsOf(limits)
  try {
    // limitInputPixels false: our own limit is checked below, on the header, with our own code and message.
    const image = sharp(bytes, { limitInputPixels: false, failOn: 'warning' })
    const metadata = await image.metadata()
    const remarks = checkMetadata(file, metadata, maxPixels)
    refuseGreyAlphaPlanes(file, bytes, metadata)
    const decoded = await image
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const { width, height, channels } = decoded.info
    if (channels !== 3)
      throw new FormatError('FORMAT_UNSUPPORTED', `${file}: ${channels} channels, expected RGB`)
    return { width, height, pixels: new Uint8Array(decoded.data), remarks }
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: expected a PNG, JPEG or TIFF picture (${firstLine(error)})`,
      {
        cause: error,
      },
    )
  }
}

function checkMetadata(file: string, metadata: Metadata, maxPixels: number): PictureRemark[] {
  const { width, height, space, depth, format, pages = 1, hasAlpha, orientation = 1 } = metadata
  if (width * height > maxPixels) {
    throw new FormatError(
      'FORMAT_TOO_LARGE',
      `${file}: ${width} x ${height} pixels, the limit is ${maxPixels}`,
    )
  }
  if (!['png', 'jpeg', 'tiff'].includes(format)) {
    throw new FormatError('FORMAT_UNSUPPORTED', `${file}: ${format}, expected PNG, JPEG or TIFF`)
  }
  if (pages > 1) throw new FormatError('FORMAT_UNSUPPORTED', `${file}: ${pages} pages, expected one picture`)
  if (!COLOUR_SPACES.includes(space) || (depth !== 'uchar' && depth !== 'ushort')) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${space} of ${depth}, expected 8- or 16-bit RGB or grey`,
    )
  }
  const remarks: PictureRemark[] = []
  if (hasAlpha) remarks.push('alpha-dropped')
  if (space === 'b-w' || space === 'grey16') remarks.push('grey-replicated')
  if (depth === 'ushort') remarks.push('sixteen-bit-scaled')
  if (orientation !== 1) remarks.push('orientation-ignored')
  return remarks
}

/** libvips 8.18 mixes up the rows of a TIFF that holds grey and alpha as two separate planes (seen in the image-tiff corpus). */
function refuseGreyAlphaPlanes(file: string, bytes: Uint8Array, { format, channels }: Metadata): void {
  if (format !== 'tiff' || channels !== 2) return
  if (readTiffDirectory(file, bytes).values('planarConfiguration')?.[0] === 2) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: grey and alpha in separate planes, expected them interleaved`,
    )
  }
}

function firstLine(error: unknown): string {
  return String(error).split('\n', 1)[0]!.slice(0, 200)
}
