/** Raw video formats, named as GStreamer names them: how they lie in memory, and their way to interleaved 8-bit R,G,B. */

/** Formats of pictures. */
export const PICTURE_FORMATS = ['RGB', 'RGBA', 'BGRx', 'GRAY8', 'NV12'] as const
export type PictureFormat = (typeof PICTURE_FORMATS)[number]
export type RawFormat = PictureFormat | 'GRAY16_LE'

export interface RawLayout<F extends RawFormat = RawFormat> {
  readonly format: F
  readonly width: number
  readonly height: number
  /** From one row to the next, padding included; of NV12 in both planes. */
  readonly rowBytes: number
  /** Of the whole frame. */
  readonly frameBytes: number
}

/** From luma and chroma to RGB. */
export interface Colorimetry {
  readonly matrix: 'bt601' | 'bt709'
  /** Luma from 0 to 255, and not from 16 to 235. */
  readonly isFullRange: boolean
}

const BYTES_PER_PIXEL = { RGB: 3, RGBA: 4, BGRx: 4, GRAY8: 1, NV12: 1, GRAY16_LE: 2 } as const

/**
 * @param rowBytes default: GStreamer's own layout, whose rows begin at multiples of 4 bytes
 * @throws RangeError for rows that do not hold the width
 */
export function rawLayout<F extends RawFormat>(
  format: F,
  size: { readonly width: number; readonly height: number },
  rowBytes?: number,
): RawLayout<F> {
  const { width, height } = size
  const pixelBytes = width * BYTES_PER_PIXEL[format]
  const stride = rowBytes ?? roundUp(pixelBytes, 4)
  if (stride < pixelBytes)
    throw new RangeError(`${width} pixels of ${format} need ${pixelBytes} bytes, not ${stride}`)
  // A row of chroma for two of luma, and for an odd last one.
  const rows = format === 'NV12' ? roundUp(height, 2) * 1.5 : height
  return { format, width, height, rowBytes: stride, frameBytes: stride * rows }
}

/** The frame's bytes are the picture's already: nothing to convert. */
export function isPlainRgb({ format, width, rowBytes }: RawLayout): boolean {
  return format === 'RGB' && rowBytes === width * 3
}

/** As GStreamer guesses it where nobody says. */
export function usualColorimetry(height: number): Colorimetry {
  return { matrix: height > 576 ? 'bt709' : 'bt601', isFullRange: false }
}

/** What caps say, `bt709` or `range:matrix:transfer:primaries`; the usual one for what they leave open. */
export function colorimetryOf(text: string | undefined, height: number): Colorimetry {
  const usual = usualColorimetry(height)
  if (text === 'bt601' || text === 'bt709') return { matrix: text, isFullRange: false }
  const [range, matrix] = (text ?? '').split(':')
  return {
    matrix: matrix === '3' ? 'bt709' : matrix === '4' ? 'bt601' : usual.matrix,
    isFullRange: range === '1',
  }
}

export interface RowRange {
  readonly from: number
  /** Exclusive. */
  readonly to: number
}

/**
 * Writes the rows of a raw frame into a picture.
 *
 * @param raw `layout.frameBytes`
 * @param rgb the whole picture: `height * width * 3`
 */
export function writeRgbRows(
  raw: Uint8Array,
  layout: RawLayout<PictureFormat>,
  rows: RowRange,
  rgb: Uint8Array,
  colorimetry: Colorimetry = usualColorimetry(layout.height),
): void {
  switch (layout.format) {
    case 'RGB':
      return copyRows(raw, layout, rows, rgb)
    case 'RGBA':
      return pickRows(raw, layout, rows, rgb, 0)
    case 'BGRx':
      return pickRows(raw, layout, rows, rgb, 2)
    case 'GRAY8':
      return spreadRows(raw, layout, rows, rgb)
    case 'NV12':
      return chromaRows(raw, layout, rows, rgb, colorimetry)
  }
}

