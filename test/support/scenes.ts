import { planeFacingCamera, type Plane } from '../../calibration/plane.ts'
import { seededRandom } from '../../calibration/random.ts'
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { conditionOf, type Sample } from '../../drivers/sample.ts'

/** Rectangles in pixels: top, left, bottom, right (exclusive). */
export type Rectangle = readonly [number, number, number, number]

export interface Scene {
  readonly width?: number
  readonly height?: number
  /** Boxes on the table: where, and how high. */
  readonly boxes?: readonly { readonly at: Rectangle; readonly heightMetres: number }[]
  /** Pixels without a return. */
  readonly missing?: readonly Rectangle[]
  /** One pixel's width on the table. */
  readonly pitchMetres?: number
}

const header = { sequence: 0, exposedAtMs: 0 }

/** The table's plane in every scene: tilted a little, half a metre away. */
export const tablePlane: Plane = planeFacingCamera([0.02, -0.03, 1], -0.5)

const inside = (y: number, x: number, [top, left, bottom, right]: Rectangle) =>
  y >= top && y < bottom && x >= left && x < right

/** Boxes on the table, seen from straight above, with half a millimetre of noise. */
export function sceneXyz({
  width = 120,
  height = 120,
  boxes = [],
  missing = [],
  pitchMetres = 0.001,
}: Scene): XyzFrame {
  const random = seededRandom(9)
  const pointsMetres = new Float32Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const noise = 0.0005 * (random() - 0.5)
      if (missing.some((at) => inside(y, x, at))) continue
      const xMetres = (x - width / 2 + 0.25) * pitchMetres
      const yMetres = (y - height / 2 + 0.25) * pitchMetres
      const box = boxes.find(({ at }) => inside(y, x, at))
      const zMetres = 0.5 - 0.02 * xMetres + 0.03 * yMetres - (box?.heightMetres ?? 0) + noise
      pointsMetres.set([xMetres, yMetres, zMetres], (y * width + x) * 3)
    }
  }
  return { ...header, modality: 'xyz', sensor: 'profiler', width, height, pointsMetres }
}

/** Bright noise, no pixel black: what is black later was masked. */
export function sceneRgb({ width = 120, height = 120 }: Scene): RgbFrame {
  const random = seededRandom(10)
  const pixels = Uint8Array.from({ length: width * height * 3 }, () => 100 + Math.floor(100 * random()))
  return { ...header, modality: 'rgb', sensor: 'camera', width, height, pixels }
}

export function sceneSample(frames: { rgb?: RgbFrame; xyz?: XyzFrame }): Sample {
  return {
    trigger: { id: 'scene', atMs: 0, source: 'bench' },
    frames,
    absent: {},
    condition: conditionOf(frames),
  }
}
