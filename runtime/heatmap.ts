/**
 * The two pictures of a verdict, in the frame's own geometry: the map as a 16-bit grey PNG on an absolute scale (16384 is
 * the threshold, in every picture of every part), and a colour overlay for people. sharp works off the event loop.
 */
import sharp, { type Sharp } from 'sharp'
import type { Sample } from '../drivers/sample.ts'
import { INPUT_SIZE, type Placement } from '../models/features.ts'
import type { Decided } from '../models/inspection.ts'
import type { HeatmapScale } from './messages.ts'
import type { Picture } from './picture-queue.ts'
import { pngWithText } from './png-text.ts'
import { shadedDepth } from './shaded-depth.ts'

export const HEATMAP_SCALE: HeatmapScale = {
  encoding: 'png-grey16',
  zeroValue: 0,
  thresholdValue: 16_384,
  clippedAt: 65_535,
  linear: true,
}

export interface PictureOptions {
  readonly heatmapTopic: string
  /** Without it no overlay is made. */
  readonly overlayTopic?: string | undefined
  readonly seq: number
  /** Longest side, pixels; smaller frames keep their size. */
  readonly maxSize: number
}

export async function renderPictures(
  sample: Sample,
  decided: Pick<Decided, 'map' | 'placement'>,
  options: PictureOptions,
): Promise<Picture[]> {
  const properties = propertiesOf(sample, options.seq)
  const grid = await mapOnFrame(decided, options.maxSize)
  const heatmap: Picture = {
    topic: options.heatmapTopic,
    payload: await heatmapPng(grid, properties),
    contentType: 'image/png',
    properties: { ...properties, thresholdValue: String(HEATMAP_SCALE.thresholdValue) },
  }
  if (options.overlayTopic === undefined) return [heatmap]
  const payload = await (await overlay(sample, grid)).jpeg({ quality: 85 }).toBuffer()
  return [heatmap, { topic: options.overlayTopic, payload, contentType: 'image/jpeg', properties }]
}

/** The heatmap by itself, as it is published. */
export async function drawHeatmap(
  sample: Sample,
  decided: Pick<Decided, 'map' | 'placement'>,
  { seq, maxSize }: Pick<PictureOptions, 'seq' | 'maxSize'>,
): Promise<Buffer> {
  return heatmapPng(await mapOnFrame(decided, maxSize), propertiesOf(sample, seq))
}

/** The overlay as a PNG: for whoever looks closely, and not over a slow link. */
export async function drawOverlay(
  sample: Sample,
  decided: Pick<Decided, 'map' | 'placement'>,
  maxSize: number,
): Promise<Buffer> {
  return (await overlay(sample, await mapOnFrame(decided, maxSize))).png().toBuffer()
}

