import t from 'tap'
import { readPcd } from '../../../drivers/formats/pcd.ts'
import { pcdFile, smallMap } from '../../support/point-map-files.ts'

const map = smallMap(6, 4)

for (const data of ['ascii', 'binary', 'binary_compressed'] as const) {
  t.test(`reads ${data}`, async (t) => {
    t.same(await readPcd('a.pcd', pcdFile(map, data)), { width: 6, height: 4, pointsMetres: map.points })
  })
}

const header = {
  VERSION: '0.7',
  FIELDS: 'x y z',
  SIZE: '4 4 4',
  TYPE: 'F F F',
  COUNT: '1 1 1',
  WIDTH: '2',
  HEIGHT: '2',
  POINTS: '4',
  DATA: 'ascii',
}
const points = '1 2 3\n4 5 6\n7 8 9\n1 1 1\n'

function pcd(
  changes: Partial<Record<keyof typeof header, string | undefined>> = {},
  body: string | Uint8Array = points,
): Buffer {
  const lines = Object.entries({ ...header, ...changes }).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} ${value}\n`],
  )
  return Buffer.concat([Buffer.from(lines.join('')), Buffer.from(body)])
}

t.test('reads fields in any order, with several numbers each, and NaN', async (t) => {
  const file = pcd(
    { FIELDS: 'normal z x y', SIZE: '4 4 4 4', TYPE: 'F F F F', COUNT: '2 1 1 1' },
    '0 0 3 1 2\n\n0 0 6 4 5\r\n0 0 nan nan nan\n0 0 1 1 1\n',
  )
  t.same((await readPcd('a.pcd', file)).pointsMetres, Float32Array.of(1, 2, 3, 4, 5, 6, 0, 0, 0, 1, 1, 1))
})

t.test('COUNT and POINTS may be missing, as in old versions', async (t) => {
  const { width } = await readPcd('a.pcd', pcd({ VERSION: '.5', COUNT: undefined, POINTS: undefined }))
  t.equal(width, 2)
})

t.test('reads doubles and, with a step, integers', async (t) => {
  const body = Buffer.alloc(4 * 12)
  for (let i = 0; i < 4; i++) {
    body.writeDoubleLE(0.25, i * 12)
    body.writeInt16LE(-500, i * 12 + 8)
    body.writeUInt16LE(500, i * 12 + 10)
  }
  const file = pcd({ DATA: 'binary', SIZE: '8 2 2', TYPE: 'F I U' }, body)
  const { pointsMetres } = await readPcd('a.pcd', file, { integerStepMetres: 0.001 })
  t.same(pointsMetres.subarray(1, 3), Float32Array.of(-0.5, 0.5))
})

t.test('PCL leaves padding out of compressed data', async (t) => {
  const floats = Float32Array.of(1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
  const body = Buffer.concat([
    Buffer.alloc(8),
    Buffer.from([31]),
    Buffer.from(floats.buffer, 0, 32),
    Buffer.from([15]),
    Buffer.from(floats.buffer, 32),
  ])
  body.writeUInt32LE(body.length - 8, 0)
  body.writeUInt32LE(48, 4)
  const file = pcd(
    { DATA: 'binary_compressed', FIELDS: 'x _ y z', SIZE: '4 1 4 4', TYPE: 'F U F F', COUNT: '1 4 1 1' },
    body,
  )
  t.same((await readPcd('a.pcd', file)).pointsMetres, Float32Array.of(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3))
})

t.test('a list of points is a map only with its grid', async (t) => {
  const file = pcd({ WIDTH: '4', HEIGHT: '1' })
  await t.rejects(readPcd('a.pcd', file), {
    code: 'FORMAT_UNSUPPORTED',
    message: /unorganised.*give the grid/,
  })
  t.match(await readPcd('a.pcd', file, { grid: { width: 2, height: 2 } }), { width: 2, height: 2 })
  await t.rejects(readPcd('a.pcd', file, { grid: { width: 3, height: 2 } }), {
    code: 'FORMAT_UNSUPPORTED',
    message: /do not fill/,
  })
})

const cut = pcdFile(map, 'binary').subarray(0, -1)
const packed = pcdFile(map, 'binary_compressed')
const body = packed.indexOf('binary_compressed\n') + 'binary_compressed\n'.length
const packedWith = (change: (file: Buffer) => void): Buffer => {
  const file = Buffer.from(packed)
  change(file)
  return file
}
const refused: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
  ['an empty file', Buffer.alloc(0), 'FORMAT_UNREADABLE', /no DATA line/],
  ['what is no header', Buffer.from('hello\n'), 'FORMAT_UNREADABLE', /line 1/],
  ['an unknown version', pcd({ VERSION: '0.8' }), 'FORMAT_UNSUPPORTED', /version 0.8/],
  ['a missing line', pcd({ WIDTH: undefined }), 'FORMAT_UNREADABLE', /no WIDTH line/],
  ['rows of different length', pcd({ SIZE: '4 4' }), 'FORMAT_UNREADABLE', /differ in length/],
  ['a type that is none', pcd({ TYPE: 'F F Q' }), 'FORMAT_UNREADABLE', /TYPE Q SIZE 4/],
  ['no z', pcd({ FIELDS: 'x y w' }), 'FORMAT_UNSUPPORTED', /FIELDS x y w/],
  ['a negative width', pcd({ WIDTH: '-2' }), 'FORMAT_UNREADABLE', /WIDTH/],
  ['POINTS that are not WIDTH * HEIGHT', pcd({ POINTS: '5' }), 'FORMAT_UNREADABLE', /POINTS 5/],
  ['an unknown encoding', pcd({ DATA: 'zstd' }), 'FORMAT_UNSUPPORTED', /DATA zstd/],
  [
    'a bomb of a size',
    pcd({ WIDTH: '900000', HEIGHT: '900000', POINTS: undefined }),
    'FORMAT_TOO_LARGE',
    /limit/,
  ],
  ['integers without a step', pcd({ TYPE: 'I I I' }), 'FORMAT_UNSUPPORTED', /integerStepMetres/],
  ['ascii that is too short for its points', pcd({}, '1 2 3\n'), 'FORMAT_TRUNCATED', /4 lines/],
  [
    'ascii that ends early',
    pcd({}, '1.000 2.000 3.000\n1.000 2.000 3.000\n'),
    'FORMAT_TRUNCATED',
    /after 2 points/,
  ],
  [
    'a line with a number too few',
    pcd({}, '1 2 3\n4 5 6\n7 8\n9 1 1 1\n'),
    'FORMAT_UNREADABLE',
    /line 12: 2 numbers, expected 3/,
  ],
  ['a word among the numbers', pcd({}, '1 2 3\n4 x 6\n7 8 9\n1 1 1\n'), 'FORMAT_UNREADABLE', /line 11: "x"/],
  ['a cut binary body', cut, 'FORMAT_TRUNCATED', /24 points of 14 bytes/],
  ['compressed data without lengths', packed.subarray(0, body + 4), 'FORMAT_TRUNCATED', /two lengths/],
  ['a cut compressed body', packed.subarray(0, -1), 'FORMAT_TRUNCATED', /compressed data/],
  [
    'a wrong uncompressed length',
    packedWith((file) => file.writeUInt32LE(9, body + 4)),
    'FORMAT_UNREADABLE',
    /9 bytes uncompressed/,
  ],
  [
    'a promise that LZF cannot keep',
    packedWith((file) => file.writeUInt32LE(1, body)),
    'FORMAT_TRUNCATED',
    /packed into 1/,
  ],
  [
    'damaged compressed data',
    packedWith((file) => file.writeUInt8(0xff, body + 8)),
    'FORMAT_UNREADABLE',
    /LZF/,
  ],
]
for (const [title, file, code, message] of refused) {
  t.test(`refuses ${title}`, (t) => t.rejects(readPcd('a.pcd', file), { code, message }))
}
