/**
 * Patch grid -> anomaly map: bilinear to 224 (half-pixel centres, as torch's align_corners=False), then a Gaussian of
 * sigma 4 with 33 taps and reflected borders, in floats (numerics 5.3; M3DM blurs 8-bit pictures instead and breaks on an
 * all-zero map). Both steps are linear and separable, so together they are one 224 x 28 matrix per axis.
 */
import { GRID_COLUMNS, GRID_ROWS, INPUT_SIZE } from './features.ts'

const SIGMA_PIXELS = 4
const RADIUS_PIXELS = 16

/** @param patches 784 values, row-major. @returns 224 x 224. */
export function anomalyMap(patches: ArrayLike<number>): Float32Array {
  const rows = smoothedInterpolation(GRID_ROWS)
  const columns = smoothedInterpolation(GRID_COLUMNS)
  const tall = new Float64Array(INPUT_SIZE * GRID_COLUMNS)
  for (let y = 0; y < INPUT_SIZE; y++) {
    for (let row = 0; row < GRID_ROWS; row++) {
      const weight = rows[y * GRID_ROWS + row]!
      if (weight === 0) continue
      for (let column = 0; column < GRID_COLUMNS; column++) {
        tall[y * GRID_COLUMNS + column]! += weight * patches[row * GRID_COLUMNS + column]!
      }
    }
  }
  const map = new Float32Array(INPUT_SIZE * INPUT_SIZE)
  for (let y = 0; y < INPUT_SIZE; y++) {
    for (let x = 0; x < INPUT_SIZE; x++) {
      let sum = 0
      for (let column = 0; column < GRID_COLUMNS; column++) {
        sum += columns[x * GRID_COLUMNS + column]! * tall[y * GRID_COLUMNS + column]!
      }
      map[y * INPUT_SIZE + x] = sum
    }
  }
  return map
}

/** One axis of blur after interpolation: `224 * cells`; each row sums to 1. */
function smoothedInterpolation(cells: number): Float64Array {
  const taps = gaussianTaps()
  const matrix = new Float64Array(INPUT_SIZE * cells)
  for (let pixel = 0; pixel < INPUT_SIZE; pixel++) {
    for (let tap = -RADIUS_PIXELS; tap <= RADIUS_PIXELS; tap++) {
      const source = Math.max(0, ((reflected(pixel + tap) + 0.5) * cells) / INPUT_SIZE - 0.5)
      const cell = Math.floor(source)
      const next = Math.min(cell + 1, cells - 1)
      const weight = taps[tap + RADIUS_PIXELS]!
      matrix[pixel * cells + cell]! += weight * (1 - (source - cell))
      matrix[pixel * cells + next]! += weight * (source - cell)
    }
  }
  return matrix
}

/** torch's `reflect`: the border pixel itself is not repeated. */
function reflected(pixel: number): number {
  if (pixel < 0) return -pixel
  return pixel < INPUT_SIZE ? pixel : 2 * (INPUT_SIZE - 1) - pixel
}

function gaussianTaps(): Float64Array {
  const taps = Float64Array.from({ length: 2 * RADIUS_PIXELS + 1 }, (_, i) =>
    Math.exp(-((i - RADIUS_PIXELS) ** 2) / (2 * SIGMA_PIXELS ** 2)),
  )
  const sum = taps.reduce((total, tap) => total + tap, 0)
  return taps.map((tap) => tap / sum)
}
