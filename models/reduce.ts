/** Frames are reduced before they cross to the inference host: the model sees 224 pixels, a 12-megapixel pair need not travel. */
import sharp from 'sharp'
import type { RgbFrame, XyzFrame } from '../drivers/frame.ts'
import { WORKING_SIDE } from '../drivers/look.ts'
import type { Sample } from '../drivers/sample.ts'
import type { Inspection } from './inspection.ts'
import type { Mask } from './square-mask.ts'

export interface ReducedSample {
  readonly sample: Sample
  /** Frame pixels per reduced pixel; 1 when nothing was reduced. */
  readonly step: number
}

/**
 * Divides both frames by one whole number, so that a pixel of the reduced pair maps back exactly (`enlargeInspection`).
 * xyz: every step-th point of the organised grid, never an average over a depth edge. rgb: resized off-thread by sharp (Lanczos).
 * Preprocessing then works on the reduced grid: its square is padded to hundreds of reduced pixels, and clustering sees fewer
 * points. So a product's parts must be taught and inspected with frames of one size.
 * @param sample with frames that were admitted: of one size, if there are two.
 */
export async function reduceSample(sample: Sample): Promise<ReducedSample> {
  const { rgb, xyz } = sample.frames
  const frame = rgb ?? xyz
  if (!frame) return { sample, step: 1 }
  const step = Math.ceil(Math.max(frame.width, frame.height) / WORKING_SIDE)
  if (step === 1) return { sample, step }
  const frames = {
    ...(rgb && { rgb: await reduceRgb(rgb, step) }),
    ...(xyz && { xyz: reduceXyz(xyz, step) }),
  }
  return { sample: { ...sample, frames }, step }
}

/** Maps the places in an inspection of a reduced sample back into the frame that was captured. */
export function enlargeInspection(inspection: Inspection, original: Sample, step: number): Inspection {
  if (step === 1 || inspection.kind === 'undecided') return inspection
  const { rgb, xyz } = original.frames
  const frame = inspection.condition === 'xyz-only' ? xyz : rgb
  const { placement, regions } = inspection
  return {
    ...inspection,
    placement: {
      frameWidth: frame?.width ?? placement.frameWidth * step,
      frameHeight: frame?.height ?? placement.frameHeight * step,
      side: placement.side * step,
      padTop: placement.padTop * step,
      padLeft: placement.padLeft * step,
    },
    regions: regions.map(({ x, y, width, height, peak }) => ({
      x: x * step,
      y: y * step,
      width: width * step,
      height: height * step,
      peak,
    })),
  }
}

/** A defect mask for frames that were divided by so many pixels: a block with any defective pixel is defective. */
export function reduceMask({ width, height, pixels }: Mask, step: number): Mask {
  if (step === 1) return { width, height, pixels }
  const columns = Math.floor(width / step)
  const rows = Math.floor(height / step)
  const reduced = new Uint8Array(columns * rows)
  for (let y = 0; y < rows * step; y++) {
    for (let x = 0; x < columns * step; x++) {
      if (pixels[y * width + x]! > 0) reduced[Math.floor(y / step) * columns + Math.floor(x / step)] = 255
    }
  }
  return { width: columns, height: rows, pixels: reduced }
}

async function reduceRgb(frame: RgbFrame, step: number): Promise<RgbFrame> {
  const width = Math.floor(frame.width / step)
  const height = Math.floor(frame.height / step)
  const raw = { width: frame.width, height: frame.height, channels: 3 } as const
  const pixels = await sharp(frame.pixels, { raw, limitInputPixels: false })
    // Whole blocks only: a remainder would stretch the picture against the points.
    .extract({ left: 0, top: 0, width: width * step, height: height * step })
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer()
  return {
    ...frame,
    width,
    height,
    pixels: new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength),
  }
}

function reduceXyz(frame: XyzFrame, step: number): XyzFrame {
  const width = Math.floor(frame.width / step)
  const height = Math.floor(frame.height / step)
  const pointsMetres = new Float32Array(width * height * 3)
  const middle = Math.floor(step / 2)
  let to = 0
  for (let y = 0; y < height; y++) {
    let from = ((y * step + middle) * frame.width + middle) * 3
    for (let x = 0; x < width; x++) {
      pointsMetres[to] = frame.pointsMetres[from]!
      pointsMetres[to + 1] = frame.pointsMetres[from + 1]!
      pointsMetres[to + 2] = frame.pointsMetres[from + 2]!
      to += 3
      from += step * 3
    }
  }
  return { ...frame, width, height, pointsMetres }
}
