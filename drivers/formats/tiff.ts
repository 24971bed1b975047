/**
 * TIFF point maps: three channels of float16/32/64 (or of integers, given their step), strips or tiles, interleaved or planar,
 * either byte order, BigTIFF; none, deflate, LZW, PackBits; both predictors. TIFF 6.0 and Adobe's technical note 3.
 *
 * Our own reader, because no library at hand passes, measured: geotiff 3.0 fails on big-endian files with 400 strips, and 5 KB of
 * damaged LZW make it loop until the heap is full; libvips 8.18 (sharp) refuses float64. Here every block is bounded before it is decoded.
 */
import { FormatError } from './format-error.ts'
import { halfToNumber } from './half-float.ts'
import {
  checkGrid,
  metresPerCount,
  toPointMap,
  type Grid,
  type PointMap,
  type PointMapOptions,
} from './point-map.ts'
import { limitsOf } from './limits.ts'
import {
  decompressBlock,
  TIFF_COMPRESSIONS,
  undoFloatingPointDifference,
  undoHorizontalDifference,
} from './tiff-block.ts'
import { readTiffDirectory, type TiffDirectory, type TiffTag } from './tiff-directory.ts'

interface Layout {
  readonly width: number
  readonly height: number
  readonly blockWidth: number
  readonly blockHeight: number
  readonly blocksAcross: number
  readonly blocksDown: number
  readonly planar: boolean
  readonly tiled: boolean
  readonly bitsPerSample: number
  readonly sampleFormat: number
  readonly compression: number
  readonly predictor: number
  readonly offsets: readonly number[]
  readonly byteCounts: readonly number[]
}

/** Reads a TIFF file's bytes as a point map. `file` is its name in messages. Rejects with FormatError. */
export async function readTiff(
  file: string,
  bytes: Uint8Array,
  options: PointMapOptions = {},
): Promise<PointMap> {
  const directory = readTiffDirectory(file, bytes)
  const layout = readLayout(file, directory, options)
  const scale = metresPerCount(file, layout.sampleFormat === 3 ? 'float' : 'integer', options)
  checkBlocks(file, layout, bytes.length)

  const pointsMetres = new Float32Array(layout.width * layout.height * 3)
  for (let index = 0; index < layout.offsets.length; index++) {
    const block = await readBlock({ file, bytes, directory, layout, index })
    placeBlock(pointsMetres, block, { layout, index, scale })
  }
  return toPointMap(file, layout, pointsMetres)
}

interface Tags {
  /** The tag's first value; refused when it is missing and no fallback is given. */
  one(tag: TiffTag, fallback?: number): number
  /** The same, and refused when it is not among `allowed`, of which the first is TIFF's default. */
  among(tag: TiffTag, allowed: readonly [number, ...number[]]): number
  /** The one value that all channels share. */
  shared(tag: TiffTag, fallback: number): number
}

function tagsOf(file: string, directory: TiffDirectory): Tags {
  const one = (tag: TiffTag, fallback?: number): number => {
    const value = directory.values(tag)?.[0] ?? fallback
    if (value === undefined) throw new FormatError('FORMAT_UNREADABLE', `${file}: tag ${tag} is missing`)
    return value
  }
  return {
    one,
    among(tag, allowed) {
      const value = one(tag, allowed[0])
      if (allowed.includes(value)) return value
      throw new FormatError(
        'FORMAT_UNSUPPORTED',
        `${file}: ${tag} ${value}, expected one of ${allowed.join(', ')}`,
      )
    },
    shared(tag, fallback) {
      const values = directory.values(tag) ?? [fallback]
      const first = one(tag, fallback)
      if (values.every((value) => value === first)) return first
      throw new FormatError(
        'FORMAT_UNSUPPORTED',
        `${file}: ${tag} ${values.slice(0, 8).join(', ')}, expected all alike`,
      )
    },
  }
}

