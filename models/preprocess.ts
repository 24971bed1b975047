/** From a sample to the model's input: part found, squared, resized to 224, normalised (numerics 1.3, 1.4 and 10). */
import type { Plane } from '../calibration/plane.ts'
import type { RgbFrame, XyzFrame } from '../drivers/frame.ts'
import type { Absence, Sample } from '../drivers/sample.ts'
import type { BundleManifest } from './bundle-manifest.ts'
import { INPUT_SIZE, type ModelInput, type Placement } from './features.ts'
import { fillForeground } from './foreground.ts'
import { findPart } from './part.ts'
import { placeInSquare } from './placement.ts'
import { nearestPositions, resizeBicubic } from './resample.ts'

export interface PreprocessOptions {
  readonly input: BundleManifest['input']
  /** The station's calibrated plane; without one each frame's own is fitted. */
  readonly plane?: Plane
  /** Seeds the fit. */
  readonly seed: number
}

/** Nothing of the sample can be inspected. */
export interface NoInput {
  readonly condition: 'none'
  readonly absent: { readonly rgb?: Absence; readonly xyz?: Absence }
  readonly flags: readonly string[]
}

/** With fewer points there is no neighbourhood to describe, whatever the bundle's (numerics 10). */
const LEAST_POINTS = 128

/**
 * A point map without a usable part in it is `absent.xyz`, reason `rejected`, and narrows the condition. Reads the frames,
 * changes nothing in them.
 *
 * Flags: `xyz-far-points` (points dropped), `plane-skipped-*` (background not removed), `station-plane-off` (most of the
 * border lies off the calibrated plane), `few-points` (fewer than the bundle's centres: some repeat), `rgb-unmasked` (the
 * bundle expects the background masked, and nothing told it from the part).
 *
 * @param sample with frames that were admitted (admit.ts): right types and lengths, finite, metres, of one size.
 */
export function preprocess(sample: Sample, { input, plane, seed }: PreprocessOptions): ModelInput | NoInput {
  const { rgb, xyz } = sample.frames
  const absent: { xyz?: Absence } = {}
  const flags: string[] = []
  let points: PartPoints | undefined
  if (xyz) {
    const part = findPart(xyz, { plane, seed })
    flags.push(...part.flags)
    const placed = 'rejected' in part ? part : placePoints(xyz, part.pointsMetres)
    if ('rejected' in placed) absent.xyz = { reason: 'rejected', detail: placed.rejected }
    else points = placed
  }
  if (points && points.pixels.length < input.xyz.centres) flags.push('few-points')

  const frame = rgb ?? (points && xyz)
  if (!frame) return { condition: 'none', absent, flags }
  const placement = placeInSquare(frame.width, frame.height)
  const foreground = points ? foregroundOf(points) : new Uint8Array(INPUT_SIZE * INPUT_SIZE).fill(1)
  if (rgb && !points && input.rgb.masking === 'foreground') flags.push('rgb-unmasked')
  const mask = input.rgb.masking === 'foreground' ? foreground : undefined
  return {
    condition: rgb ? (points ? 'complete' : 'rgb-only') : 'xyz-only',
    ...(rgb && { rgb: normalise(squarePicture(rgb, placement, mask), input.rgb) }),
    ...(points && { xyz: points }),
    foreground,
    placement,
    absent,
    flags,
  }
}

type PartPoints = NonNullable<ModelInput['xyz']>

/** The part's points at the 224 x 224 positions: picked, never mixed. */
function placePoints(frame: XyzFrame, partMetres: Float32Array): PartPoints | { readonly rejected: string } {
  const { side, padTop, padLeft } = placeInSquare(frame.width, frame.height)
  const positions = nearestPositions(side, INPUT_SIZE)
  const points = new Float32Array(INPUT_SIZE * INPUT_SIZE * 3)
  const pixels = new Uint32Array(INPUT_SIZE * INPUT_SIZE)
  let found = 0
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const y = positions[Math.floor(pixel / INPUT_SIZE)]! - padTop
    const x = positions[pixel % INPUT_SIZE]! - padLeft
    if (x < 0 || y < 0 || x >= frame.width || y >= frame.height) continue
    const from = (y * frame.width + x) * 3
    if (partMetres[from] === 0 && partMetres[from + 1] === 0 && partMetres[from + 2] === 0) continue
    points.set(partMetres.subarray(from, from + 3), found * 3)
    pixels[found++] = pixel
  }
  if (found < LEAST_POINTS) {
    return { rejected: `${frame.sensor} sees a part of ${found} points, expected ${LEAST_POINTS} or more` }
  }
  // Copies: a view would keep the whole map alive.
  return { pointsMetres: points.slice(0, found * 3), pixels: pixels.slice(0, found) }
}

function foregroundOf({ pixels }: PartPoints): Uint8Array {
  const part = new Uint8Array(INPUT_SIZE * INPUT_SIZE)
  for (let n = 0; n < pixels.length; n++) part[pixels[n]!] = 1
  return fillForeground(part)
}

/** The frame in its zero-padded square, resized; where there is a mask, zero outside of it before resizing. */
function squarePicture(frame: RgbFrame, placement: Placement, mask: Uint8Array | undefined): Uint8Array {
  const { side, padTop, padLeft } = placement
  const square = new Uint8Array(side * side * 3)
  for (let y = 0; y < frame.height; y++) {
    const row = frame.pixels.subarray(y * frame.width * 3, (y + 1) * frame.width * 3)
    const at = ((y + padTop) * side + padLeft) * 3
    square.set(row, at)
    if (!mask) continue
    const maskRow = Math.floor(((y + padTop) * INPUT_SIZE) / side) * INPUT_SIZE
    for (let x = 0; x < frame.width; x++) {
      if (mask[maskRow + Math.floor(((x + padLeft) * INPUT_SIZE) / side)] === 0) {
        square.fill(0, at + x * 3, at + x * 3 + 3)
      }
    }
  }
  return resizeBicubic(
    square,
    { width: side, height: side, channels: 3 },
    { width: INPUT_SIZE, height: INPUT_SIZE },
  )
}

/** Interleaved bytes to planes: `(value / 255 - mean) / std` in float32 steps, as torchvision does. */
function normalise(pixels: Uint8Array, { mean, std }: BundleManifest['input']['rgb']): Float32Array {
  const plane = INPUT_SIZE * INPUT_SIZE
  const image = new Float32Array(3 * plane)
  for (const channel of [0, 1, 2] as const) {
    const table = Float32Array.from({ length: 256 }, (_, value) => {
      const centred = Math.fround(Math.fround(value / 255) - Math.fround(mean[channel]))
      return centred / Math.fround(std[channel])
    })
    for (let pixel = 0; pixel < plane; pixel++) {
      image[channel * plane + pixel] = table[pixels[pixel * 3 + channel]!]!
    }
  }
  return image
}
