/** The header of a PLY file: what elements follow, in which order and types, and the grid if it names one. */
import { FormatError } from './format-error.ts'
import type { Grid } from './point-map.ts'
import { SCALARS, type Scalar } from './scalar.ts'
import { parseCount, textLines } from './text-lines.ts'

const LARGEST_HEADER_BYTES = 65536

const TYPES: Readonly<Record<string, Scalar>> = {
  ...SCALARS,
  char: SCALARS.int8,
  uchar: SCALARS.uint8,
  short: SCALARS.int16,
  ushort: SCALARS.uint16,
  int: SCALARS.int32,
  uint: SCALARS.uint32,
  float: SCALARS.float32,
  double: SCALARS.float64,
}

const FORMATS = ['ascii', 'binary_little_endian', 'binary_big_endian'] as const

export interface PlyElement {
  readonly name: string
  readonly count: number
  readonly properties: readonly PlyProperty[]
}

export interface PlyProperty {
  readonly name: string
  readonly scalar: Scalar
  /** Type of the length that precedes each list; undefined for a single number. */
  readonly listCount?: Scalar
}

export interface PlyHeader {
  readonly format: (typeof FORMATS)[number]
  readonly elements: readonly PlyElement[]
  readonly grid?: Grid
  readonly bodyOffset: number
  readonly lineCount: number
}

/** Reads the header. Throws FormatError. */
export function readPlyHeader(file: string, bytes: Uint8Array): PlyHeader {
  const lines = textLines(bytes, 0, LARGEST_HEADER_BYTES)
  if (lines.next()?.trim() !== 'ply')
    throw new FormatError('FORMAT_UNREADABLE', `${file}: line 1: expected "ply"`)
  let format: PlyHeader['format'] | undefined
  const elements: { name: string; count: number; properties: PlyProperty[] }[] = []
  const size = new Map<string, number>()
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const where = `${file}: line ${lines.lineNumber}`
    const [keyword = '', ...words] = line.trim().split(/\s+/)
    switch (keyword) {
      case 'format':
        format = FORMATS.find((known) => known === words[0])
        if (format === undefined || words[1] !== '1.0') {
          throw new FormatError(
            'FORMAT_UNSUPPORTED',
            `${where}: expected format ${FORMATS.join(', ')} of version 1.0`,
          )
        }
        break
      case 'comment':
      case 'obj_info': {
        const [key = '', value = ''] = words
        const name = { num_cols: 'width', num_rows: 'height', width: 'width', height: 'height' }[key]
        const isGrid = keyword === 'obj_info' ? key.startsWith('num_') : key === name
        if (name !== undefined && isGrid && words.length === 2) size.set(name, parseCount(where, value))
        break
      }
      case 'element':
        elements.push({ name: words[0] ?? '', count: parseCount(where, words[1]), properties: [] })
        break
      case 'property':
        propertiesOf(where, elements).push(propertyOf(where, words))
        break
      case 'end_header': {
        if (format === undefined)
          throw new FormatError('FORMAT_UNREADABLE', `${where}: no format line before it`)
        const width = size.get('width')
        const height = size.get('height')
        const grid = width === undefined || height === undefined ? {} : { grid: { width, height } }
        return { format, elements, ...grid, bodyOffset: lines.offset, lineCount: lines.lineNumber }
      }
      default:
        throw new FormatError(
          'FORMAT_UNREADABLE',
          `${where}: "${keyword.slice(0, 40)}", expected a PLY header line`,
        )
    }
  }
  throw new FormatError('FORMAT_UNREADABLE', `${file}: no end_header within ${LARGEST_HEADER_BYTES} bytes`)
}

function propertiesOf(where: string, elements: readonly { properties: PlyProperty[] }[]): PlyProperty[] {
  const element = elements.at(-1)
  if (element === undefined)
    throw new FormatError('FORMAT_UNREADABLE', `${where}: a property before any element`)
  return element.properties
}

function propertyOf(where: string, words: readonly string[]): PlyProperty {
  const type = (word: string | undefined): Scalar => {
    const scalar = word !== undefined && Object.hasOwn(TYPES, word) ? TYPES[word] : undefined
    if (scalar === undefined)
      throw new FormatError('FORMAT_UNREADABLE', `${where}: unknown type ${word?.slice(0, 40)}`)
    return scalar
  }
  if (words[0] !== 'list') return { name: words[1] ?? '', scalar: type(words[0]) }
  const listCount = type(words[1])
  if (listCount.kind === 'float')
    throw new FormatError('FORMAT_UNREADABLE', `${where}: a list length cannot be a float`)
  return { name: words[3] ?? '', scalar: type(words[2]), listCount }
}
