/** Points sorted into cubic cells, so that what is near in space is near in memory. Shared by the point kernels. */

export interface Cells {
  readonly sideMetres: number
  /** Least x, y, z of the points: the corner of cell (0,0,0). */
  readonly low: readonly [number, number, number]
  /** Cells along x, y, z. Cell (x,y,z) has the number `(z * ny + y) * nx + x`: a row along x is one run of points. */
  readonly spans: readonly [number, number, number]
  /** First place of each cell, and the end: `nx * ny * nz + 1`. */
  readonly starts: Uint32Array
  /** Place -> index of the point. Within a cell in ascending order. */
  readonly order: Uint32Array
  /** Coordinates by place. */
  readonly x: Float32Array
  readonly y: Float32Array
  readonly z: Float32Array
}

/** A cloud stretched by stray points still gets a table of bounded size; its cells are then fuller and slower, not wrong. */
const MOST_CELLS = 1 << 18

/** Least coordinate and width per axis, metres. @param pointsMetres `count * 3`, finite, at least one point. */
export function boundsOf(pointsMetres: Float32Array): {
  low: [number, number, number]
  extents: [number, number, number]
} {
  const end = pointsMetres.length - (pointsMetres.length % 3)
  const low: [number, number, number] = [Infinity, Infinity, Infinity]
  const extents: [number, number, number] = [0, 0, 0]
  for (let axis = 0; axis < 3; axis++) {
    let least = Infinity
    let greatest = -Infinity
    for (let at = axis; at < end; at += 3) {
      const value = pointsMetres[at]!
      if (value < least) least = value
      if (value > greatest) greatest = value
    }
    low[axis] = least
    extents[axis] = greatest - least
  }
  return { low, extents }
}

/**
 * Counting sort.
 *
 * @param pointsMetres `count * 3`, finite, at least one point.
 * @param pointsPerCell wanted if the points were one flat surface over their two longer extents; a real, rough and
 *   folded surface has about half as many per occupied cell.
 */
export function sortIntoCells(pointsMetres: Float32Array, pointsPerCell: number): Cells {
  const count = Math.floor(pointsMetres.length / 3)
  const { low, extents } = boundsOf(pointsMetres)
  const sideMetres = sideFor(extents, pointsPerCell / count)
  const spans = spansOf(extents, sideMetres)
  const [nx, ny, nz] = spans
  const [lowX, lowY, lowZ] = low
  const cellOf = new Uint32Array(count)
  const starts = new Uint32Array(nx * ny * nz + 1)
  for (let i = 0; i < count; i++) {
    const cx = Math.floor((pointsMetres[i * 3]! - lowX) / sideMetres)
    const cy = Math.floor((pointsMetres[i * 3 + 1]! - lowY) / sideMetres)
    const cz = Math.floor((pointsMetres[i * 3 + 2]! - lowZ) / sideMetres)
    const cell = (cz * ny + cy) * nx + cx
    cellOf[i] = cell
    starts[cell + 1]! += 1
  }
  for (let cell = 1; cell < starts.length; cell++) starts[cell]! += starts[cell - 1]!
  const next = starts.slice()
  const order = new Uint32Array(count)
  const x = new Float32Array(count)
  const y = new Float32Array(count)
  const z = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    const cell = cellOf[i]!
    const place = next[cell]!
    next[cell] = place + 1
    order[place] = i
    x[place] = pointsMetres[i * 3]!
    y[place] = pointsMetres[i * 3 + 1]!
    z[place] = pointsMetres[i * 3 + 2]!
  }
  return { sideMetres, low, spans, starts, order, x, y, z }
}

function sideFor(extents: readonly [number, number, number], share: number): number {
  const [longest, middle] = extents.toSorted((a, b) => b - a)
  // A line has no second extent; a thousandth of the first keeps its cells from shrinking to nothing.
  let side = Math.sqrt(longest! * Math.max(middle!, longest! / 1000) * share)
  // Every point in one place, or so near that the side underflows.
  if (!(side > 0)) side = longest! > 0 ? longest! : 1
  for (;;) {
    const [nx, ny, nz] = spansOf(extents, side)
    if (nx * ny * nz <= MOST_CELLS) return side
    side *= 1.3
  }
}

function spansOf(extents: readonly [number, number, number], side: number): [number, number, number] {
  return [
    Math.floor(extents[0] / side) + 1,
    Math.floor(extents[1] / side) + 1,
    Math.floor(extents[2] / side) + 1,
  ]
}
