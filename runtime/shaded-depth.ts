import type { XyzFrame } from '../drivers/frame.ts'

const MIDDLE_GREY = 140
/** The mean slope of a part moves the grey by this much. */
const CONTRAST = 30

/** A grey picture of a point map, lit from the upper left, for people. Pixels without a return are black. */
export function shadedDepth({ width, height, pointsMetres }: XyzFrame): Uint8Array {
  const slopes = new Float32Array(width * height)
  let sum = 0
  let count = 0
  for (let y = 1; y < height; y++) {
    for (let x = 1; x < width; x++) {
      const at = y * width + x
      const depth = pointsMetres[at * 3 + 2]!
      const left = pointsMetres[(at - 1) * 3 + 2]!
      const above = pointsMetres[(at - width) * 3 + 2]!
      if (depth === 0 || left === 0 || above === 0) continue
      // Towards the camera is smaller z: a face that looks to the upper left gets nearer to the right and down.
      slopes[at] = left - depth + (above - depth)
      sum += Math.abs(slopes[at]!)
      count += 1
    }
  }
  const gain = sum > 0 ? (CONTRAST * count) / sum : 0
  return Uint8Array.from(slopes, (slope, at) =>
    pointsMetres[at * 3 + 2] === 0 ? 0 : Math.min(255, Math.max(20, MIDDLE_GREY + slope * gain)),
  )
}
