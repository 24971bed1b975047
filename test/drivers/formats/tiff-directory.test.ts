import t from 'tap'
import { readTiffDirectory } from '../../../drivers/formats/tiff-directory.ts'
import { tiffVariants } from '../../support/point-map-files.ts'

t.test('classic and BigTIFF, in both byte orders, give the same values', async (t) => {
  const files = tiffVariants()
  for (const name of [
    'f4 little strips none',
    'f4 big strips none',
    'f4 little strips bigtiff',
    'f4 big strips bigtiff',
  ]) {
    const directory = readTiffDirectory(name, files.get(name)!)
    t.same([directory.values('width'), directory.values('height')], [[9], [7]], name)
    t.same(directory.values('bitsPerSample'), [32, 32, 32], name)
    t.equal(directory.values('stripOffsets')?.length, 4, name)
    t.equal(directory.values('tileWidth'), undefined, name)
    t.equal(directory.hasNextPage, false, name)
  }
})

const refused: readonly (readonly [string, string, string, RegExp])[] = [
  ['an empty file', '', 'FORMAT_UNREADABLE', /header/],
  ['another format', '89504e470d0a1a0a', 'FORMAT_UNREADABLE', /"II" or "MM"/],
  ['a wrong magic number', '49492b2b00000000', 'FORMAT_UNREADABLE', /magic number 11051/],
  [
    'a directory beyond the end',
    '49492a00ffffff7f',
    'FORMAT_TRUNCATED',
    /first directory at byte 2147483647/,
  ],
  ['more entries than bytes', '49492a0008000000ffff', 'FORMAT_TRUNCATED', /65535 entries/],
  ['a BigTIFF cut in its header', '49492b0008000000', 'FORMAT_TRUNCATED', /offset of the first/],
]
for (const [title, hex, code, message] of refused) {
  t.test(`refuses ${title}`, async (t) => {
    t.throws(() => readTiffDirectory('a.tif', Buffer.from(hex, 'hex')), { code, message })
  })
}

t.test(
  'a doubled tag counts once, a text where a number belongs is refused, and so is a list beyond the end',
  async (t) => {
    const file = Buffer.from(
      '49492a0008000000' +
        '0400' +
        '00010300010000000500000000010300010000000900000001010200010000004100000011010400ffffff3f00000000' +
        '00000000'.repeat(2),
      'hex',
    )
    const directory = readTiffDirectory('a.tif', file)
    t.throws(() => directory.values('height'), { code: 'FORMAT_UNREADABLE', message: /tag height.*type 2/ })
    t.throws(() => directory.values('stripOffsets'), {
      code: 'FORMAT_TRUNCATED',
      message: /1073741823 values/,
    })
    t.same(directory.values('width'), [5])
  },
)
