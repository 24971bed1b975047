/** From a bridge's payload to a frame, in slices: 28 MB at once would hold up every other frame, verdict and timer. */
import { setImmediate } from 'node:timers/promises'
import { pointsFromDepth, pointsFromXyz, type Axis, type DepthOptions, type Lateral } from './depth-points.ts'
import { cleanPoints } from './clean-points.ts'
import type { FrameRemark, RgbFrame, XyzFrame } from './frame.ts'
import type { BridgeFrameHeader } from './bridge-protocol.ts'
import { float32Of, uint16Of } from './raw-samples.ts'

export interface RawBridgeFrame {
  readonly header: BridgeFrameHeader
  /** In a buffer of its own, which the frame may take over. */
  readonly payload: Uint8Array
  readonly exposedAtMs: number
  readonly remarks: readonly FrameRemark[]
}

/** One to two milliseconds of work on a small computer. */
const SLICE_PIXELS = 65_536

/** Rejects with the signal's reason. */
export async function frameOfBridge(
  sensor: string,
  raw: RawBridgeFrame,
  signal: AbortSignal,
): Promise<RgbFrame | XyzFrame> {
  const { header, exposedAtMs, remarks } = raw
  const { sequence, width, height } = header
  const common = {
    sensor,
    sequence,
    exposedAtMs,
    width,
    height,
    ...(remarks.length > 0 && { remarks }),
  }
  switch (header.format) {
    case 'RGB8':
      return { ...common, modality: 'rgb', pixels: raw.payload }
    case 'Mono8':
      return { ...common, modality: 'rgb', pixels: await threefold(raw, signal) }
    case 'C16':
    case 'C32f':
    case 'ABC32f':
      return { ...common, modality: 'xyz', pointsMetres: await pointsOf(raw, signal) }
  }
}

async function threefold({ header, payload }: RawBridgeFrame, signal: AbortSignal): Promise<Uint8Array> {
  const pixels = new Uint8Array(payload.length * 3)
  await inSlices(header, signal, ({ fromPixel, toPixel }) => {
    for (let pixel = fromPixel, at = fromPixel * 3; pixel < toPixel; pixel++) {
      const grey = payload[pixel]!
      pixels[at++] = grey
      pixels[at++] = grey
      pixels[at++] = grey
    }
  })
  return pixels
}

async function pointsOf({ header, payload }: RawBridgeFrame, signal: AbortSignal): Promise<Float32Array> {
  const [x, y, z] = axesOf(header)
  const { format, width, invalid } = header
  if (format === 'ABC32f' && invalid === undefined && [x, y, z].every(isMetres)) {
    const points = float32Of(payload)
    await inSlices(header, signal, ({ fromPixel, toPixel }) => {
      cleanPoints(points.subarray(fromPixel * 3, toPixel * 3))
    })
    return points
  }
  const points = new Float32Array(width * header.height * 3)
  const samples = format === 'C16' ? uint16Of(payload) : float32Of(payload)
  await inSlices(header, signal, ({ fromRow, rows, fromPixel, toPixel }) => {
    const options: DepthOptions = {
      width,
      height: rows,
      depth: z,
      lateral: lateralOf(header, fromRow),
      ...(invalid !== undefined && { invalid }),
    }
    const slice = points.subarray(fromPixel * 3, toPixel * 3)
    if (format === 'ABC32f') {
      const xyz = samples.subarray(fromPixel * 3, toPixel * 3)
      pointsFromXyz(xyz, { x, y, z, ...(invalid !== undefined && { invalid }) }, slice)
    } else pointsFromDepth(samples.subarray(fromPixel, toPixel), options, slice)
  })
  return points
}

/** As if the map began at this row. */
function lateralOf({ focal, centre, scale, offset }: BridgeFrameHeader, fromRow: number): Lateral {
  if (focal !== undefined) {
    return {
      kind: 'pinhole',
      focalXPixels: focal.x,
      focalYPixels: focal.y,
      principalXPixels: centre.x,
      principalYPixels: centre.y - fromRow,
    }
  }
  return {
    kind: 'grid',
    x: { scaleMetres: scale[0], offsetMetres: offset[0] },
    y: { scaleMetres: scale[1], offsetMetres: offset[1] + fromRow * scale[1] },
  }
}

function axesOf({ scale, offset }: BridgeFrameHeader): [Axis, Axis, Axis] {
  const axis = (index: 0 | 1 | 2): Axis => ({ scaleMetres: scale[index], offsetMetres: offset[index] })
  return [axis(0), axis(1), axis(2)]
}

const isMetres = ({ scaleMetres, offsetMetres }: Axis): boolean => scaleMetres === 1 && offsetMetres === 0

interface Slice {
  readonly fromRow: number
  readonly rows: number
  readonly fromPixel: number
  readonly toPixel: number
}

async function inSlices(
  { width, height }: BridgeFrameHeader,
  signal: AbortSignal,
  work: (slice: Slice) => void,
): Promise<void> {
  const rowsPerSlice = Math.max(1, Math.floor(SLICE_PIXELS / width))
  for (let fromRow = 0; fromRow < height; fromRow += rowsPerSlice) {
    if (fromRow > 0) await setImmediate()
    signal.throwIfAborted()
    const rows = Math.min(rowsPerSlice, height - fromRow)
    work({ fromRow, rows, fromPixel: fromRow * width, toPixel: (fromRow + rows) * width })
  }
}