function readLayout(file: string, directory: TiffDirectory, options: PointMapOptions): Layout {
  const tags = tagsOf(file, directory)
  const size = { width: tags.one('width'), height: tags.one('height') }
  const sampleType = readSampleType(file, tags)
  checkGrid(file, size, options)
  if (directory.hasNextPage) {
    throw new FormatError('FORMAT_UNSUPPORTED', `${file}: has more than one page, expected one map`)
  }
  // Black is zero or RGB: what writers choose for three channels of numbers.
  tags.among('photometric', [1, 2])
  tags.among('orientation', [1])
  tags.among('fillOrder', [1])
  const compression = tags.one('compression', 1)
  if (TIFF_COMPRESSIONS[compression] === undefined) {
    const known = [...new Set(Object.values(TIFF_COMPRESSIONS))].join(', ')
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: compression ${compression}, expected one of ${known}`,
    )
  }
  const tiled = directory.values('tileWidth') !== undefined
  return {
    ...size,
    ...sampleType,
    ...readBlocks(file, { tags, size, tiled, maxPixels: limitsOf(options.limits).maxPixels }),
    tiled,
    compression,
    planar: tags.among('planarConfiguration', [1, 2]) === 2,
    predictor: tags.among('predictor', sampleType.sampleFormat === 3 ? [1, 2, 3] : [1, 2]),
    offsets: directory.values(tiled ? 'tileOffsets' : 'stripOffsets') ?? [],
    byteCounts: directory.values(tiled ? 'tileByteCounts' : 'stripByteCounts') ?? [],
  }
}

function readSampleType(file: string, tags: Tags): Pick<Layout, 'sampleFormat' | 'bitsPerSample'> {
  const channels = tags.one('samplesPerPixel', 1)
  if (channels !== 3) {
    const hint = channels === 1 ? '; a depth map needs the camera to become points' : ''
    throw new FormatError('FORMAT_UNSUPPORTED', `${file}: ${channels} channels, expected 3 (x, y, z)${hint}`)
  }
  const sampleFormat = tags.shared('sampleFormat', 1)
  const bitsPerSample = tags.shared('bitsPerSample', 1)
  const wanted = sampleFormat === 3 ? [16, 32, 64] : [16, 32]
  if (![1, 2, 3].includes(sampleFormat) || !wanted.includes(bitsPerSample)) {
    throw new FormatError(
      'FORMAT_UNSUPPORTED',
      `${file}: ${bitsPerSample}-bit samples of format ${sampleFormat}, expected floating point of 16, 32 or 64 bits ` +
        '(format 3) or integers of 16 or 32 bits (format 1, 2)',
    )
  }
  return { sampleFormat, bitsPerSample }
}

interface BlocksRequest {
  readonly tags: Tags
  readonly size: Grid
  readonly tiled: boolean
  readonly maxPixels: number
}

function readBlocks(
  file: string,
  { tags, size, tiled, maxPixels }: BlocksRequest,
): Pick<Layout, 'blockWidth' | 'blockHeight' | 'blocksAcross' | 'blocksDown'> {
  const blockWidth = tiled ? tags.one('tileWidth') : size.width
  const blockHeight = tiled
    ? tags.one('tileHeight')
    : Math.min(tags.one('rowsPerStrip', size.height), size.height)
  const blocksAcross = Math.ceil(size.width / blockWidth)
  const blocksDown = Math.ceil(size.height / blockHeight)
  const about = `${file}: blocks of ${blockWidth} x ${blockHeight} pixels for ${size.width} x ${size.height}`
  if (blockWidth < 1 || blockHeight < 1) throw new FormatError('FORMAT_UNREADABLE', about)
  // Padding counts: a tile far larger than the picture would otherwise be a bomb in a small file.
  if (blockWidth * blockHeight * blocksAcross * blocksDown > maxPixels) {
    throw new FormatError('FORMAT_TOO_LARGE', `${about}, the limit is ${maxPixels}`)
  }
  return { blockWidth, blockHeight, blocksAcross, blocksDown }
}

/** Rows of pixels that a block holds: strips end with the picture, tiles are padded. */
function rowsOf(layout: Layout, blockRow: number): number {
  return layout.tiled
    ? layout.blockHeight
    : Math.min(layout.blockHeight, layout.height - blockRow * layout.blockHeight)
}

function blockPosition(layout: Layout, index: number): { row: number; column: number; plane: number } {
  const perPlane = layout.blocksAcross * layout.blocksDown
  const inPlane = index % perPlane
  return {
    plane: Math.floor(index / perPlane),
    row: Math.floor(inPlane / layout.blocksAcross),
    column: inPlane % layout.blocksAcross,
  }
}

function bytesOfRows(layout: Layout, rows: number): number {
  return rows * layout.blockWidth * (layout.planar ? 1 : 3) * (layout.bitsPerSample / 8)
}

/** All of the table before any of the data: a bad table is refused before the map is allocated. */
function checkBlocks(file: string, layout: Layout, fileBytes: number): void {
  const { offsets, byteCounts } = layout
  const expected = layout.blocksAcross * layout.blocksDown * (layout.planar ? 3 : 1)
  if (offsets.length !== expected || byteCounts.length !== expected) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: ${offsets.length} block offsets and ${byteCounts.length} byte counts, expected ${expected} of each`,
    )
  }
  for (let i = 0; i < expected; i++) {
    const end = offsets[i]! + byteCounts[i]!
    const needed =
      layout.compression === 1 ? bytesOfRows(layout, rowsOf(layout, blockPosition(layout, i).row)) : 1
    if (end > fileBytes || byteCounts[i]! < needed) {
      throw new FormatError(
        'FORMAT_TRUNCATED',
        `${file}: block ${i} at byte ${offsets[i]} has ${byteCounts[i]} bytes, expected ${needed} or more within ${fileBytes}`,
      )
    }
  }
}

