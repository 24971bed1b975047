/**
 * Writes point maps as MVTec 3D-AD stores them: TIFF 6.0, three 32-bit floats per pixel (SampleFormat 3), little-endian,
 * uncompressed, one strip. geotiff's writer adds geographic tags and has no strips, hence these few lines.
 */

const TIFF = {
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  stripOffsets: 273,
  samplesPerPixel: 277,
  rowsPerStrip: 278,
  stripByteCounts: 279,
  planarConfiguration: 284,
  sampleFormat: 339,
} as const
const SHORT = 3
const LONG = 4

/** @param points `height * width * 3` floats, row-major. */
export function encodePointMap(points: Float32Array, width: number, height: number): Uint8Array {
  if (points.length !== width * height * 3) {
    throw new RangeError(
      `a ${width} x ${height} point map has ${width * height * 3} floats, got ${points.length}`,
    )
  }
  const entries = 11
  const directory = 8
  // Three SHORTs do not fit in an entry, so both triples lie behind the directory; the pixels follow, 4-byte aligned.
  const triples = directory + 2 + entries * 12 + 4
  const pixels = triples + 12 + (4 - (triples % 4))
  const bytes = new Uint8Array(pixels + points.length * 4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 0x4949, true)
  view.setUint16(2, 42, true)
  view.setUint32(4, directory, true)
  view.setUint16(directory, entries, true)
  let at = directory + 2
  const entry = (
    tag: number,
    type: typeof SHORT | typeof LONG,
    values: { count: number; value: number },
  ): void => {
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, type, true)
    view.setUint32(at + 4, values.count, true)
    // A lone SHORT stands left-aligned in the four bytes, which little-endian order gives for free.
    view.setUint32(at + 8, values.value, true)
    at += 12
  }
  entry(TIFF.width, LONG, { count: 1, value: width })
  entry(TIFF.height, LONG, { count: 1, value: height })
  entry(TIFF.bitsPerSample, SHORT, { count: 3, value: triples })
  entry(TIFF.compression, SHORT, { count: 1, value: 1 })
  entry(TIFF.photometric, SHORT, { count: 1, value: 1 })
  entry(TIFF.stripOffsets, LONG, { count: 1, value: pixels })
  entry(TIFF.samplesPerPixel, SHORT, { count: 1, value: 3 })
  entry(TIFF.rowsPerStrip, LONG, { count: 1, value: height })
  entry(TIFF.stripByteCounts, LONG, { count: 1, value: points.length * 4 })
  entry(TIFF.planarConfiguration, SHORT, { count: 1, value: 1 })
  entry(TIFF.sampleFormat, SHORT, { count: 3, value: triples + 6 })
  for (let sample = 0; sample < 3; sample++) {
    view.setUint16(triples + sample * 2, 32, true)
    view.setUint16(triples + 6 + sample * 2, 3, true)
  }
  for (let index = 0; index < points.length; index++)
    view.setFloat32(pixels + index * 4, points[index]!, true)
  return bytes
}
