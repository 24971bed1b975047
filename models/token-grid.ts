/**
 * From one token per centre to one per patch (numerics 3.3): interpolate to the pixels that have a point, average 3 x 3
 * without padding, average into 28 x 28. All three are linear in the tokens, so they are one sparse matrix
 * [784, centres] applied to [centres, width]; the reference's 224 x 224 x width map (231 MB at its width) never exists.
 */
import { sortIntoCells } from './cells.ts'
import { GRID_COLUMNS, GRID_PATCHES, GRID_ROWS, INPUT_SIZE } from './features.ts'

export interface Tokens {
  /** `count * 3`, metres. */
  readonly pointsMetres: Float32Array
  /** Raster index of each point in the 224 x 224 input; no two alike. */
  readonly pixels: Uint32Array
  /** `centres * 3`, metres. */
  readonly centres: Float32Array
  /** `centres * width`. */
  readonly tokens: Float32Array
  readonly width: number
}

/** Centres that a point's token is interpolated from. */
const NEAREST = 3
/** Added to the squared distance, m^2: the token of a centre stays finite on the centre itself. */
const DISTANCE_FLOOR = 1e-8

/** @returns `784 * width`, row-major patches. A patch without points is exactly zero, as background is in the reference. */
export function poolTokens({ pointsMetres, pixels, centres, tokens, width }: Tokens): Float32Array {
  const { nearest, weights } = interpolate(pointsMetres, centres)
  const pointAt = new Int32Array(INPUT_SIZE * INPUT_SIZE).fill(-1)
  for (let i = 0; i < pixels.length; i++) pointAt[pixels[i]!] = i

  const share = poolingWeights()
  const pooled = new Float32Array(GRID_PATCHES * width)
  const row = new Float64Array(centres.length / 3)
  const touched = new Uint32Array(row.length)
  const sums = new Float64Array(width)
  for (let patch = 0; patch < GRID_PATCHES; patch++) {
    const down = share[Math.floor(patch / GRID_COLUMNS)]!
    const across = share[patch % GRID_COLUMNS]!
    let touches = 0
    for (let r = 0; r < down.weights.length; r++) {
      for (let c = 0; c < across.weights.length; c++) {
        const point = pointAt[(down.first + r) * INPUT_SIZE + across.first + c]!
        if (point === -1) continue
        const pixelShare = down.weights[r]! * across.weights[c]!
        for (let k = point * NEAREST; k < (point + 1) * NEAREST; k++) {
          const weight = pixelShare * weights[k]!
          if (weight === 0) continue
          const centre = nearest[k]!
          if (row[centre] === 0) touched[touches++] = centre
          row[centre]! += weight
        }
      }
    }
    sums.fill(0)
    for (let n = 0; n < touches; n++) {
      const centre = touched[n]!
      const weight = row[centre]!
      row[centre] = 0
      for (let d = 0, at = centre * width; d < width; d++, at++) sums[d]! += weight * tokens[at]!
    }
    pooled.set(sums, patch * width)
  }
  return pooled
}

/** A patch with fewer foreground pixels (a quarter of its 64) is background. */
const FOREGROUND_PIXELS = 16
const PATCH_PIXELS = INPUT_SIZE / GRID_COLUMNS

/**
 * Which patches hold part of the foreground. A quarter: with one pixel enough, every silhouette patch would vote and be
 * judged by the table beside the part; with half, a thin part (a wire of three pixels) would have no vote at all.
 *
 * @param foreground `224 * 224`, 1 on the part.
 * @returns 784, 1 where the patch votes.
 */
export function foregroundPatches(foreground: Uint8Array): Uint8Array {
  const patches = new Uint8Array(GRID_PATCHES)
  for (let patchRow = 0; patchRow < GRID_ROWS; patchRow++) {
    for (let patchColumn = 0; patchColumn < GRID_COLUMNS; patchColumn++) {
      let pixels = 0
      for (let y = 0; y < PATCH_PIXELS; y++) {
        const start = (patchRow * PATCH_PIXELS + y) * INPUT_SIZE + patchColumn * PATCH_PIXELS
        for (let at = start; at < start + PATCH_PIXELS; at++) if (foreground[at] !== 0) pixels++
      }
      if (pixels >= FOREGROUND_PIXELS) patches[patchRow * GRID_COLUMNS + patchColumn] = 1
    }
  }
  return patches
}

/**
 * The three nearest centres of each point and their normalised inverse squared distances. Differences are taken
 * directly, in float64: the reference's |a|^2 + |b|^2 - 2ab loses them at half a metre (numerics 3.4).
 */
