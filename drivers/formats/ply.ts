/**
 * PLY point maps (Turk's format 1.0): ascii, binary_little_endian, binary_big_endian. PLY itself has no grid; it is taken from, in this
 * order, the caller, `obj_info num_cols` / `num_rows` (Stanford range scans), or `comment width` / `comment height`.
 * A `range_grid` element, if there, says which vertex each pixel has; otherwise the vertices are the grid, row by row.
 */
import { setImmediate } from 'node:timers/promises'
import { FormatError } from './format-error.ts'
import { limitsOf } from './limits.ts'
import {
  checkGrid,
  metresPerCount,
  POINTS_PER_TURN,
  toPointMap,
  type Grid,
  type PointMap,
  type PointMapOptions,
} from './point-map.ts'
import { readPlyHeader, type PlyElement, type PlyHeader } from './ply-header.ts'
import { parseCoordinate, textLines } from './text-lines.ts'
import type { Scalar } from './scalar.ts'

/** One element's values: a number per scalar property, a list per list property, in the header's order. */
type Row = (number | readonly number[])[]

interface RowSource {
  /** Fills `row` with the next record of the element. */
  read(element: PlyElement, row: Row): void
  skip(element: PlyElement): void
}

/** Reads a PLY file's bytes as a point map. `file` is its name in messages. Rejects with FormatError. */
export async function readPly(
  file: string,
  bytes: Uint8Array,
  options: PointMapOptions = {},
): Promise<PointMap> {
  const header = readPlyHeader(file, bytes)
  const vertex = header.elements.find((element) => element.name === 'vertex')
  if (vertex === undefined) throw new FormatError('FORMAT_UNSUPPORTED', `${file}: has no element vertex`)
  const axes = ['x', 'y', 'z'].map((name) => axisOf(file, vertex, name))
  const kind = axes.some((axis) => axis.scalar.kind === 'integer') ? 'integer' : 'float'
  const scale = metresPerCount(file, kind, options)
  const rangeGrid = header.elements.find((element) => element.name === 'range_grid')
  const grid = gridOf({ file, header, vertex, rangeGrid, options })

  const rows = header.format === 'ascii' ? asciiRows(file, bytes, header) : binaryRows(file, bytes, header)
  let vertices = new Float32Array(0)
  let vertexOfPixel: Int32Array | undefined
  for (const element of header.elements) {
    if (element === vertex) {
      vertices = await readVertices(rows, vertex, { indices: axes.map((axis) => axis.index), scale })
    } else if (element === rangeGrid) vertexOfPixel = await readRangeGrid(file, rows, rangeGrid, vertex.count)
    else rows.skip(element)
    // What follows the last element that we need is not read: faces do not matter to a map.
    if (vertices.length > 0 && (rangeGrid === undefined || vertexOfPixel !== undefined)) break
  }
  return toPointMap(file, grid, vertexOfPixel === undefined ? vertices : spread(vertices, vertexOfPixel))
}

function axisOf(file: string, vertex: PlyElement, name: string): { index: number; scalar: Scalar } {
  const index = vertex.properties.findIndex((property) => property.name === name)
  const property = vertex.properties[index]
  if (property !== undefined && property.listCount === undefined) return { index, scalar: property.scalar }
  throw new FormatError(
    'FORMAT_UNSUPPORTED',
    `${file}: element vertex has no property ${name}, expected x, y and z`,
  )
}

interface GridRequest {
  readonly file: string
  readonly header: PlyHeader
  readonly vertex: PlyElement
  readonly rangeGrid: PlyElement | undefined
  readonly options: PointMapOptions
}

function gridOf({ file, header, vertex, rangeGrid, options }: GridRequest): Grid {
  const grid = options.grid ?? header.grid
  if (grid === undefined) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${vertex.count} unorganised vertices, expected rows and columns: obj_info num_cols and num_rows in the header, ` +
        'or, if the vertices are in row order, the grid (width and height) from the caller',
    )
  }
  checkGrid(file, grid, options)
  const pixels = grid.width * grid.height
  const filler = rangeGrid ?? vertex
  if (filler.count !== pixels || vertex.count > limitsOf(options.limits).maxPixels) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${filler.count} records of ${filler.name}, expected ${grid.width} x ${grid.height} = ${pixels}`,
    )
  }
  return grid
}

async function readVertices(
  rows: RowSource,
  vertex: PlyElement,
  { indices, scale }: { indices: readonly number[]; scale: number },
): Promise<Float32Array<ArrayBuffer>> {
  const points = new Float32Array(vertex.count * 3)
  const row: Row = []
  for (let i = 0; i < vertex.count; i++) {
    if (i % POINTS_PER_TURN === 0) await setImmediate()
    rows.read(vertex, row)
    for (let axis = 0; axis < 3; axis++) points[i * 3 + axis] = Number(row[indices[axis]!]) * scale
  }
  return points
}

