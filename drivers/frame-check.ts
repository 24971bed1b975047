/** What one frame says about itself: is it well-formed, and can a part be seen in it at all? */
import type { Frame, Modality, RgbFrame, XyzFrame } from './frame.ts'
import type { Refusal } from './frame-refused.ts'

export interface FrameLimits {
  /** The size in the config; absent when any size will do. */
  readonly size?: { readonly width: number; readonly height: number }
  /** A point map with a smaller share of returns is rejected. Real parts of MVTec 3D-AD have 54 to 66 %. */
  readonly minimumReturns: number
  /** A picture with a larger share of black or of white pixels is rejected. */
  readonly maximumClipped: number
  /** Median distance of the points; outside of it the unit is wrong (numerics 10: millimetres look like 500 m). */
  readonly medianDistanceMetres: { readonly least: number; readonly most: number }
}

export const defaultFrameLimits: FrameLimits = {
  minimumReturns: 0.02,
  maximumClipped: 0.995,
  medianDistanceMetres: { least: 0.001, most: 20 },
}

// Of all 8 bits: a dark frame's noise stays below, and clipping sensors stop short of 255 after colour correction.
export const BLACK = 6
export const WHITE = 250
/** No inspection sensor sees further. Squared, it is far from the end of a float. */
const FARTHEST_METRES = 1000
/** Statistics of large frames are taken on about this many pixels. */
const SAMPLED_PIXELS = 65_536

/** Why this frame must not be used, or undefined. */
export function checkFrame(frame: Frame, modality: Modality, limits: FrameLimits): Refusal | undefined {
  return (
    checkShape(frame, modality, limits) ??
    (frame.modality === 'rgb' ? checkPicture(frame, limits) : checkPoints(frame, limits))
  )
}

function checkShape(frame: Frame, modality: Modality, { size }: FrameLimits): Refusal | undefined {
  // The types promise all of this. A driver over foreign bytes may still break it.
  if (frame.modality !== modality) return bad(`is of modality ${frame.modality}, expected ${modality}`)
  const { width, height } = frame
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    return bad(`has size ${width}x${height}, expected positive integers`)
  }
  if (size && (width !== size.width || height !== size.height)) {
    return bad(`is ${width}x${height}, the config says ${size.width}x${size.height}`)
  }
  const samples = frame.modality === 'rgb' ? frame.pixels : frame.pointsMetres
  const isOfType = frame.modality === 'rgb' ? samples instanceof Uint8Array : samples instanceof Float32Array
  if (!isOfType)
    return bad(`has samples of the wrong type, expected ${modality === 'rgb' ? 'bytes' : 'floats'}`)
  if (samples.length !== width * height * 3) {
    return bad(`has ${samples.length} samples, expected ${width * height * 3} for ${width}x${height}`)
  }
  if (!Number.isFinite(frame.exposedAtMs))
    return bad(`was exposed at ${frame.exposedAtMs}, expected milliseconds`)
  return undefined
}

function checkPicture({ pixels, width, height }: RgbFrame, limits: FrameLimits): Refusal | undefined {
  const step = 3 * Math.ceil((width * height) / SAMPLED_PIXELS)
  let total = 0
  let black = 0
  let white = 0
  let isUniform = true
  for (let i = 0; i < pixels.length; i += step) {
    const red = pixels[i]!
    const green = pixels[i + 1]!
    const blue = pixels[i + 2]!
    total++
    if (red <= BLACK && green <= BLACK && blue <= BLACK) black++
    if (red >= WHITE && green >= WHITE && blue >= WHITE) white++
    if (red !== pixels[0] || green !== pixels[1] || blue !== pixels[2]) isUniform = false
  }
  if (black > limits.maximumClipped * total)
    return rejected(`is black: ${percent(black, total)} of its pixels`)
  if (white > limits.maximumClipped * total)
    return rejected(`is white: ${percent(white, total)} of its pixels`)
  // One colour all over comes from a broken link or image processor, never from a lens.
  if (isUniform && total > 1) return rejected(`is one colour (${pixels.slice(0, 3).join(', ')}) all over`)
  return undefined
}

function checkPoints({ pointsMetres, width }: XyzFrame, limits: FrameLimits): Refusal | undefined {
  let returns = 0
  for (let i = 0; i < pointsMetres.length; i += 3) {
    const x = pointsMetres[i]!
    const y = pointsMetres[i + 1]!
    const z = pointsMetres[i + 2]!
    // Written so that NaN fails it too.
    if (!(Math.abs(x) < FARTHEST_METRES && Math.abs(y) < FARTHEST_METRES && Math.abs(z) < FARTHEST_METRES)) {
      const pixel = i / 3
      const where = `row ${Math.floor(pixel / width)}, column ${pixel % width}`
      return bad(`has the point (${x}, ${y}, ${z}) at ${where}, expected metres, (0,0,0) where there is none`)
    }
    if (x !== 0 || y !== 0 || z !== 0) returns++
  }
  const total = pointsMetres.length / 3
  if (returns === 0) return rejected('has no point at all')
  if (returns < limits.minimumReturns * total) {
    return rejected(
      `has points in ${percent(returns, total)} of its pixels, expected ${percent(limits.minimumReturns, 1)}`,
    )
  }
  const { least, most } = limits.medianDistanceMetres
  const median = medianDistance(pointsMetres, returns)
  if (median < least || median > most) {
    return rejected(
      `has a median |z| of ${median.toPrecision(3)}, expected ${least} to ${most} metres: wrong unit?`,
    )
  }
  return undefined
}

function medianDistance(pointsMetres: Float32Array, returns: number): number {
  const step = Math.ceil(returns / SAMPLED_PIXELS)
  const distances = new Float32Array(Math.ceil(returns / step))
  let seen = 0
  for (let i = 0; i < pointsMetres.length; i += 3) {
    if (pointsMetres[i] === 0 && pointsMetres[i + 1] === 0 && pointsMetres[i + 2] === 0) continue
    if (seen % step === 0) distances[seen / step] = Math.abs(pointsMetres[i + 2]!)
    seen++
  }
  return distances.sort()[distances.length >> 1]!
}

const bad = (detail: string): Refusal => ({ reason: 'bad-frame', detail })
const rejected = (detail: string): Refusal => ({ reason: 'rejected', detail })
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`
