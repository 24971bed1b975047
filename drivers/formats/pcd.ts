/** PCD point clouds (Point Cloud Library's format, versions .5 to 0.7): ascii, binary and binary_compressed, when organised. */
import { setImmediate } from 'node:timers/promises'
import { FormatError } from './format-error.ts'
import { decompressLzf, LZF_LARGEST_RATIO } from './lzf.ts'
import {
  checkGrid,
  metresPerCount,
  POINTS_PER_TURN,
  toPointMap,
  type Grid,
  type PointMap,
  type PointMapOptions,
} from './point-map.ts'
import { SCALARS, type Scalar } from './scalar.ts'
import { parseCoordinate, parseCount, textLines, type TextLines } from './text-lines.ts'

const LARGEST_HEADER_BYTES = 65536

interface Field {
  readonly name: string
  readonly scalar: Scalar
  readonly count: number
}

interface Header {
  readonly fields: readonly Field[]
  readonly grid: Grid
  readonly data: 'ascii' | 'binary' | 'binary_compressed'
  readonly lines: TextLines
}

/** Where x, y and z lie: byte of point p = offset + p * step. */
interface Columns {
  readonly view: DataView
  readonly columns: readonly { readonly scalar: Scalar; readonly offset: number; readonly step: number }[]
}

/** Reads a PCD file's bytes as a point map. `file` is its name in messages. Rejects with FormatError. */
export async function readPcd(
  file: string,
  bytes: Uint8Array,
  options: PointMapOptions = {},
): Promise<PointMap> {
  const header = readHeader(file, bytes)
  const grid = gridOf(file, header.grid, options)
  const axes = ['x', 'y', 'z'].map((name) => axisOf(file, header.fields, name))
  const scale = metresPerCount(
    file,
    axes.some((axis) => axis.scalar.kind === 'integer') ? 'integer' : 'float',
    options,
  )
  const count = grid.width * grid.height
  if (header.data === 'ascii')
    return toPointMap(file, grid, await readAscii({ file, bytes, header, count, scale }))

  const body =
    header.data === 'binary'
      ? binaryColumns(file, bytes, header, count)
      : compressedColumns(file, bytes, header, count)
  const pointsMetres = new Float32Array(count * 3)
  body.columns.forEach(({ scalar, offset, step }, axis) => {
    for (let p = 0; p < count; p++) {
      pointsMetres[p * 3 + axis] = scalar.read(body.view, offset + p * step, true) * scale
    }
  })
  return toPointMap(file, grid, pointsMetres)
}

function gridOf(file: string, stored: Grid, options: PointMapOptions): Grid {
  const { width, height } = stored
  const grid = options.grid ?? stored
  if (grid.width * grid.height !== width * height) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${width} x ${height} points do not fill the grid of ${grid.width} x ${grid.height} that was given`,
    )
  }
  // HEIGHT 1 is PCD's mark of an unorganised cloud; WIDTH 1 is the same cloud written the other way.
  if (grid.width === 1 || grid.height === 1) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: WIDTH ${width} HEIGHT ${height} is an unorganised cloud, expected rows and columns; ` +
        'if its points are in row order, give the grid (width and height)',
    )
  }
  checkGrid(file, grid, options)
  return grid
}

function axisOf(file: string, fields: readonly Field[], name: string): Field {
  const axis = fields.find((field) => field.name === name)
  if (axis?.count === 1) return axis
  const names = fields.map((field) => field.name).join(' ')
  throw new FormatError(
    'FORMAT_UNSUPPORTED',
    `${file}: FIELDS ${names.slice(0, 200)}, expected one number each of x, y, z`,
  )
}

function readHeader(file: string, bytes: Uint8Array): Header {
  const lines = textLines(bytes, 0, LARGEST_HEADER_BYTES)
  const entries = new Map<string, readonly string[]>()
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [key = '', ...words] = line.trim().split(/\s+/)
    const where = `${file}: line ${lines.lineNumber}`
    if (!/^[A-Z]+$/.test(key)) {
      throw new FormatError('FORMAT_UNREADABLE', `${where}: expected a PCD header line such as FIELDS x y z`)
    }
    entries.set(key, words)
    if (key === 'DATA') return { ...headerOf(file, entries), lines }
  }
  throw new FormatError('FORMAT_UNREADABLE', `${file}: no DATA line, expected a PCD header`)
}

