/**
 * DBSCAN over a point cloud (numerics 1.3), exact: the labels of scikit-learn and Open3D.
 *
 * Cells have a diagonal of the radius, so all points of one cell are neighbours: a cell with enough points is all core
 * without a single distance, and a cell's core points are one cluster. A scanned surface has hundreds of points per
 * 6 mm ball, so almost everything is decided by counting.
 */
import { boundsOf } from './cells.ts'

export interface Clusters {
  /** Per point its cluster, or -1 for noise. Clusters are numbered by their first core point. */
  readonly labels: Int32Array
  /** Points per cluster. */
  readonly sizes: Uint32Array
}

/**
 * @param pointsMetres `count * 3`, finite.
 * @param options a core point has `minimumPoints` points (itself included) within `radiusMetres` (inclusive). A border
 *   point within reach of several clusters goes to the first.
 * @throws RangeError when the cloud is wider than 2^17 cells (450 m at 6 mm).
 */
export function cluster(
  pointsMetres: Float32Array,
  options: { readonly radiusMetres: number; readonly minimumPoints: number },
): Clusters {
  const { radiusMetres, minimumPoints } = options
  const count = Math.floor(pointsMetres.length / 3)
  const grid = sortIntoHashedCells(pointsMetres, radiusMetres)
  const core = corePoints(grid, radiusMetres, minimumPoints)
  const parent = uniteCells(grid, core, radiusMetres)

  const labels = new Int32Array(count).fill(-1)
  const labelOf = new Int32Array(grid.cells).fill(-1)
  const placeOf = new Uint32Array(count)
  for (let place = 0; place < count; place++) placeOf[grid.order[place]!] = place
  const sizes: number[] = []
  for (let i = 0; i < count; i++) {
    const place = placeOf[i]!
    if (core[place] === 0) continue
    const root = rootOf(parent, grid.cellAt[place]!)
    if (labelOf[root] === -1) labelOf[root] = sizes.push(0) - 1
    labels[i] = labelOf[root]!
  }
  for (let i = 0; i < count; i++) {
    if (core[placeOf[i]!] === 0)
      labels[i] = borderLabel(grid, { place: placeOf[i]!, core, parent, labelOf, radiusMetres })
    if (labels[i]! >= 0) sizes[labels[i]!]! += 1
  }
  return { labels, sizes: Uint32Array.from(sizes) }
}

interface HashedCells {
  readonly cells: number
  /** First place of each cell, and the end. */
  readonly starts: Uint32Array
  /** Place -> index of the point, and its cell. */
  readonly order: Uint32Array
  readonly cellAt: Uint32Array
  readonly points: Float32Array
  /** Occupied cells within reach of each, nearest offsets first, itself excluded: from `nearStarts[cell]` on. */
  readonly nearStarts: Uint32Array
  readonly near: Uint32Array
  /** Per cell: least and greatest x, y, z of its points. */
  readonly boxes: Float32Array
}

const MOST_CELLS_PER_AXIS = 2 ** 17

