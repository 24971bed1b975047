/** Exact k-nearest grouping around the picked centres, by cells (numerics 3.1, inference 3.1). */
import { sortIntoCells } from './cells.ts'

export interface NeighbourGroups {
  /** `centres * neighbours * 3`: neighbour minus centre, metres, nearest first. */
  readonly groups: Float32Array
  /** `centres * 3`, metres. */
  readonly centres: Float32Array
}

/** Points per cell, as a share of the neighbours wanted: a box of 5 cells' width then usually holds them all. */
const CELL_SHARE = 0.16
/** Cells left and right of the centre's own in the first box searched. */
const FIRST_REACH = 2

/**
 * For each centre its `neighbours` nearest points: itself included, ascending, of equally near ones the lowest index first.
 * A cloud with fewer points repeats the nearest, which is the centre itself: offsets of zero.
 *
 * @param pointsMetres `count * 3`, finite.
 * @param centreIndices indices of points, as `farthestPoints` gives them.
 */
export function neighbourGroups(
  pointsMetres: Float32Array,
  centreIndices: Uint32Array,
  neighbours: number,
): NeighbourGroups {
  const total = Math.floor(pointsMetres.length / 3)
  const groups = new Float32Array(centreIndices.length * neighbours * 3)
  const centres = new Float32Array(centreIndices.length * 3)
  if (centreIndices.length === 0) return { groups, centres }
  const wanted = Math.min(neighbours, total)
  const { sideMetres, low, spans, starts, order, x, y, z } = sortIntoCells(
    pointsMetres,
    Math.max(1, neighbours * CELL_SHARE),
  )
  const [nx, ny, nz] = spans
  const [lowX, lowY, lowZ] = low
  const squares = new Float64Array(total)
  const indices = new Uint32Array(total)
  const stack = new Int32Array(128)
  let out = 0
  for (let g = 0; g < centreIndices.length; g++) {
    const at = centreIndices[g]! * 3
    const px = pointsMetres[at]!
    const py = pointsMetres[at + 1]!
    const pz = pointsMetres[at + 2]!
    centres[g * 3] = px
    centres[g * 3 + 1] = py
    centres[g * 3 + 2] = pz
    const cx = Math.floor((px - lowX) / sideMetres)
    const cy = Math.floor((py - lowY) / sideMetres)
    const cz = Math.floor((pz - lowZ) / sideMetres)
    let found = 0
    for (let reach = FIRST_REACH; found < wanted; reach++) {
      const x0 = Math.max(0, cx - reach)
      const x1 = Math.min(nx - 1, cx + reach)
      const y0 = Math.max(0, cy - reach)
      const y1 = Math.min(ny - 1, cy + reach)
      const z0 = Math.max(0, cz - reach)
      const z1 = Math.min(nz - 1, cz + reach)
      // Everything nearer than the box's nearest open face has been looked at. A face on the cloud's own border has
      // nothing behind it. The last digits of a cell's place are not exact, hence the hair's breadth.
      const sure =
        Math.min(
          x0 > 0 ? px - (lowX + x0 * sideMetres) : Infinity,
          x1 < nx - 1 ? lowX + (x1 + 1) * sideMetres - px : Infinity,
          y0 > 0 ? py - (lowY + y0 * sideMetres) : Infinity,
          y1 < ny - 1 ? lowY + (y1 + 1) * sideMetres - py : Infinity,
          z0 > 0 ? pz - (lowZ + z0 * sideMetres) : Infinity,
          z1 < nz - 1 ? lowZ + (z1 + 1) * sideMetres - pz : Infinity,
        ) *
        (1 - 1e-6)
      const sureSquare = sure * sure
      found = 0
      for (let layer = z0; layer <= z1; layer++) {
        for (let line = y0; line <= y1; line++) {
          const row = (layer * ny + line) * nx
          for (let place = starts[row + x0]!, end = starts[row + x1 + 1]!; place < end; place++) {
            const dx = x[place]! - px
            const dy = y[place]! - py
            const dz = z[place]! - pz
            const square = dx * dx + dy * dy + dz * dz
            if (square <= sureSquare) {
              squares[found] = square
              indices[found] = order[place]!
              found++
            }
          }
        }
      }
    }
    sortNearest({ squares, indices, found, wanted, stack })
    for (let k = 0; k < neighbours; k++) {
      const from = indices[k < wanted ? k : 0]! * 3
      groups[out] = pointsMetres[from]! - px
      groups[out + 1] = pointsMetres[from + 1]! - py
      groups[out + 2] = pointsMetres[from + 2]! - pz
      out += 3
    }
  }
  return { groups, centres }
}

interface Found {
  readonly squares: Float64Array
  readonly indices: Uint32Array
  readonly found: number
  readonly wanted: number
  readonly stack: Int32Array
}

/** Short runs are sorted faster by insertion. */
const SHORT_RUN = 12

/** Quicksort of (square, index) pairs that leaves alone whatever lies behind the first `wanted`. */
function sortNearest({ squares, indices, found, wanted, stack }: Found): void {
  let depth = 0
  let low = 0
  let high = found - 1
  for (;;) {
    if (high - low < SHORT_RUN) {
      for (let i = low + 1; i <= high; i++) {
        const square = squares[i]!
        const index = indices[i]!
        let j = i - 1
        while (j >= low && (squares[j]! > square || (squares[j]! === square && indices[j]! > index))) {
          squares[j + 1] = squares[j]!
          indices[j + 1] = indices[j]!
          j--
        }
        squares[j + 1] = square
        indices[j + 1] = index
      }
      if (depth === 0) return
      high = stack[--depth]!
      low = stack[--depth]!
      continue
    }
    const middle = (low + high) >>> 1
    const square = squares[middle]!
    const index = indices[middle]!
    let i = low
    let j = high
    while (i <= j) {
      while (squares[i]! < square || (squares[i]! === square && indices[i]! < index)) i++
      while (squares[j]! > square || (squares[j]! === square && indices[j]! > index)) j--
      if (i > j) break
      const otherSquare = squares[i]!
      const otherIndex = indices[i]!
      squares[i] = squares[j]!
      indices[i] = indices[j]!
      squares[j] = otherSquare
      indices[j] = otherIndex
      i++
      j--
    }
    // The longer side waits, so that the stack holds at most two entries per halving.
    const rightMatters = i < wanted && i < high
    if (!rightMatters) {
      high = j
    } else if (j - low > high - i) {
      stack[depth++] = low
      stack[depth++] = j
      low = i
    } else {
      stack[depth++] = i
      stack[depth++] = high
      high = j
    }
  }
}
