/** How a frame looks, in a few numbers that differ little between good parts: brightness, sharpness, returns, distance. */
import type { RgbFrame, XyzFrame } from './frame.ts'
import { BLACK, WHITE } from './frame-check.ts'

/**
 * Frames up to this side are kept and inspected as they are; larger ones are reduced and keep more than half of it, well above
 * the model's 224 (models/reduce.ts). So looks are measured at that scale: a limit learned from
 * a kept frame holds for the camera's own, and blur that the model cannot see does not count.
 */
export const WORKING_SIDE = 800

export interface PictureLook {
  /** Mean of red, green and blue, 0 to 255. */
  readonly brightness: number
  /** Share of pixels that are black in all three colours. */
  readonly darkShare: number
  readonly saturatedShare: number
  /** Mean squared brightness step between neighbours, over the mean brightness squared: twice the light is as sharp. */
  readonly sharpness: number
}

export interface PointsLook {
  /** Share of pixels with a point. */
  readonly returnsShare: number
  /** Median |z| of the points, metres. */
  readonly distanceMetres: number
}

/** Cells that are looked at: 1.3 ms of a picture with 1.3 megapixels, 9 ms of one with 12; 2 ms of points (2-core x86 VM). */
const SAMPLED_CELLS = 32_768

/** @param frame well-formed, with a point at least (`checkFrame`). */
export function lookOfPicture({ pixels, width, height }: RgbFrame): PictureLook {
  const cell = Math.ceil(Math.max(width, height) / WORKING_SIDE)
  const columns = Math.floor(width / cell)
  const rows = Math.floor(height / cell)
  const stride = Math.ceil(Math.sqrt((columns * rows) / SAMPLED_CELLS))
  const lightAt = (column: number, row: number): number => {
    let sum = 0
    for (let y = row * cell; y < (row + 1) * cell; y++) {
      let i = (y * width + column * cell) * 3
      for (const end = i + cell * 3; i < end; i++) sum += pixels[i]!
    }
    return sum / (cell * cell * 3)
  }
  let cells = 0
  let light = 0
  let dark = 0
  let saturated = 0
  let energy = 0
  let steps = 0
  for (let row = 0; row < rows; row += stride) {
    for (let column = 0; column < columns; column += stride) {
      const here = lightAt(column, row)
      const i = (row * cell * width + column * cell) * 3
      const brightest = Math.max(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!)
      const darkest = Math.min(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!)
      cells++
      light += here
      if (brightest <= BLACK) dark++
      if (darkest >= WHITE) saturated++
      if (column + 1 >= columns || row + 1 >= rows) continue
      energy += (lightAt(column + 1, row) - here) ** 2 + (lightAt(column, row + 1) - here) ** 2
      steps++
    }
  }
  const brightness = light / cells
  return {
    brightness,
    darkShare: dark / cells,
    saturatedShare: saturated / cells,
    sharpness: brightness === 0 || steps === 0 ? 0 : energy / steps / brightness ** 2,
  }
}

/** @param frame well-formed, with a point at least (`checkFrame`). */
export function lookOfPoints({ pointsMetres, width, height }: XyzFrame): PointsLook {
  const step = 3 * Math.ceil((width * height) / SAMPLED_CELLS)
  const distances = new Float32Array(Math.ceil(pointsMetres.length / step))
  let seen = 0
  let returns = 0
  for (let i = 0; i < pointsMetres.length; i += step) {
    seen++
    const z = pointsMetres[i + 2]!
    if (pointsMetres[i] === 0 && pointsMetres[i + 1] === 0 && z === 0) continue
    distances[returns++] = Math.abs(z)
  }
  const sorted = distances.subarray(0, returns).sort()
  return { returnsShare: returns / seen, distanceMetres: sorted[returns >> 1] ?? 0 }
}