function sortIntoHashedCells(pointsMetres: Float32Array, radiusMetres: number): HashedCells {
  const count = Math.floor(pointsMetres.length / 3)
  // A hair less than radius / sqrt(3), so that rounding cannot put two points of one cell out of reach.
  const side = (radiusMetres / Math.sqrt(3)) * (1 - 1e-6)
  const { low, extents } = boundsOf(pointsMetres)
  for (const extent of extents) {
    if (extent / side >= MOST_CELLS_PER_AXIS - 4) {
      throw new RangeError(`a cloud ${extent} m wide has no ${radiusMetres} m neighbourhoods`)
    }
  }
  const [lowX, lowY, lowZ] = low
  // Open addressing; keys are whole numbers below 2^51, exact in a double.
  const mask = 2 ** Math.ceil(Math.log2(Math.max(16, count * 2))) - 1
  const keys = new Float64Array(mask + 1).fill(-1)
  const cellInSlot = new Uint32Array(mask + 1)
  const cellOf = new Uint32Array(count)
  const corners: number[] = []
  let cells = 0
  for (let i = 0; i < count; i++) {
    // Two empty layers around the cloud, so that no neighbour's number wraps round.
    const cx = Math.floor((pointsMetres[i * 3]! - lowX) / side) + 2
    const cy = Math.floor((pointsMetres[i * 3 + 1]! - lowY) / side) + 2
    const cz = Math.floor((pointsMetres[i * 3 + 2]! - lowZ) / side) + 2
    const key = keyOf(cx, cy, cz)
    let slot = slotOf(cx, cy, cz) & mask
    while (keys[slot] !== key && keys[slot] !== -1) slot = (slot + 1) & mask
    if (keys[slot] === -1) {
      keys[slot] = key
      cellInSlot[slot] = cells++
      corners.push(cx, cy, cz)
    }
    cellOf[i] = cellInSlot[slot]!
  }
  const starts = new Uint32Array(cells + 1)
  for (let i = 0; i < count; i++) starts[cellOf[i]! + 1]! += 1
  for (let cell = 0; cell < cells; cell++) starts[cell + 1]! += starts[cell]!
  const next = starts.slice()
  const order = new Uint32Array(count)
  const cellAt = new Uint32Array(count)
  const points = new Float32Array(count * 3)
  const boxes = new Float32Array(cells * 6)
  for (let cell = 0; cell < cells; cell++) {
    for (let axis = 0; axis < 3; axis++) {
      boxes[cell * 6 + axis * 2] = Infinity
      boxes[cell * 6 + axis * 2 + 1] = -Infinity
    }
  }
  for (let i = 0; i < count; i++) {
    const cell = cellOf[i]!
    const place = next[cell]!
    next[cell] = place + 1
    order[place] = i
    cellAt[place] = cell
    for (let axis = 0; axis < 3; axis++) {
      const value = pointsMetres[i * 3 + axis]!
      points[place * 3 + axis] = value
      if (value < boxes[cell * 6 + axis * 2]!) boxes[cell * 6 + axis * 2] = value
      if (value > boxes[cell * 6 + axis * 2 + 1]!) boxes[cell * 6 + axis * 2 + 1] = value
    }
  }
  const nearStarts = new Uint32Array(cells + 1)
  const near: number[] = []
  const reachable = reachableOffsets()
  for (let cell = 0; cell < cells; cell++) {
    for (const [ox, oy, oz] of reachable) {
      const cx = corners[cell * 3]! + ox
      const cy = corners[cell * 3 + 1]! + oy
      const cz = corners[cell * 3 + 2]! + oz
      const key = keyOf(cx, cy, cz)
      let slot = slotOf(cx, cy, cz) & mask
      while (keys[slot] !== key && keys[slot] !== -1) slot = (slot + 1) & mask
      if (keys[slot] === key) near.push(cellInSlot[slot]!)
    }
    nearStarts[cell + 1] = near.length
  }
  return { cells, starts, order, cellAt, points, nearStarts, near: Uint32Array.from(near), boxes }
}

function keyOf(cx: number, cy: number, cz: number): number {
  return (cx * MOST_CELLS_PER_AXIS + cy) * MOST_CELLS_PER_AXIS + cz
}

function slotOf(cx: number, cy: number, cz: number): number {
  const mixed = Math.imul(cx, 0x9e3779b1) ^ Math.imul(cy, 0x85ebca77) ^ Math.imul(cz, 0xc2b2ae3d)
  return mixed ^ (mixed >>> 15)
}

/** Offsets of the cells that can hold a point within the radius (sqrt(3) cells), nearest first, itself excluded. */
function reachableOffsets(): [number, number, number][] {
  const steps = [-2, -1, 0, 1, 2]
  const gap = (step: number) => Math.max(0, Math.abs(step) - 1)
  return steps
    .flatMap((x) => steps.flatMap((y) => steps.map((z): [number, number, number] => [x, y, z])))
    .filter(([x, y, z]) => (x !== 0 || y !== 0 || z !== 0) && gap(x) ** 2 + gap(y) ** 2 + gap(z) ** 2 <= 3)
    .sort((a, b) => Math.hypot(...a) - Math.hypot(...b))
}

