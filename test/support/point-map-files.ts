/** Small valid files of every format we read, written by hand from the formats' definitions, to be read, damaged and replayed. */
import { readFileSync } from 'node:fs'
import sharp from 'sharp'

export interface SmallMap {
  readonly width: number
  readonly height: number
  readonly points: Float32Array
}

/** x = c / 64, y = r / 32 - 1/4, z = 1/2 + ((7 r + c) % 16) / 64, exact in float16; (2, 3) is missing, if it is there. */
export function smallMap(width: number, height: number): SmallMap {
  const points = new Float32Array(width * height * 3)
  for (let i = 0; i < width * height; i++) {
    const row = Math.floor(i / width)
    const column = i % width
    if (row === 2 && column === 3) continue
    points.set([column / 64, row / 32 - 0.25, 0.5 + ((7 * row + column) % 16) / 64], i * 3)
  }
  return { width, height, points }
}

const join = (text: string, body: Uint8Array) => Buffer.concat([Buffer.from(text, 'latin1'), body])

export function npyFile({ width, height, points }: SmallMap, descr = '<f4'): Buffer {
  const header =
    `{'descr': '${descr}', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`.padEnd(117) + '\n'
  return join(
    `\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}${header}`,
    new Uint8Array(points.buffer),
  )
}

export function plyFile(
  map: SmallMap,
  format: 'ascii' | 'binary_little_endian' | 'binary_big_endian',
): Buffer {
  const { width, height, points } = map
  const header =
    `ply\nformat ${format} 1.0\nobj_info num_cols ${width}\nobj_info num_rows ${height}\n` +
    `element vertex ${width * height}\nproperty uchar red\nproperty float x\nproperty float y\nproperty float z\n` +
    'element face 1\nproperty list uchar int vertex_indices\nend_header\n'
  const rows = Array.from({ length: width * height }, (_, i) => points.subarray(i * 3, i * 3 + 3))
  if (format === 'ascii')
    return Buffer.from(`${header}${rows.map((row) => `9 ${[...row].join(' ')}\n`).join('')}3 0 1 2\n`)
  const body = Buffer.alloc(rows.length * 13 + 13)
  rows.forEach((row, i) => {
    body.writeUInt8(9, i * 13)
    row.forEach((value, axis) => {
      const at = i * 13 + 1 + axis * 4
      if (format === 'binary_little_endian') body.writeFloatLE(value, at)
      else body.writeFloatBE(value, at)
    })
  })
  return join(header, body)
}

export function pcdFile(map: SmallMap, data: 'ascii' | 'binary' | 'binary_compressed'): Buffer {
  const { width, height, points } = map
  const count = width * height
  const header =
    `# .PCD v0.7\nVERSION 0.7\nFIELDS label x y z\nSIZE 2 4 4 4\nTYPE U F F F\nCOUNT 1 1 1 1\nWIDTH ${width}\nHEIGHT ${height}\n` +
    `VIEWPOINT 0 0 0 1 0 0 0\nPOINTS ${count}\nDATA ${data}\n`
  if (data === 'ascii') {
    return Buffer.from(
      header +
        Array.from(
          { length: count },
          (_, i) => `7 ${[...points.subarray(i * 3, i * 3 + 3)].join(' ')}\n`,
        ).join(''),
    )
  }
  const body = Buffer.alloc(count * 14)
  const isPacked = data === 'binary_compressed'
  for (let i = 0; i < count; i++) {
    body.writeUInt16LE(7, isPacked ? i * 2 : i * 14)
    for (let axis = 0; axis < 3; axis++) {
      body.writeFloatLE(
        points[i * 3 + axis]!,
        isPacked ? count * (2 + axis * 4) + i * 4 : i * 14 + 2 + axis * 4,
      )
    }
  }
  if (!isPacked) return join(header, body)
  const packed = lzfLiterals(body)
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32LE(packed.length, 0)
  lengths.writeUInt32LE(body.length, 4)
  return join(header, Buffer.concat([lengths, packed]))
}

/** LZF without compression: runs of at most 32 literals. */
function lzfLiterals(body: Uint8Array): Buffer {
  const runs: Uint8Array[] = []
  for (let at = 0; at < body.length; at += 32) {
    const run = body.subarray(at, at + 32)
    runs.push(Uint8Array.of(run.length - 1), run)
  }
  return Buffer.concat(runs)
}

/** The same map in every TIFF layout, made by tifffile (test/fixtures/formats/make_tiff_variants.py). */
export function tiffVariants(): ReadonlyMap<string, Buffer> {
  const files = JSON.parse(
    readFileSync(new URL('../fixtures/formats/tiff-variants.json', import.meta.url), 'utf8'),
  ) as Record<string, string>
  return new Map(Object.entries(files).map(([name, text]) => [name, Buffer.from(text, 'base64')]))
}

/** 9 x 7 points, uncompressed. */
export function tiffFile(): Buffer {
  const file = tiffVariants().get('f4 little strips none')
  if (file === undefined) throw new Error('tiff-variants.json lacks its plain variant')
  return file
}

/** A gradient; `shift` tells one picture from another. */
export function pngFile(width: number, height: number, shift = 0): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + shift) % 256)
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

/** An 8-bit grey picture, e.g. a mask. */
export function greyPngFile(width: number, height: number, pixels: Uint8Array): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toBuffer()
}

/** A 16-bit grey picture, e.g. depth. */
export function deepPngFile(width: number, height: number, pixels: Uint16Array): Promise<Buffer> {
  return sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace('grey16')
    .png()
    .toBuffer()
}
