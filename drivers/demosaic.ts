/** Bilinear demosaicing: what a pixel did not measure is the mean of its nearest neighbours that did. */

/** The colours of the first two pixels of the first row. */
export type BayerPattern = 'RG' | 'GR' | 'GB' | 'BG'

/**
 * @param mosaic one byte a pixel, row-major
 * @param rgb where it is written: interleaved 8-bit R,G,B
 * @returns it
 * @throws RangeError for less than 2 x 2 pixels
 */
export function demosaic(
  mosaic: Uint8Array,
  size: { readonly width: number; readonly height: number },
  pattern: BayerPattern,
  rgb: Uint8Array = new Uint8Array(size.width * size.height * 3),
): Uint8Array {
  const { width, height } = size
  if (width < 2 || height < 2) throw new RangeError(`a mosaic of ${width} x ${height} pixels has no colours`)
  const firstIsGreen = pattern === 'GR' || pattern === 'GB'
  const firstRowIsRed = pattern === 'RG' || pattern === 'GR'
  for (let y = 0; y < height; y++) {
    const row = y * width
    // At the edge the row inside stands in: it is the one of the same colours.
    const above = y === 0 ? row + width : row - width
    const below = y === height - 1 ? row - width : row + width
    const isRedRow = firstRowIsRed === (y % 2 === 0)
    // Where this row's own colour goes, and the other one.
    const own = isRedRow ? 0 : 2
    const other = 2 - own
    let isGreen = firstIsGreen === (y % 2 === 0)
    for (let x = 0, at = row * 3; x < width; x++, at += 3, isGreen = !isGreen) {
      const left = x === 0 ? 1 : x - 1
      const right = x === width - 1 ? x - 1 : x + 1
      const centre = mosaic[row + x]!
      const sides = mosaic[row + left]! + mosaic[row + right]!
      const ends = mosaic[above + x]! + mosaic[below + x]!
      if (isGreen) {
        rgb[at + own] = (sides + 1) >> 1
        rgb[at + 1] = centre
        rgb[at + other] = (ends + 1) >> 1
      } else {
        const corners =
          mosaic[above + left]! + mosaic[above + right]! + mosaic[below + left]! + mosaic[below + right]!
        rgb[at + own] = centre
        rgb[at + 1] = (sides + ends + 2) >> 2
        rgb[at + other] = (corners + 2) >> 2
      }
    }
  }
  return rgb
}
