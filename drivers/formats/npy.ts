/** NPY arrays (NumPy format 1.0 to 3.0) of shape [height, width, 3]. Pickled and structured arrays are refused unread. */
import { FormatError } from './format-error.ts'
import { halfToNumber } from './half-float.ts'
import { checkGrid, metresPerCount, toPointMap, type PointMap, type PointMapOptions } from './point-map.ts'
import { SCALARS, type Scalar } from './scalar.ts'

const FLOAT16 = {
  bytes: 2,
  kind: 'float',
  read: (view, offset, little) => halfToNumber(view.getUint16(offset, little)),
} satisfies Scalar

const KINDS: Readonly<Record<string, Scalar>> = {
  f2: FLOAT16,
  f4: SCALARS.float32,
  f8: SCALARS.float64,
  i1: SCALARS.int8,
  i2: SCALARS.int16,
  i4: SCALARS.int32,
  i8: SCALARS.int64,
  u1: SCALARS.uint8,
  u2: SCALARS.uint16,
  u4: SCALARS.uint32,
  u8: SCALARS.uint64,
}

export interface NpyArray {
  readonly shape: readonly number[]
  readonly kind: 'float' | 'integer'
  readonly count: number
  /** The element at a position in memory order. */
  at(position: number): number
  /** True when the first index runs fastest. */
  readonly fortranOrder: boolean
}

/** Reads an NPY file's bytes as a point map. `file` is its name in messages. Rejects with FormatError. */
export async function readNpy(
  file: string,
  bytes: Uint8Array,
  options: PointMapOptions = {},
): Promise<PointMap> {
  const array = readNpyArray(file, bytes)
  const [height = 0, width = 0, channels] = array.shape
  if (array.shape.length !== 3 || channels !== 3) {
    const hint =
      array.shape.length === 3 && array.shape[0] === 3 ? '; transpose it (numpy.moveaxis(a, 0, -1))' : ''
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: shape (${array.shape.join(', ')}), expected (height, width, 3)${hint}`,
    )
  }
  checkGrid(file, { width, height }, options)
  const scale = metresPerCount(file, array.kind, options)
  const pointsMetres = new Float32Array(array.count)
  const pixels = width * height
  for (let to = 0; to < array.count; to++) {
    if (!array.fortranOrder) pointsMetres[to] = array.at(to) * scale
    else {
      const pixel = Math.floor(to / 3)
      const position = Math.floor(pixel / width) + height * (pixel % width) + pixels * (to % 3)
      pointsMetres[to] = array.at(position) * scale
    }
  }
  return toPointMap(file, { width, height }, pointsMetres)
}

/** The array in an NPY file, of any shape, if it holds real numbers. Throws FormatError. */
export function readNpyArray(file: string, bytes: Uint8Array): NpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || view.getUint16(4) !== 0x5059) {
    throw new FormatError('FORMAT_UNREADABLE', `${file}: byte 0: expected the magic string \\x93NUMPY`)
  }
  const version = bytes[6]!
  if (version < 1 || version > 3) {
    throw new FormatError('FORMAT_UNSUPPORTED', `${file}: byte 6: NPY version ${version}, expected 1, 2 or 3`)
  }
  const headerStart = version === 1 ? 10 : 12
  const start = headerStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (start > bytes.length) {
    throw new FormatError(
      'FORMAT_TRUNCATED',
      `${file}: the header needs ${start} bytes, the file has ${bytes.length}`,
    )
  }
  const { scalar, littleEndian, fortranOrder, shape } = parseHeader(
    file,
    new TextDecoder('latin1').decode(bytes.subarray(headerStart, Math.min(start, headerStart + 4096))),
  )
  const count = shape.reduce((product, length) => product * length, 1)
  const expected = start + count * scalar.bytes
  if (expected > bytes.length) {
    throw new FormatError(
      'FORMAT_TRUNCATED',
      `${file}: (${shape.join(', ')}) needs ${expected} bytes, the file has ${bytes.length}`,
    )
  }
  if (expected < bytes.length) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: ${bytes.length - expected} bytes after the array, expected none`,
    )
  }
  const at = (position: number): number => scalar.read(view, start + position * scalar.bytes, littleEndian)
  return { shape, kind: scalar.kind, count, at, fortranOrder }
}

/** The header is a Python dict literal with exactly these keys, in any order; NumPy itself writes them sorted. */
function parseHeader(file: string, text: string) {
  const descr = /'descr'\s*:\s*'([<>|=])([a-zA-Z]\d+)'/.exec(text)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)
  const shape = /'shape'\s*:\s*\(([\d\s,]*)\)/.exec(text)
  if (order === null || shape === null || !text.trimStart().startsWith('{')) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: byte 10: expected a dict with descr, fortran_order and shape`,
    )
  }
  const kind = descr?.[2] ?? ''
  const scalar = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (scalar === undefined) {
    const found = /'descr'\s*:\s*([^,]{1,40})/.exec(text)?.[1] ?? 'missing'
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: dtype ${found}, expected real numbers such as '<f4'`,
    )
  }
  return {
    scalar,
    // '=' and '|' (one byte) are the writer's own order; every machine we run on, and nearly every writer, is little-endian.
    littleEndian: descr?.[1] !== '>',
    fortranOrder: order[1] === 'True',
    shape: (shape[1]!.match(/\d+/g) ?? []).map(Number),
  }
}