function headerOf(file: string, entries: ReadonlyMap<string, readonly string[]>): Omit<Header, 'lines'> {
  const words = (key: string): readonly string[] => {
    const found = entries.get(key)
    if (found === undefined)
      throw new FormatError('FORMAT_UNREADABLE', `${file}: the header has no ${key} line`)
    return found
  }
  const [version = ''] = words('VERSION')
  if (!/^0?\.[567]$/.test(version)) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: PCD version ${version.slice(0, 20)}, expected .5 to 0.7`,
    )
  }
  const names = words('FIELDS')
  const sizes = words('SIZE')
  const types = words('TYPE')
  const counts = entries.get('COUNT') ?? names.map(() => '1')
  if (names.length === 0 || [sizes, types, counts].some((row) => row.length !== names.length)) {
    throw new FormatError('FORMAT_UNREADABLE', `${file}: FIELDS, SIZE, TYPE and COUNT differ in length`)
  }
  const fields = names.map((name, i): Field => {
    const scalar = scalarOf(types[i]!, sizes[i]!)
    if (scalar === undefined) {
      throw new FormatError(
        'FORMAT_UNREADABLE',
        `${file}: field ${name.slice(0, 40)} has TYPE ${types[i]} SIZE ${sizes[i]}`,
      )
    }
    return { name, scalar, count: parseCount(`${file}: COUNT`, counts[i]) }
  })
  const grid = {
    width: parseCount(`${file}: WIDTH`, words('WIDTH')[0]),
    height: parseCount(`${file}: HEIGHT`, words('HEIGHT')[0]),
  }
  const points = parseCount(`${file}: POINTS`, entries.get('POINTS')?.[0] ?? String(grid.width * grid.height))
  if (points !== grid.width * grid.height) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: POINTS ${points}, expected WIDTH * HEIGHT = ${grid.width * grid.height}`,
    )
  }
  const [data = ''] = words('DATA')
  if (data !== 'ascii' && data !== 'binary' && data !== 'binary_compressed') {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: DATA ${data.slice(0, 40)}, expected ascii, binary or binary_compressed`,
    )
  }
  return { fields, grid, data }
}

function scalarOf(type: string, size: string): Scalar | undefined {
  const name = `${{ F: 'float', I: 'int', U: 'uint' }[type] ?? '?'}${Number(size) * 8}`
  return Object.hasOwn(SCALARS, name) ? SCALARS[name as keyof typeof SCALARS] : undefined
}

interface AsciiBody {
  readonly file: string
  readonly bytes: Uint8Array
  readonly header: Header
  readonly count: number
  readonly scale: number
}

async function readAscii({ file, bytes, header, count, scale }: AsciiBody): Promise<Float32Array> {
  const wordsPerLine = header.fields.reduce((sum, field) => sum + field.count, 0)
  // Two bytes are the least that a number takes: a short file is refused before the map is allocated.
  truncatedIf(
    header.lines.offset + count * wordsPerLine * 2 - 1 > bytes.length,
    file,
    `${count} lines of points`,
    bytes,
  )
  const columns = ['x', 'y', 'z'].map((name) => {
    const at = header.fields.findIndex((field) => field.name === name)
    return header.fields.slice(0, at).reduce((sum, field) => sum + field.count, 0)
  })
  const pointsMetres = new Float32Array(count * 3)
  const lines = textLines(bytes, header.lines.offset)
  for (let p = 0; p < count;) {
    const line = lines.next()
    if (line === undefined) {
      throw new FormatError(
        'FORMAT_TRUNCATED',
        `${file}: ends after ${p} points, the header promises ${count}`,
      )
    }
    const words = line.trim().split(/\s+/)
    if (words[0] === '') continue
    const where = `${file}: line ${header.lines.lineNumber + lines.lineNumber}`
    if (words.length !== wordsPerLine) {
      throw new FormatError(
        'FORMAT_UNREADABLE',
        `${where}: ${words.length} numbers, expected ${wordsPerLine}`,
      )
    }
    for (let axis = 0; axis < 3; axis++) {
      pointsMetres[p * 3 + axis] = parseCoordinate(where, words[columns[axis]!]!) * scale
    }
    if (++p % POINTS_PER_TURN === 0) await setImmediate()
  }
  return pointsMetres
}

/** Point after point, each with all its fields. */
function binaryColumns(file: string, bytes: Uint8Array, header: Header, count: number): Columns {
  const start = header.lines.offset
  const step = pointBytes(header.fields)
  truncatedIf(start + count * step > bytes.length, file, `${count} points of ${step} bytes`, bytes)
  let offset = start
  const columns = header.fields.map((field) => {
    const at = offset
    offset += field.count * field.scalar.bytes
    return { name: field.name, scalar: field.scalar, offset: at, step }
  })
  return { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), columns: xyzOf(columns) }
}

/** Two lengths, then LZF over field after field, each with all its points. PCL leaves padding fields (`_`) out. */
function compressedColumns(file: string, bytes: Uint8Array, header: Header, count: number): Columns {
  const start = header.lines.offset
  truncatedIf(start + 8 > bytes.length, file, 'the two lengths of compressed data', bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const packedBytes = view.getUint32(start, true)
  const size = view.getUint32(start + 4, true)
  const fields = header.fields.filter((field) => field.name !== '_')
  if (size !== count * pointBytes(fields)) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: byte ${start + 4}: ${size} bytes uncompressed, expected ${count} points of ${pointBytes(fields)} bytes`,
    )
  }
  truncatedIf(start + 8 + packedBytes > bytes.length, file, `${packedBytes} bytes of compressed data`, bytes)
  // A promise that LZF cannot keep is refused before it is allocated.
  truncatedIf(size > packedBytes * LZF_LARGEST_RATIO, file, `${size} bytes packed into ${packedBytes}`, bytes)
  const body = decompressLzf(bytes.subarray(start + 8, start + 8 + packedBytes), size)
  if (body === undefined) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: byte ${start + 8}: LZF data does not unpack to ${size} bytes`,
    )
  }
  let offset = 0
  const columns = fields.map((field) => {
    const at = offset
    offset += count * field.count * field.scalar.bytes
    return { name: field.name, scalar: field.scalar, offset: at, step: field.count * field.scalar.bytes }
  })
  return { view: new DataView(body.buffer), columns: xyzOf(columns) }
}

function xyzOf<T extends { readonly name: string }>(columns: readonly T[]): readonly T[] {
  return ['x', 'y', 'z'].flatMap((name) => columns.find((column) => column.name === name) ?? [])
}

function pointBytes(fields: readonly Field[]): number {
  return fields.reduce((sum, field) => sum + field.count * field.scalar.bytes, 0)
}

function truncatedIf(short: boolean, file: string, what: string, bytes: Uint8Array): void {
  if (short) throw new FormatError('FORMAT_TRUNCATED', `${file}: ends at byte ${bytes.length} within ${what}`)
}
