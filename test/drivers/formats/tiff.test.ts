import t from 'tap'
import { readTiff } from '../../../drivers/formats/tiff.ts'
import { smallMap, tiffFile, tiffVariants } from '../../support/point-map-files.ts'

for (const [name, bytes] of tiffVariants()) {
  t.test(`reads ${name} exactly`, async (t) => {
    const expected = name.includes('tiled') ? smallMap(20, 18) : smallMap(9, 7)
    const kind = name[0]!
    // Unsigned variants are shifted by 1000 steps, so that y stays positive.
    const shift = kind === 'u' ? 1000 : 0
    const map = await readTiff(name, bytes, kind === 'f' ? {} : { integerStepMetres: 1 / 64 })
    t.equal(map.width, expected.width)
    t.equal(map.height, expected.height)
    const points = expected.points.map((value, i) => {
      const pixel = Math.floor(i / 3) * 3
      return expected.points.subarray(pixel, pixel + 3).some((axis) => axis !== 0) ? value + shift / 64 : 0
    })
    t.same(map.pointsMetres, points)
  })
}

/** A little-endian classic TIFF: `[tag, type, value]` entries in one directory, values inline or as offsets. */
function tiffOf(entries: readonly (readonly [number, number, number, number?])[], tail = 0): Buffer {
  const file = Buffer.alloc(8 + 2 + entries.length * 12 + 4 + tail)
  file.write('II*\0')
  file.writeUInt32LE(8, 4)
  file.writeUInt16LE(entries.length, 8)
  entries.forEach(([tag, type, value, count = 1], i) => {
    file.writeUInt16LE(tag, 10 + i * 12)
    file.writeUInt16LE(type, 12 + i * 12)
    file.writeUInt32LE(count, 14 + i * 12)
    file.writeUInt32LE(value, 18 + i * 12)
  })
  return file
}

const SHORT = 3
const LONG = 4

/** A sound 2 x 2 map of zeros, uncompressed, before `changes`; a change of undefined drops the tag. */
function plain(changes: Record<number, number | undefined> = {}): Buffer {
  const tags: Record<number, number | undefined> = {
    256: 2,
    257: 2,
    258: 32,
    259: 1,
    262: 2,
    273: 8 + 2 + 20 * 12 + 4,
    277: 3,
    278: 2,
    279: 48,
    284: 1,
    339: 3,
    ...changes,
  }
  const entries = Object.entries(tags).flatMap(([tag, value]) =>
    value === undefined ? [] : [[Number(tag), LONG, value] as const],
  )
  while (entries.length < 20) entries.push([60000 + entries.length, LONG, 0])
  return tiffOf(entries, 48)
}

t.test('a map without a single point is still a map', async (t) => {
  const map = await readTiff('zeros', plain())
  t.same(map, { width: 2, height: 2, pointsMetres: new Float32Array(12) })
})

const refused: readonly (readonly [string, Record<number, number | undefined>, string, RegExp])[] = [
  ['one channel, a depth map', { 277: 1 }, 'FORMAT_UNSUPPORTED', /1 channels, expected 3.*depth map/],
  ['four channels', { 277: 4 }, 'FORMAT_UNSUPPORTED', /4 channels/],
  ['8-bit integers', { 258: 8, 339: 1 }, 'FORMAT_UNSUPPORTED', /8-bit samples/],
  ['complex samples', { 339: 6 }, 'FORMAT_UNSUPPORTED', /format 6/],
  ['integers without a step', { 339: 2 }, 'FORMAT_UNSUPPORTED', /integerStepMetres/],
  ['a row of points', { 257: 1, 278: 1 }, 'FORMAT_UNSUPPORTED', /list of points/],
  ['no width', { 256: undefined }, 'FORMAT_UNREADABLE', /width is missing/],
  ['a width of 0', { 256: 0 }, 'FORMAT_UNREADABLE', /whole numbers/],
  ['a bomb of a size', { 256: 4_000_000_000, 257: 4_000_000_000 }, 'FORMAT_TOO_LARGE', /limit/],
  ['a tile beyond the limit', { 322: 65536, 323: 65536 }, 'FORMAT_TOO_LARGE', /blocks of 65536/],
  ['a tile without rows', { 322: 16, 323: 0 }, 'FORMAT_UNREADABLE', /blocks of 16 x 0/],
  ['JPEG compression', { 259: 7 }, 'FORMAT_UNSUPPORTED', /compression 7, expected one of none, LZW/],
  ['a colour separation', { 262: 5 }, 'FORMAT_UNSUPPORTED', /photometric 5/],
  ['a turned picture', { 274: 6 }, 'FORMAT_UNSUPPORTED', /orientation 6/],
  ['an unknown planar configuration', { 284: 3 }, 'FORMAT_UNSUPPORTED', /planarConfiguration 3/],
  ['an unknown predictor', { 317: 9 }, 'FORMAT_UNSUPPORTED', /predictor 9/],
  ['too few strips', { 278: 1 }, 'FORMAT_UNREADABLE', /1 block offsets.*expected 2/],
  ['no strips', { 273: undefined }, 'FORMAT_UNREADABLE', /0 block offsets/],
  ['a strip beyond the end', { 273: 1_000_000 }, 'FORMAT_TRUNCATED', /block 0 at byte 1000000/],
  ['a strip that is too short', { 279: 47 }, 'FORMAT_TRUNCATED', /47 bytes, expected 48/],
  ['strips that unpack to too little', { 259: 32773 }, 'FORMAT_TRUNCATED', /holds/],
  ['damaged deflate data', { 259: 8 }, 'FORMAT_UNREADABLE', /deflate/],
]
for (const [title, changes, code, message] of refused) {
  t.test(`refuses ${title}`, (t) => t.rejects(readTiff('part.tiff', plain(changes)), { code, message }))
}

t.test('refuses samples of different sizes', async (t) => {
  const file = plain()
  // BitsPerSample becomes a list of two shorts: 32, 16.
  const at = 10 + 2 * 12
  file.writeUInt16LE(SHORT, at + 2)
  file.writeUInt32LE(2, at + 4)
  file.writeUInt16LE(32, at + 8)
  file.writeUInt16LE(16, at + 10)
  await t.rejects(readTiff('part.tiff', file), {
    code: 'FORMAT_UNSUPPORTED',
    message: /bitsPerSample 32, 16/,
  })
})

t.test('refuses a second page: which one would be the map?', async (t) => {
  const file = plain()
  file.writeUInt32LE(8, 10 + 20 * 12)
  await t.rejects(readTiff('part.tiff', file), { code: 'FORMAT_UNSUPPORTED', message: /more than one page/ })
})

t.test('millimetres are converted when told and refused when not', async (t) => {
  const metres = await readTiff('part.tiff', tiffFile())
  const file = plain()
  for (let i = 0; i < 4; i++) file.writeFloatLE(500, file.length - 48 + i * 12 + 8)
  await t.rejects(readTiff('part.tiff', file), { code: 'FORMAT_WRONG_UNIT', message: /500.0.*millimetres/ })
  const map = await readTiff('part.tiff', file, { unit: 'millimetres' })
  t.equal(map.pointsMetres[2], 0.5)
  t.equal(metres.pointsMetres[2], 0.5, 'and metres are left alone')
})