function interpolate(
  points: Float32Array,
  centres: Float32Array,
): { readonly nearest: Uint32Array; readonly weights: Float64Array } {
  const total = points.length / 3
  const wanted = Math.min(NEAREST, centres.length / 3)
  const nearest = new Uint32Array(total * NEAREST)
  const weights = new Float64Array(total * NEAREST)
  const { sideMetres, low, spans, starts, order, x, y, z } = sortIntoCells(centres, 2)
  const [nx, ny, nz] = spans
  const [lowX, lowY, lowZ] = low
  const guess = new Uint32Array([0, 1, 2])
  for (let i = 0; i < total; i++) {
    const px = points[i * 3]!
    const py = points[i * 3 + 1]!
    const pz = points[i * 3 + 2]!
    // The previous pixel's centres are near this one too: none of the wanted lies outside the ball through the farthest.
    let reach = 0
    for (let k = 0; k < wanted; k++) {
      const at = guess[k]! * 3
      const dx = centres[at]! - px
      const dy = centres[at + 1]! - py
      const dz = centres[at + 2]! - pz
      reach = Math.max(reach, dx * dx + dy * dy + dz * dz)
    }
    // A hair more, because a cell's place is not exact in its last digits.
    reach = Math.sqrt(reach) * (1 + 1e-6)
    const x0 = Math.max(0, Math.floor((px - reach - lowX) / sideMetres))
    const x1 = Math.min(nx - 1, Math.floor((px + reach - lowX) / sideMetres))
    const y0 = Math.max(0, Math.floor((py - reach - lowY) / sideMetres))
    const y1 = Math.min(ny - 1, Math.floor((py + reach - lowY) / sideMetres))
    const z0 = Math.max(0, Math.floor((pz - reach - lowZ) / sideMetres))
    const z1 = Math.min(nz - 1, Math.floor((pz + reach - lowZ) / sideMetres))
    let first = Infinity
    let second = Infinity
    let third = Infinity
    let firstCentre = 0
    let secondCentre = 0
    let thirdCentre = 0
    for (let layer = z0; layer <= z1; layer++) {
      for (let line = y0; line <= y1; line++) {
        const cells = (layer * ny + line) * nx
        for (let place = starts[cells + x0]!, end = starts[cells + x1 + 1]!; place < end; place++) {
          const dx = x[place]! - px
          const dy = y[place]! - py
          const dz = z[place]! - pz
          const square = dx * dx + dy * dy + dz * dz
          if (square > third) continue
          const centre = order[place]!
          if (square < first || (square === first && centre < firstCentre)) {
            third = second
            thirdCentre = secondCentre
            second = first
            secondCentre = firstCentre
            first = square
            firstCentre = centre
          } else if (square < second || (square === second && centre < secondCentre)) {
            third = second
            thirdCentre = secondCentre
            second = square
            secondCentre = centre
          } else if (square < third || centre < thirdCentre) {
            third = square
            thirdCentre = centre
          }
        }
      }
    }
    const at = i * NEAREST
    // With fewer than three centres the missing distances are infinite and weigh nothing.
    const firstWeight = 1 / (first + DISTANCE_FLOOR)
    const secondWeight = 1 / (second + DISTANCE_FLOOR)
    const thirdWeight = 1 / (third + DISTANCE_FLOOR)
    const sum = firstWeight + secondWeight + thirdWeight
    nearest[at] = guess[0] = firstCentre
    nearest[at + 1] = guess[1] = secondCentre
    nearest[at + 2] = guess[2] = thirdCentre
    weights[at] = firstWeight / sum
    weights[at + 1] = secondWeight / sum
    weights[at + 2] = thirdWeight / sum
  }
  return { nearest, weights }
}

interface PoolingWindow {
  /** First input row (or column) that the patch row (or column) sees. */
  readonly first: number
  readonly weights: Float64Array
}

/** 3-wide average without padding (224 -> 222), then adaptive average into 28 windows of 8 or 9, as weights on the 224. */
function poolingWeights(): PoolingWindow[] {
  const averaged = INPUT_SIZE - 2
  return Array.from({ length: GRID_ROWS }, (_, i) => {
    const first = Math.floor((i * averaged) / GRID_ROWS)
    const end = Math.ceil(((i + 1) * averaged) / GRID_ROWS)
    const weights = new Float64Array(end - first + 2)
    for (let at = 0; at < end - first; at++) {
      for (let tap = 0; tap < 3; tap++) weights[at + tap]! += 1 / 3 / (end - first)
    }
    return { first, weights }
  })
}