interface BlockRequest {
  readonly file: string
  readonly bytes: Uint8Array
  readonly directory: TiffDirectory
  readonly layout: Layout
  readonly index: number
}

async function readBlock({ file, bytes, directory, layout, index }: BlockRequest): Promise<DataViewInOrder> {
  const offset = layout.offsets[index]!
  const where = `${file}: block ${index} at byte ${offset}`
  const packed = bytes.subarray(offset, offset + layout.byteCounts[index]!)
  const block = await decompressBlock(
    where,
    layout.compression,
    packed,
    bytesOfRows(layout, layout.blockHeight),
  )
  const needed = bytesOfRows(layout, rowsOf(layout, blockPosition(layout, index).row))
  if (block.length < needed) {
    throw new FormatError('FORMAT_TRUNCATED', `${where} holds ${block.length} bytes, expected ${needed}`)
  }
  const stride = layout.planar ? 1 : 3
  const { littleEndian } = directory
  const rows = {
    samplesPerRow: layout.blockWidth * stride,
    stride,
    bytesPerSample: layout.bitsPerSample / 8,
    littleEndian,
  }
  if (layout.predictor === 2) undoHorizontalDifference(block, rows)
  if (layout.predictor === 3) undoFloatingPointDifference(block, rows)
  return {
    view: new DataView(block.buffer, block.byteOffset, block.byteLength),
    littleEndian: layout.predictor === 3 ? false : littleEndian,
  }
}

interface DataViewInOrder {
  readonly view: DataView
  readonly littleEndian: boolean
}

function placeBlock(
  pointsMetres: Float32Array,
  { view, littleEndian }: DataViewInOrder,
  { layout, index, scale }: { layout: Layout; index: number; scale: number },
): void {
  const { row, column, plane } = blockPosition(layout, index)
  const sample = sampleReader(view, layout, littleEndian)
  const firstRow = row * layout.blockHeight
  const firstColumn = column * layout.blockWidth
  const rows = Math.min(layout.blockHeight, layout.height - firstRow)
  const columns = Math.min(layout.blockWidth, layout.width - firstColumn)
  const channels = layout.planar ? 1 : 3
  for (let y = 0; y < rows; y++) {
    let to = ((firstRow + y) * layout.width + firstColumn) * 3 + plane
    let from = y * layout.blockWidth * channels
    for (let x = 0; x < columns; x++, to += 3) {
      for (let channel = 0; channel < channels; channel++) pointsMetres[to + channel] = sample(from++) * scale
    }
  }
}

function sampleReader(view: DataView, layout: Layout, littleEndian: boolean): (index: number) => number {
  switch (`${layout.sampleFormat}-${layout.bitsPerSample}`) {
    case '3-16':
      return (i) => halfToNumber(view.getUint16(i * 2, littleEndian))
    case '3-64':
      return (i) => view.getFloat64(i * 8, littleEndian)
    case '2-16':
      return (i) => view.getInt16(i * 2, littleEndian)
    case '2-32':
      return (i) => view.getInt32(i * 4, littleEndian)
    case '1-16':
      return (i) => view.getUint16(i * 2, littleEndian)
    case '1-32':
      return (i) => view.getUint32(i * 4, littleEndian)
    default:
      return (i) => view.getFloat32(i * 4, littleEndian)
  }
}
