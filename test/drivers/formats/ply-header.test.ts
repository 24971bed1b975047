import t from 'tap'
import { readPlyHeader } from '../../../drivers/formats/ply-header.ts'

const header = (...lines: string[]) => Buffer.from(`${lines.join('\n')}\n`)

t.test('elements keep their order, types their many names', async (t) => {
  const bytes = header(
    'ply',
    'format binary_big_endian 1.0',
    'comment width 3',
    'obj_info num_cols 4',
    'obj_info num_rows 5',
    'element face 2',
    'property list uint8 int32 i',
    'element vertex 20',
    'property double x',
    'end_header',
  )
  const read = readPlyHeader('a.ply', bytes)
  t.match(read, {
    format: 'binary_big_endian',
    grid: { width: 4, height: 5 },
    bodyOffset: bytes.length,
    lineCount: 10,
    elements: [
      { name: 'face', count: 2, properties: [{ name: 'i', listCount: { bytes: 1 }, scalar: { bytes: 4 } }] },
      { name: 'vertex', count: 20, properties: [{ name: 'x', scalar: { bytes: 8, kind: 'float' } }] },
    ],
  })
})

t.test('Windows line ends are read', async (t) => {
  const bytes = Buffer.from('ply\r\nformat ascii 1.0\r\nend_header\r\nrest')
  t.equal(readPlyHeader('a.ply', bytes).bodyOffset, bytes.length - 4)
})

const refused: readonly (readonly [string, string[], string, RegExp])[] = [
  ['another format', ['solid'], 'FORMAT_UNREADABLE', /line 1/],
  ['no format', ['ply', 'end_header'], 'FORMAT_UNREADABLE', /line 2: no format/],
  ['an unknown format', ['ply', 'format binary_middle_endian 1.0'], 'FORMAT_UNSUPPORTED', /line 2/],
  ['another version', ['ply', 'format ascii 2.0'], 'FORMAT_UNSUPPORTED', /1\.0/],
  ['an unknown keyword', ['ply', 'format ascii 1.0', 'vertex 3'], 'FORMAT_UNREADABLE', /line 3: "vertex"/],
  ['a property of nothing', ['ply', 'property float x'], 'FORMAT_UNREADABLE', /before any element/],
  ['an unknown type', ['ply', 'element vertex 1', 'property quad x'], 'FORMAT_UNREADABLE', /type quad/],
  [
    'a list length that is a float',
    ['ply', 'element f 1', 'property list float int i'],
    'FORMAT_UNREADABLE',
    /list length/,
  ],
  ['a count that is none', ['ply', 'element vertex many'], 'FORMAT_UNREADABLE', /"many"/],
  ['a header without end', ['ply', 'format ascii 1.0'], 'FORMAT_UNREADABLE', /no end_header/],
]
for (const [title, lines, code, message] of refused) {
  t.test(`refuses ${title}`, async (t) => {
    t.throws(() => readPlyHeader('a.ply', header(...lines)), { code, message })
  })
}