function corePoints(grid: HashedCells, radiusMetres: number, minimumPoints: number): Uint8Array {
  const { cells, starts, near, nearStarts, points } = grid
  const core = new Uint8Array(points.length / 3)
  const square = radiusMetres * radiusMetres
  for (let cell = 0; cell < cells; cell++) {
    const own = starts[cell + 1]! - starts[cell]!
    if (own >= minimumPoints) {
      core.fill(1, starts[cell], starts[cell + 1])
      continue
    }
    for (let place = starts[cell]!; place < starts[cell + 1]!; place++) {
      let neighbours = own
      for (let n = nearStarts[cell]!; n < nearStarts[cell + 1]! && neighbours < minimumPoints; n++) {
        const other = near[n]!
        for (let q = starts[other]!; q < starts[other + 1]! && neighbours < minimumPoints; q++) {
          if (squaredDistance(points, place, q) <= square) neighbours++
        }
      }
      if (neighbours >= minimumPoints) core[place] = 1
    }
  }
  return core
}

/** Union-find over cells: cells with core points within reach of each other are one cluster. */
function uniteCells(grid: HashedCells, core: Uint8Array, radiusMetres: number): Uint32Array {
  const { cells, near, nearStarts } = grid
  const parent = Uint32Array.from({ length: cells }, (_, cell) => cell)
  for (let cell = 0; cell < cells; cell++) {
    for (let n = nearStarts[cell]!; n < nearStarts[cell + 1]!; n++) {
      const other = near[n]!
      if (other < cell) continue
      const a = rootOf(parent, cell)
      const b = rootOf(parent, other)
      if (a !== b && coresTouch(grid, { cell, other, core, radiusMetres }))
        parent[Math.max(a, b)] = Math.min(a, b)
    }
  }
  return parent
}

interface CellPair {
  readonly cell: number
  readonly other: number
  readonly core: Uint8Array
  readonly radiusMetres: number
}

function coresTouch(grid: HashedCells, { cell, other, core, radiusMetres }: CellPair): boolean {
  const { starts, points, boxes } = grid
  const square = radiusMetres * radiusMetres
  for (let p = starts[cell]!; p < starts[cell + 1]!; p++) {
    if (core[p] === 0 || squaredDistanceToBox(points, p, boxes, other) > square) continue
    for (let q = starts[other]!; q < starts[other + 1]!; q++) {
      if (core[q] === 1 && squaredDistance(points, p, q) <= square) return true
    }
  }
  return false
}

interface BorderQuery {
  readonly place: number
  readonly core: Uint8Array
  readonly parent: Uint32Array
  readonly labelOf: Int32Array
  readonly radiusMetres: number
}

/** First cluster with a core point within the radius, or -1. */
function borderLabel(grid: HashedCells, { place, core, parent, labelOf, radiusMetres }: BorderQuery): number {
  const { starts, near, nearStarts, points, cellAt } = grid
  const square = radiusMetres * radiusMetres
  const cell = cellAt[place]!
  let first = -1
  for (let n = nearStarts[cell]! - 1; n < nearStarts[cell + 1]!; n++) {
    const other = n < nearStarts[cell]! ? cell : near[n]!
    const label = labelOf[rootOf(parent, other)]!
    if (label === -1 || (first !== -1 && label >= first)) continue
    for (let q = starts[other]!; q < starts[other + 1]!; q++) {
      if (core[q] === 1 && squaredDistance(points, place, q) <= square) {
        first = label
        break
      }
    }
  }
  return first
}

function rootOf(parent: Uint32Array, cell: number): number {
  let root = cell
  while (parent[root] !== root) {
    parent[root] = parent[parent[root]!]!
    root = parent[root]!
  }
  return root
}

function squaredDistance(points: Float32Array, a: number, b: number): number {
  const dx = points[a * 3]! - points[b * 3]!
  const dy = points[a * 3 + 1]! - points[b * 3 + 1]!
  const dz = points[a * 3 + 2]! - points[b * 3 + 2]!
  return dx * dx + dy * dy + dz * dz
}

function squaredDistanceToBox(
  points: Float32Array,
  place: number,
  boxes: Float32Array,
  cell: number,
): number {
  let square = 0
  for (let axis = 0; axis < 3; axis++) {
    const value = points[place * 3 + axis]!
    const gap = Math.max(0, boxes[cell * 6 + axis * 2]! - value, value - boxes[cell * 6 + axis * 2 + 1]!)
    square += gap * gap
  }
  return square
}
