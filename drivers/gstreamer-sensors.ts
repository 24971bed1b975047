/** The two modalities of a GStreamer pipeline: pictures, and depth maps as GRAY16_LE. */
import { pointsFromDepth, type DepthOptions } from './depth-points.ts'
import type { Driver } from './driver.ts'
import { Gstreamer, type GstreamerOptions, type RawPicture } from './gstreamer.ts'
import { depthSamples, isPlainRgb, writeRgbRows, type PictureFormat } from './pixel-formats.ts'

type Options<M extends 'rgb' | 'xyz', F extends PictureFormat | 'GRAY16_LE'> = Omit<
  GstreamerOptions<M, F>,
  'modality' | 'convert'
>

export function gstreamerCamera(options: Options<'rgb', PictureFormat>): Driver<'rgb'> {
  return new Gstreamer({
    ...options,
    modality: 'rgb',
    async convert(raw, signal) {
      if (isPlainRgb(raw.layout)) return { frame: { pixels: raw.bytes }, keepsBytes: true }
      return { frame: { pixels: await rgbOf(raw, signal) }, keepsBytes: false }
    },
  })
}

export interface GstreamerDepthOptions extends Options<'xyz', 'GRAY16_LE'> {
  readonly depth: Omit<DepthOptions, 'width' | 'height'>
}

export function gstreamerDepth(options: GstreamerDepthOptions): Driver<'xyz'> {
  const { depth, ...rest } = options
  return new Gstreamer({
    ...rest,
    modality: 'xyz',
    async convert({ bytes, layout }) {
      const { width, height } = layout
      const pointsMetres = pointsFromDepth(depthSamples(bytes, layout), { ...depth, width, height })
      return { frame: { pointsMetres }, keepsBytes: false }
    },
  })
}

/** So many pixels take a millisecond or two: other sensors, verdicts and heartbeats wait no longer. */
const SLICE_PIXELS = 131_072

/** Converts in slices, between which the event loop turns. @throws the signal's reason */
async function rgbOf(raw: RawPicture<PictureFormat>, signal: AbortSignal): Promise<Uint8Array> {
  const { bytes, layout, colorimetry } = raw
  const { width, height } = layout
  const rgb: Uint8Array = Buffer.allocUnsafeSlow(width * height * 3)
  const step = Math.max(1, Math.floor(SLICE_PIXELS / width))
  for (let from = 0; from < height; from += step) {
    if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
    writeRgbRows(bytes, layout, { from, to: Math.min(height, from + step) }, rgb, colorimetry)
  }
  return rgb
}