/** What the sensors saw, as a PNG: the camera's picture, else the depth, shaded. */
export function drawFrame(sample: Sample, maxSize: number): Promise<Buffer> {
  return sharp(background(sample), { raw: backgroundSize(sample) })
    .resize(maxSize, maxSize, { fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer()
}

function propertiesOf({ trigger }: Sample, seq: number): { seq: string; triggerId: string } {
  return { seq: String(seq), triggerId: trigger.id }
}

/** The map at the size of the published pictures, in units of the published scale. */
interface FrameMap {
  readonly width: number
  readonly height: number
  readonly values: Uint16Array
}

/** Undoes preprocessing's padding and resizing. */
async function mapOnFrame(
  { map, placement }: { map: Float32Array; placement: Placement },
  maxSize: number,
): Promise<FrameMap> {
  const { frameWidth, frameHeight, side, padLeft, padTop } = placement
  const scale = Math.min(1, maxSize / Math.max(frameWidth, frameHeight))
  const width = Math.max(1, Math.round(frameWidth * scale))
  const height = Math.max(1, Math.round(frameHeight * scale))
  const square = Math.max(width, height, Math.round(side * scale))
  const grey = Uint16Array.from(map, (value) =>
    Math.min(HEATMAP_SCALE.clippedAt, Math.max(0, Math.round(value * HEATMAP_SCALE.thresholdValue))),
  )
  const pixels = await sharp(grey, { raw: { width: INPUT_SIZE, height: INPUT_SIZE, channels: 1 } })
    .resize(square, square, { kernel: 'linear', fit: 'fill' })
    .extract({
      left: Math.min(square - width, Math.round(padLeft * scale)),
      top: Math.min(square - height, Math.round(padTop * scale)),
      width,
      height,
    })
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer()
  return { width, height, values: new Uint16Array(pixels.buffer, pixels.byteOffset, width * height) }
}

async function heatmapPng(
  { width, height, values }: FrameMap,
  about: Record<string, string>,
): Promise<Buffer> {
  const png = await sharp(values, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png({ compressionLevel: 6 })
    .toBuffer()
  return pngWithText(png, 'radar-edge/heatmap@1', JSON.stringify({ ...about, scale: HEATMAP_SCALE }))
}

async function overlay(sample: Sample, map: FrameMap): Promise<Sharp> {
  const { width, height } = map
  const heat = sharp(paint(map), { raw: { width, height, channels: 4 } })
  return sharp(background(sample), { raw: backgroundSize(sample) })
    .resize(width, height, { fit: 'fill' })
    .composite([{ input: await heat.png({ compressionLevel: 0 }).toBuffer() }])
}

function background({ frames }: Sample): Uint8Array {
  if (frames.rgb !== undefined) return frames.rgb.pixels
  return frames.xyz === undefined ? new Uint8Array(3) : shadedDepth(frames.xyz)
}

function backgroundSize({ frames }: Sample): { width: number; height: number; channels: 1 | 3 } {
  if (frames.rgb !== undefined) return { width: frames.rgb.width, height: frames.rgb.height, channels: 3 }
  const { width, height } = frames.xyz ?? { width: 1, height: 1 }
  return { width, height, channels: frames.xyz === undefined ? 3 : 1 }
}

/** Nothing is painted below half the threshold: a good part looks like itself. */
const VISIBLE_FROM = HEATMAP_SCALE.thresholdValue / 2
const STRONGEST_AT = HEATMAP_SCALE.thresholdValue * 2
const MAX_OPACITY = 170

// Seven samples of matplotlib's plasma: even in lightness, and readable with any kind of colour blindness.
const RAMP = [
  [13, 8, 135],
  [92, 1, 166],
  [156, 23, 158],
  [203, 70, 121],
  [237, 121, 83],
  [253, 179, 46],
  [240, 249, 33],
] as const

/** RGBA. The threshold is a contour, white inside and black outside, so that it shows on any part. */
function paint({ width, height, values }: FrameMap): Uint8Array {
  const pixels = new Uint8Array(width * height * 4)
  const threshold = HEATMAP_SCALE.thresholdValue
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = values[at]!
      if (value < VISIBLE_FROM) continue
      const strength = Math.min(1, (value - VISIBLE_FROM) / (STRONGEST_AT - VISIBLE_FROM))
      const [red, green, blue] = RAMP[Math.round(strength * (RAMP.length - 1))]!
      const opacity = Math.min(1, (value - VISIBLE_FROM) / (threshold - VISIBLE_FROM)) * MAX_OPACITY
      const isHot = value >= threshold
      const isEdge =
        (x > 0 && values[at - 1]! >= threshold !== isHot) ||
        (x < width - 1 && values[at + 1]! >= threshold !== isHot) ||
        (y > 0 && values[at - width]! >= threshold !== isHot) ||
        (y < height - 1 && values[at + width]! >= threshold !== isHot)
      const edge = isHot ? 255 : 0
      pixels[at * 4] = isEdge ? edge : red
      pixels[at * 4 + 1] = isEdge ? edge : green
      pixels[at * 4 + 2] = isEdge ? edge : blue
      pixels[at * 4 + 3] = isEdge ? 255 : opacity
    }
  }
  return pixels
}
