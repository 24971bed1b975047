/** GStreamer pipelines as cameras and depth sensors: docs/gstreamer.md. */
import * as z from 'zod'
import type { Driver } from '../../drivers/driver.ts'
import { gstreamerCamera, gstreamerDepth } from '../../drivers/gstreamer-sensors.ts'
import { pipelineWords } from '../../drivers/pipeline-words.ts'
import { PICTURE_FORMATS, rawLayout, type RawFormat } from '../../drivers/pixel-formats.ts'
import { lens } from './lens.ts'
import { sharedKeys } from './sensor.ts'

const sidePixels = (side: string) =>
  z.int().min(1).max(16_384).describe(`${side} of the frames that the pipeline ends in, pixels.`)

const sharedPipelineKeys = {
  pipeline: z
    .string()
    .min(1)
    .max(8192)
    .superRefine((text, context) => {
      const problem = pipelineProblem(text)
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
    })
    .describe(
      'As after gst-launch-1.0 on a command line. It ends in raw video of the format and size below; with its own fdsink fd=3 in bare frames, whose size nobody checks.',
    ),
  width: sidePixels('Width'),
  height: sidePixels('Height'),
  rowBytes: z
    .int()
    .min(1)
    .max(262_144)
    .optional()
    .describe('From one row to the next, bytes. Default: as GStreamer pads them, to a multiple of 4.'),
  framesPerSecond: z
    .number()
    .min(0.1)
    .max(1000)
    .optional()
    .describe(
      'Rate of a source that runs by itself: silence for three periods, 500 ms at least, is a loss. Absent: the line triggers the camera, and it may be silent.',
    ),
  latencyMs: z
    .number()
    .min(0)
    .max(10_000)
    .default(0)
    .describe('From the start of exposure to the frame’s arrival at best: a pipe tells no exposure time.'),
}

export const gstreamerCameraSensor = z
  .strictObject({
    kind: z.literal('gstreamer'),
    ...sharedKeys('rgb'),
    ...sharedPipelineKeys,
    format: z.enum(PICTURE_FORMATS).default('RGB').describe('Pixels of the frames, as GStreamer names them.'),
  })
  .superRefine(checkRows)

export const gstreamerDepthSensor = z
  .strictObject({
    kind: z.literal('gstreamer'),
    ...sharedKeys('xyz'),
    ...sharedPipelineKeys,
    format: z.literal('GRAY16_LE').default('GRAY16_LE').describe('Depths, 16 bits a pixel.'),
    metresPerUnit: z.number().min(1e-7).max(1).default(0.001).describe('Metres in one step of the depths.'),
    offsetMetres: z
      .number()
      .min(-100)
      .max(100)
      .default(0)
      .describe('Depth in metres = sample × metresPerUnit + offsetMetres.'),
    invalidCode: z
      .int()
      .min(0)
      .max(65_535)
      .default(0)
      .describe('Sample of a pixel without a return, no unit.'),
    lens: lens.describe('Of the depth sensor; its manual or a calibration tells it.'),
  })
  .superRefine(checkRows)

export type GstreamerSensor = z.infer<typeof gstreamerCameraSensor> | z.infer<typeof gstreamerDepthSensor>

export function makeGstreamer(sensor: GstreamerSensor): Driver<'rgb'> | Driver<'xyz'> {
  if (sensor.format !== 'GRAY16_LE') {
    return gstreamerCamera({ ...pipelineOf(sensor), layout: layoutOf(sensor, sensor.format) })
  }
  const { metresPerUnit, offsetMetres, invalidCode, lens } = sensor
  return gstreamerDepth({
    ...pipelineOf(sensor),
    layout: layoutOf(sensor, sensor.format),
    depth: {
      depth: { scaleMetres: metresPerUnit, offsetMetres },
      invalid: invalidCode,
      lateral: { kind: 'pinhole', ...lens },
    },
  })
}

interface Rows {
  readonly format: RawFormat
  readonly width: number
  readonly height: number
  readonly rowBytes?: number | undefined
}

function layoutOf<F extends RawFormat>({ width, height, rowBytes }: Rows, format: F) {
  return rawLayout(format, { width, height }, rowBytes)
}

function pipelineOf({ name, pipeline, framesPerSecond, latencyMs }: GstreamerSensor) {
  return { name, pipeline, latencyMs, ...(framesPerSecond !== undefined && { framesPerSecond }) }
}

function pipelineProblem(text: string): string | undefined {
  try {
    const words = pipelineWords(text)
    if (words[0] === undefined || words[0].startsWith('-'))
      return 'expected a pipeline, without gst-launch-1.0 and its options'
    if (words[0].startsWith('gst-launch')) return 'expected what comes after gst-launch-1.0'
    if (words.at(-1) === '!') return 'expected an element after the last !'
    if (words.includes('fdsink') && !words.includes('fd=3')) return 'expected fdsink fd=3'
    return undefined
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return `expected a pipeline: ${error.message}`
  }
}

function checkRows(sensor: Rows, context: z.RefinementCtx): void {
  try {
    layoutOf(sensor, sensor.format)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    context.addIssue({ code: 'custom', path: ['rowBytes'], message: `expected whole rows: ${error.message}` })
  }
}