function copyRows(raw: Uint8Array, { width, rowBytes }: RawLayout, rows: RowRange, rgb: Uint8Array): void {
  for (let y = rows.from; y < rows.to; y++) {
    rgb.set(raw.subarray(y * rowBytes, y * rowBytes + width * 3), y * width * 3)
  }
}

/** Four bytes a pixel, green second. @param red its place, 0 or 2; blue has the other. */
function pickRows(
  raw: Uint8Array,
  { width, rowBytes }: RawLayout,
  rows: RowRange,
  rgb: Uint8Array,
  red: 0 | 2,
): void {
  const blue = 2 - red
  for (let y = rows.from; y < rows.to; y++) {
    let to = y * width * 3
    const end = y * rowBytes + width * 4
    for (let at = y * rowBytes; at < end; at += 4, to += 3) {
      rgb[to] = raw[at + red]!
      rgb[to + 1] = raw[at + 1]!
      rgb[to + 2] = raw[at + blue]!
    }
  }
}

function spreadRows(raw: Uint8Array, { width, rowBytes }: RawLayout, rows: RowRange, rgb: Uint8Array): void {
  for (let y = rows.from; y < rows.to; y++) {
    let to = y * width * 3
    const end = y * rowBytes + width
    for (let at = y * rowBytes; at < end; at++, to += 3) {
      const grey = raw[at]!
      rgb[to] = grey
      rgb[to + 1] = grey
      rgb[to + 2] = grey
    }
  }
}

function chromaRows(
  raw: Uint8Array,
  { width, height, rowBytes }: RawLayout,
  rows: RowRange,
  rgb: Uint8Array,
  { matrix, isFullRange }: Colorimetry,
): void {
  const [kr, kb] = matrix === 'bt709' ? [0.2126, 0.0722] : [0.299, 0.114]
  const [black, lumaRange, chromaRange] = isFullRange ? [0, 255, 255] : [16, 219, 224]
  // In 1/65536, so that the loop counts in integers.
  const share = (factor: number): number => Math.round(factor * 65_536)
  const kg = 1 - kr - kb
  const luma = share(255 / lumaRange)
  const chroma = (2 * 255) / chromaRange
  const redOfV = share(chroma * (1 - kr))
  const greenOfU = share((chroma * kb * (1 - kb)) / kg)
  const greenOfV = share((chroma * kr * (1 - kr)) / kg)
  const blueOfU = share(chroma * (1 - kb))
  const chromaPlane = rowBytes * roundUp(height, 2)
  for (let y = rows.from; y < rows.to; y++) {
    const row = y * rowBytes
    const chromaRow = chromaPlane + (y >> 1) * rowBytes
    let to = y * width * 3
    for (let x = 0; x < width; x++, to += 3) {
      const chromaAt = chromaRow + (x & ~1)
      const u = raw[chromaAt]! - 128
      const v = raw[chromaAt + 1]! - 128
      // Half a step, so that the shift rounds.
      const light = (raw[row + x]! - black) * luma + 32_768
      rgb[to] = clamped((light + redOfV * v) >> 16)
      rgb[to + 1] = clamped((light - greenOfU * u - greenOfV * v) >> 16)
      rgb[to + 2] = clamped((light + blueOfU * u) >> 16)
    }
  }
}

function clamped(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : value
}

/** Takes the padding away. @returns `width * height` samples; a view of the frame where its rows have none */
export function depthSamples(raw: Uint8Array, layout: RawLayout<'GRAY16_LE'>): Uint16Array {
  const { width, height, rowBytes } = layout
  // Every machine that this runs on has the bytes in this order.
  if (rowBytes === width * 2) return new Uint16Array(raw.buffer, raw.byteOffset, width * height)
  const samples = new Uint16Array(width * height)
  const bytes = new Uint8Array(samples.buffer)
  for (let y = 0; y < height; y++) {
    bytes.set(raw.subarray(y * rowBytes, y * rowBytes + width * 2), y * width * 2)
  }
  return samples
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}
