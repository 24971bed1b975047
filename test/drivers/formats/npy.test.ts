import t from 'tap'
import { readNpy, readNpyArray } from '../../../drivers/formats/npy.ts'
import { npyFile, smallMap } from '../../support/point-map-files.ts'

const map = smallMap(5, 4)

function npy(dict: string, body: Uint8Array = new Uint8Array(0), version = 1): Buffer {
  const length =
    version === 1 ? [dict.length % 256, dict.length >> 8] : [dict.length % 256, dict.length >> 8, 0, 0]
  return Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([version, 0, ...length]),
    Buffer.from(dict),
    body,
  ])
}
const dict = (descr: string, order: string, shape: string) =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`

t.test('reads what NumPy writes', async (t) => {
  t.same(await readNpy('a.npy', npyFile(map)), { width: 5, height: 4, pointsMetres: map.points })
})

for (const version of [2, 3]) {
  t.test(`reads version ${version}, whose header length is longer`, async (t) => {
    const file = npy(dict('<f4', 'False', '(4, 5, 3)'), new Uint8Array(map.points.buffer), version)
    t.same((await readNpy('a.npy', file)).pointsMetres, map.points)
  })
}

t.test('reads Fortran order', async (t) => {
  const body = new Float32Array(60)
  for (let r = 0; r < 4; r++)
    for (let c = 0; c < 5; c++)
      for (let k = 0; k < 3; k++) body[r + 4 * c + 20 * k] = map.points[(r * 5 + c) * 3 + k]!
  const file = npy(dict('<f4', 'True', '(4, 5, 3)'), new Uint8Array(body.buffer))
  t.same((await readNpy('a.npy', file)).pointsMetres, map.points)
})

t.test('reads every width, sign and byte order', async (t) => {
  const kinds: readonly (readonly [string, number, (view: DataView, at: number) => void])[] = [
    ['<f2', 2, (view, at) => view.setUint16(at, 0x3800, true)],
    ['>f2', 2, (view, at) => view.setUint16(at, 0x3800)],
    ['>f4', 4, (view, at) => view.setFloat32(at, 0.5)],
    ['<f8', 8, (view, at) => view.setFloat64(at, 0.5, true)],
    ['>f8', 8, (view, at) => view.setFloat64(at, 0.5)],
    ['>i2', 2, (view, at) => view.setInt16(at, 500)],
    ['<i4', 4, (view, at) => view.setInt32(at, 500, true)],
    ['<u8', 8, (view, at) => view.setBigUint64(at, 500n, true)],
  ]
  for (const [descr, bytes, set] of kinds) {
    const body = new DataView(new ArrayBuffer(12 * bytes))
    for (let i = 0; i < 12; i++) set(body, i * bytes)
    const file = npy(dict(descr, 'False', '(2, 2, 3)'), new Uint8Array(body.buffer))
    const { pointsMetres } = await readNpy('a.npy', file, { integerStepMetres: 0.001 })
    t.same(pointsMetres, new Float32Array(12).fill(0.5), descr)
  }
})

const refused: readonly (readonly [string, Uint8Array, string, RegExp])[] = [
  ['no magic string', Buffer.from('NUMPY, but not at once'), 'FORMAT_UNREADABLE', /magic/],
  ['an empty file', Buffer.alloc(0), 'FORMAT_UNREADABLE', /magic/],
  ['a future version', npy('{}'.padEnd(20), undefined, 9), 'FORMAT_UNSUPPORTED', /version 9/],
  ['a cut header', npy(dict('<f4', 'False', '(2, 2, 3)')).subarray(0, 30), 'FORMAT_TRUNCATED', /header/],
  ['a header that is no dict', npy('just some words\n'), 'FORMAT_UNREADABLE', /dict/],
  ['a pickle', npy(dict('|O', 'False', '(2, 2, 3)')), 'FORMAT_UNSUPPORTED', /dtype '\|O'/],
  [
    'a structured array',
    npy(`{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4, 5), }\n`),
    'FORMAT_UNSUPPORTED',
    /dtype \[/,
  ],
  ['complex numbers', npy(dict('<c8', 'False', '(2, 2, 3)')), 'FORMAT_UNSUPPORTED', /c8/],
  [
    'a depth map',
    npy(dict('<f4', 'False', '(2, 2)'), new Uint8Array(16)),
    'FORMAT_UNSUPPORTED',
    /\(2, 2\), expected/,
  ],
  [
    'channels first',
    npy(dict('<f4', 'False', '(3, 2, 2)'), new Uint8Array(48)),
    'FORMAT_UNSUPPORTED',
    /moveaxis/,
  ],
  ['a cut body', npy(dict('<f4', 'False', '(2, 2, 3)'), new Uint8Array(47)), 'FORMAT_TRUNCATED', /needs/],
  [
    'bytes after the array',
    npy(dict('<f4', 'False', '(2, 2, 3)'), new Uint8Array(49)),
    'FORMAT_UNREADABLE',
    /1 bytes after/,
  ],
  [
    'an absurd shape',
    npy(dict('<f4', 'False', '(99999999999, 99999999999, 3)')),
    'FORMAT_TRUNCATED',
    /needs/,
  ],
  [
    'integers without a step',
    npy(dict('<i2', 'False', '(2, 2, 3)'), new Uint8Array(24)),
    'FORMAT_UNSUPPORTED',
    /integerStepMetres/,
  ],
]
for (const [title, file, code, message] of refused) {
  t.test(`refuses ${title}`, (t) => t.rejects(readNpy('a.npy', file), { code, message }))
}

t.test('an array of any shape can be read as such', async (t) => {
  const array = readNpyArray('a.npy', npy(dict('|u1', 'False', '(3,)'), Uint8Array.of(7, 8, 9)))
  t.match(array, { shape: [3], count: 3, kind: 'integer', fortranOrder: false })
  t.equal(array.at(2), 9)
})