/** Per pixel the index of its vertex, or -1. */
async function readRangeGrid(
  file: string,
  rows: RowSource,
  element: PlyElement,
  vertices: number,
): Promise<Int32Array> {
  const at = element.properties.findIndex((property) => property.listCount !== undefined)
  const vertexOfPixel = new Int32Array(element.count).fill(-1)
  const row: Row = []
  for (let i = 0; i < element.count; i++) {
    if (i % POINTS_PER_TURN === 0) await setImmediate()
    rows.read(element, row)
    const list = row[at]
    if (
      !Array.isArray(list) ||
      list.length > 1 ||
      (list.length === 1 && !(list[0] >= 0 && list[0] < vertices))
    ) {
      throw new FormatError(
        'FORMAT_UNREADABLE',
        `${file}: range_grid record ${i}: expected none or one of ${vertices} vertices`,
      )
    }
    if (list.length === 1) vertexOfPixel[i] = list[0]
  }
  return vertexOfPixel
}

function spread(vertices: Float32Array, vertexOfPixel: Int32Array): Float32Array {
  const points = new Float32Array(vertexOfPixel.length * 3)
  vertexOfPixel.forEach((vertex, pixel) => {
    if (vertex >= 0) points.set(vertices.subarray(vertex * 3, vertex * 3 + 3), pixel * 3)
  })
  return points
}

/** Every list length is bounded by the bytes that are left, so a damaged one ends in an error and not in a long loop. */
function binaryRows(file: string, bytes: Uint8Array, header: PlyHeader): RowSource {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = header.format === 'binary_little_endian'
  let offset = header.bodyOffset
  const take = (length: number, element: PlyElement): number => {
    const at = offset
    if (at + length > bytes.length) {
      throw new FormatError(
        'FORMAT_TRUNCATED',
        `${file}: ends at byte ${bytes.length} within element ${element.name}`,
      )
    }
    offset += length
    return at
  }
  const readList = (countScalar: Scalar, scalar: Scalar, element: PlyElement): readonly number[] => {
    const count = countScalar.read(view, take(countScalar.bytes, element), little)
    if (count < 0) {
      throw new FormatError(
        'FORMAT_UNREADABLE',
        `${file}: byte ${offset}: a list of ${count} values in ${element.name}`,
      )
    }
    const at = take(count * scalar.bytes, element)
    return Array.from({ length: count }, (_, i) => scalar.read(view, at + i * scalar.bytes, little))
  }
  const read = (element: PlyElement, row: Row): void => {
    element.properties.forEach(({ scalar, listCount }, i) => {
      row[i] = listCount
        ? readList(listCount, scalar, element)
        : scalar.read(view, take(scalar.bytes, element), little)
    })
  }
  return {
    read,
    skip(element) {
      const hasList = element.properties.some((property) => property.listCount !== undefined)
      if (!hasList)
        take(element.count * element.properties.reduce((sum, { scalar }) => sum + scalar.bytes, 0), element)
      else for (let i = 0, row: Row = []; i < element.count; i++) read(element, row)
    },
  }
}

/** One record per line, as the format demands; a line with too few or too many numbers is refused, never shifted. */
function asciiRows(file: string, bytes: Uint8Array, header: PlyHeader): RowSource {
  const lines = textLines(bytes, header.bodyOffset)
  const nextWords = (element: PlyElement): string[] => {
    for (;;) {
      const line = lines.next()
      if (line === undefined) {
        throw new FormatError(
          'FORMAT_TRUNCATED',
          `${file}: ends within the ${element.count} lines of ${element.name}`,
        )
      }
      const words = line.trim().split(/\s+/)
      if (words[0] !== '') return words
    }
  }
  const read = (element: PlyElement, row: Row): void => {
    const words = nextWords(element)
    const where = `${file}: line ${header.lineCount + lines.lineNumber}`
    let used = 0
    const take = (): number => parseCoordinate(where, words[used++] ?? '')
    element.properties.forEach(({ listCount }, i) => {
      if (listCount === undefined) {
        row[i] = take()
        return
      }
      const count = take()
      if (!(Number.isInteger(count) && count >= 0 && count <= words.length)) {
        throw new FormatError('FORMAT_UNREADABLE', `${where}: a list of ${count} values`)
      }
      row[i] = Array.from({ length: count }, take)
    })
    if (used !== words.length) {
      throw new FormatError('FORMAT_UNREADABLE', `${where}: ${words.length} numbers, expected ${used}`)
    }
  }
  return {
    read,
    skip(element) {
      // A record without properties is an empty line, which is skipped anyway.
      if (element.properties.length > 0) for (let i = 0; i < element.count; i++) nextWords(element)
    },
  }
}
