import t from 'tap'
import { readPly } from '../../../drivers/formats/ply.ts'
import { plyFile, smallMap } from '../../support/point-map-files.ts'

const map = smallMap(6, 4)

for (const format of ['ascii', 'binary_little_endian', 'binary_big_endian'] as const) {
  t.test(`reads ${format}`, async (t) => {
    t.same(await readPly('a.ply', plyFile(map, format)), { width: 6, height: 4, pointsMetres: map.points })
  })
}

const vertex = 'element vertex 4\nproperty float x\nproperty float y\nproperty float z\n'
const points = '1 2 3\n4 5 6\n7 8 9\n1 1 1\n'
const ply = (
  elements: string,
  body: string | Uint8Array,
  about = 'comment width 2\ncomment height 2\n',
  format = 'ascii',
) =>
  Buffer.concat([
    Buffer.from(`ply\nformat ${format} 1.0\n${about}${elements}end_header\n`),
    Buffer.from(body),
  ])

const expected = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1)

t.test('the grid may stand in a comment', async (t) => {
  t.same((await readPly('a.ply', ply(vertex, points))).pointsMetres, expected)
})

t.test('without a grid the vertices are a list, until the caller gives one', async (t) => {
  const file = ply(vertex, points, 'comment width of the part is 2\n')
  await t.rejects(readPly('a.ply', file), {
    code: 'FORMAT_UNSUPPORTED',
    message: /4 unorganised vertices.*num_cols/,
  })
  t.match(await readPly('a.ply', file, { grid: { width: 2, height: 2 } }), { width: 2, height: 2 })
  await t.rejects(readPly('a.ply', file, { grid: { width: 3, height: 2 } }), {
    code: 'FORMAT_UNSUPPORTED',
    message: /3 x 2 = 6/,
  })
})

t.test('elements before the vertices are skipped, lists and all', async (t) => {
  const elements = `element empty 3\nelement camera 2\nproperty int id\nelement face 2\nproperty list uchar short i\nproperty uchar c\n${vertex}`
  t.same((await readPly('a.ply', ply(elements, `1\n2\n3 1 2 3 9\n0 9\n${points}`))).pointsMetres, expected)
  const face = Buffer.from([3, 0, 1, 0, 2, 0, 3, 9, 0, 9])
  const body = Buffer.alloc(8 + face.length + 48)
  face.copy(body, 8)
  expected.forEach((value, i) => body.writeFloatBE(value, 8 + face.length + i * 4))
  const binary = ply(elements, body, undefined, 'binary_big_endian')
  t.same((await readPly('a.ply', binary)).pointsMetres, expected)
})

t.test('a range grid says which vertex each pixel has', async (t) => {
  const elements =
    'element vertex 2\nproperty float x\nproperty float y\nproperty float z\n' +
    'element range_grid 4\nproperty list uchar int vertex_indices\n'
  const about = 'obj_info num_cols 2\nobj_info num_rows 2\n'
  const file = ply(elements, '1 2 3\n4 5 6\n1 1\n0\n1 0\n0\n', about)
  t.same((await readPly('a.ply', file)).pointsMetres, Float32Array.of(4, 5, 6, 0, 0, 0, 1, 2, 3, 0, 0, 0))
  for (const record of ['1 2', '2 0 1', '1 -1']) {
    const bad = ply(elements, `1 2 3\n4 5 6\n${record}\n0\n1 0\n0\n`, about)
    await t.rejects(readPly('a.ply', bad), { code: 'FORMAT_UNREADABLE', message: /range_grid record 0/ })
  }
})

t.test('integers need a step', async (t) => {
  const file = ply(vertex.replaceAll('float', 'ushort'), points)
  await t.rejects(readPly('a.ply', file), { code: 'FORMAT_UNSUPPORTED', message: /integerStepMetres/ })
  t.same((await readPly('a.ply', file, { integerStepMetres: 0.5 })).pointsMetres[2], 1.5)
})

const list = `element face 1\nproperty list char int i\n${vertex}`
const refused: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
  ['a file without vertices', ply('element face 0\n', ''), 'FORMAT_UNSUPPORTED', /no element vertex/],
  [
    'vertices without z',
    ply(vertex.replace('float z', 'float w'), points),
    'FORMAT_UNSUPPORTED',
    /no property z/,
  ],
  [
    'a list for z',
    ply(vertex.replace('float z', 'list uchar float z'), points),
    'FORMAT_UNSUPPORTED',
    /no property z/,
  ],
  [
    'a grid that is a line',
    ply(vertex, points, 'comment width 4\ncomment height 1\n'),
    'FORMAT_UNSUPPORTED',
    /list of points/,
  ],
  ['a cut ascii body', ply(vertex, '1 2 3\n4 5 6\n'), 'FORMAT_TRUNCATED', /4 lines of vertex/],
  [
    'a line with a number too many',
    ply(vertex, points.replace('4 5 6', '4 5 6 7')),
    'FORMAT_UNREADABLE',
    /line 11: 4 numbers/,
  ],
  [
    'a line with a number too few',
    ply(vertex, points.replace('4 5 6', '4 5')),
    'FORMAT_UNREADABLE',
    /line 11/,
  ],
  [
    'an absurd list in ascii',
    ply(vertex.replace('property', 'property list uchar int i\nproperty'), '99 1 2 3\n'),
    'FORMAT_UNREADABLE',
    /line 11: a list of 99/,
  ],
  [
    'a cut binary body',
    ply(vertex, new Uint8Array(47), undefined, 'binary_little_endian'),
    'FORMAT_TRUNCATED',
    /within element vertex/,
  ],
  [
    'a negative list',
    ply(list, Uint8Array.of(0xff), undefined, 'binary_little_endian'),
    'FORMAT_UNREADABLE',
    /a list of -1/,
  ],
  [
    'a list beyond the end',
    ply(list, Uint8Array.of(100, 0), undefined, 'binary_little_endian'),
    'FORMAT_TRUNCATED',
    /within element face/,
  ],
]
for (const [title, file, code, message] of refused) {
  t.test(`refuses ${title}`, (t) => t.rejects(readPly('a.ply', file), { code, message }))
}
