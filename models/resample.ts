/**
 * Resizing as the reference does it. The two rules differ on purpose: colour is antialiased and centre-aligned,
 * points are picked and never mixed, because the mean of two points on either side of an edge is a point in the air.
 */

export interface Size {
  readonly width: number
  readonly height: number
}

/** Interleaved 8-bit picture, row-major. */
export interface Raster extends Size {
  readonly channels: number
}

/** Catmull-Rom-like cubic with a = -0.5, support 2 (Pillow's BICUBIC; OpenCV's and torch's differ: a = -0.75). */
function cubic(distance: number): number {
  const x = Math.abs(distance)
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2
  return 0
}

/** Pillow's fixed point: 32 bits less 8 for the pixel and 2 of head-room for the cubic's overshoot. */
const PRECISION_BITS = 22

interface Taps {
  /** First source pixel of each output pixel. */
  readonly first: Int32Array
  /** How many source pixels follow from there. */
  readonly count: Int32Array
  /** `output * stride`, fixed-point weights. */
  readonly weights: Int32Array
  readonly stride: number
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc (src/libImaging/Resample.c), operation by operation. */
function bicubicTaps(from: number, to: number): Taps {
  const scale = from / to
  const filterScale = Math.max(scale, 1)
  const support = 2 * filterScale
  const stride = Math.ceil(support) * 2 + 1
  const first = new Int32Array(to)
  const count = new Int32Array(to)
  const weights = new Int32Array(to * stride)
  const exact = new Float64Array(stride)
  const perSource = 1 / filterScale
  for (let out = 0; out < to; out++) {
    const centre = (out + 0.5) * scale
    const low = Math.max(0, Math.trunc(centre - support + 0.5))
    const taps = Math.min(from, Math.trunc(centre + support + 0.5)) - low
    let sum = 0
    for (let tap = 0; tap < taps; tap++) {
      const weight = cubic((tap + low - centre + 0.5) * perSource)
      exact[tap] = weight
      sum += weight
    }
    for (let tap = 0; tap < taps; tap++) {
      const fixed = (exact[tap]! / sum) * (1 << PRECISION_BITS)
      weights[out * stride + tap] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5)
    }
    first[out] = low
    count[out] = taps
  }
  return { first, count, weights, stride }
}

/**
 * Pillow's `Image.resize(size, BICUBIC)`, bit for bit: antialiased, rows first, 8 bits between the passes.
 * (Pillow 13 takes the columns first for some tall pictures. The model's input is square: rows first in all versions.)
 *
 * @param pixels `height * width * channels` bytes.
 */
export function resizeBicubic(pixels: Uint8Array, from: Raster, to: Size): Uint8Array {
  const { channels } = from
  const wide: Uint8Array | Uint8ClampedArray =
    from.width === to.width ? pixels : resizeRows(pixels, from, to.width)
  return from.height === to.height
    ? Uint8Array.from(wide)
    : resizeColumns(wide, { width: to.width, height: from.height, channels }, to.height)
}

const HALF = 1 << (PRECISION_BITS - 1)

function resizeRows(pixels: Uint8Array, from: Raster, width: number): Uint8ClampedArray {
  const { channels, height } = from
  const { first, count, weights, stride } = bicubicTaps(from.width, width)
  // Clamped stores do Pillow's clip8; the values are whole, so they round nothing.
  const resized = new Uint8ClampedArray(width * height * channels)
  let out = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const start = (y * from.width + first[x]!) * channels
      const taps = count[x]!
      for (let channel = 0; channel < channels; channel++) {
        let sum = HALF
        for (let tap = 0, at = start + channel; tap < taps; tap++, at += channels) {
          sum += pixels[at]! * weights[x * stride + tap]!
        }
        resized[out++] = sum >> PRECISION_BITS
      }
    }
  }
  return resized
}

function resizeColumns(pixels: Uint8Array | Uint8ClampedArray, from: Raster, height: number): Uint8Array {
  const rowLength = from.width * from.channels
  const { first, count, weights, stride } = bicubicTaps(from.height, height)
  const resized = new Uint8ClampedArray(rowLength * height)
  const sums = new Int32Array(rowLength)
  for (let y = 0; y < height; y++) {
    sums.fill(HALF)
    for (let tap = 0; tap < count[y]!; tap++) {
      const weight = weights[y * stride + tap]!
      const row = (first[y]! + tap) * rowLength
      for (let x = 0; x < rowLength; x++) sums[x] = sums[x]! + pixels[row + x]! * weight
    }
    for (let x = 0; x < rowLength; x++) resized[y * rowLength + x] = sums[x]! >> PRECISION_BITS
  }
  return new Uint8Array(resized.buffer)
}

/**
 * Source position of every output position, `floor(out * from / to)`: torch's `nearest`, not centre-aligned, in exact
 * integers. (torch multiplies in float32 and is one pixel lower at a few positions of sides such as 1300 or 1900.)
 */
export function nearestPositions(from: number, to: number): Uint32Array {
  const positions = new Uint32Array(to)
  for (let out = 0; out < to; out++) positions[out] = Math.floor((out * from) / to)
  return positions
}
