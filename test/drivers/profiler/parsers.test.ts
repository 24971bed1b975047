import fc from 'fast-check'
import t from 'tap'
import { AsciiLines } from '../../../drivers/profiler/ascii-lines.ts'
import { LengthPrefixed } from '../../../drivers/profiler/length-prefixed.ts'
import { profileFrom } from '../../../drivers/profiler/sample-layout.ts'
import { StxFrames } from '../../../drivers/profiler/stx-frames.ts'
import { asciiProfile, lengthPrefixedProfile, stxFrame, stxProfile } from '../../support/profile-frames.ts'
import {
  asciiOptions,
  lengthPrefixedOptions,
  parserCases,
  stxLayout,
  stxOptions,
} from '../../support/profile-parsers.ts'

const heightsOf = (profiles: readonly { readonly heights: Float64Array }[]) =>
  profiles.map(({ heights }) => [...heights])

for (const { name, make, frame } of parserCases) {
  t.test(`${name}: however the bytes are cut, the same profiles come out`, async (t) => {
    const arbitrary = fc.record({
      profiles: fc.array(
        fc.tuple(
          fc.nat(0xffff_ffff),
          fc.array(fc.integer({ min: -32_767, max: 32_766 }), { minLength: 1, maxLength: 60 }),
        ),
        { maxLength: 6 },
      ),
      cuts: fc.array(fc.nat(), { maxLength: 30 }),
    })
    fc.assert(
      fc.property(arbitrary, ({ profiles, cuts }) => {
        const bytes = Buffer.concat(profiles.map(([counter, heights]) => frame(counter, heights)))
        const parser = make()
        const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
        let from = 0
        const read = ends.flatMap((end) => {
          const piece = bytes.subarray(from, end)
          from = end
          return parser.read(piece)
        })
        t.same(
          read.map(({ counter, heights }) => [counter, [...heights]]),
          profiles,
        )
        t.equal(parser.damage.total, 0)
      }),
      { numRuns: 60 },
    )
  })
}

t.test('ascii lines: what ends a line, what is no number, what is an answer', async (t) => {
  const cases: [string, string, (number | string)[][], number][] = [
    [
      'CR, LF, both',
      '1,10\r2,20\n3,30\r\n',
      [
        [1, 10],
        [2, 20],
        [3, 30],
      ],
      0,
    ],
    ['no return', '1,INVALID,5\r', [[1, NaN, 5]], 0],
    ['decimals, signs and blanks', '1, -1.5 ,+2\r', [[1, -1.5, 2]], 0],
    ['a separator at the end', '1,10,\r', [[1, 10]], 0],
    ['answers', 'OK\rOK,5\rERROR,no job\r1,10\r', [[1, 10]], 0],
    ['an empty column is no 0', '1,,10\r', [], 1],
    ['hexadecimal, exponents, words', '1,0x10\r1,1e5\r1,Infinity\r1,OKAY\r', [], 4],
    ['a counter that is none', 'x,1\r1.5,1\r99999999999999999999,1\r', [], 3],
    ['a counter alone', '17\r', [], 1],
    ['bytes that are no text', '\xff\xfe\x00\r1,2\r', [[1, 2]], 1],
  ]
  for (const [what, text, expected, damaged] of cases) {
    const parser = new AsciiLines(asciiOptions)
    const read = parser.read(Buffer.from(text, 'latin1')).map(({ counter, heights }) => [counter, ...heights])
    t.same(read, expected, what)
    t.equal(parser.damage.total, damaged, `${what}: damaged`)
  }
  const late = new AsciiLines({ ...asciiOptions, skipsFirst: true })
  t.same(
    heightsOf(late.read(asciiProfile(5, [1, 2]))),
    [],
    'the rest of a line of which the beginning was missed',
  )
  t.same(heightsOf(late.read(asciiProfile(6, [1, 2]))), [[1, 2]])
  const endless = new AsciiLines(asciiOptions)
  for (let i = 0; i < 100; i++) endless.read(Buffer.alloc(1000, '7'))
  t.match(endless.damage, { total: 1, last: /more than 1584 bytes/ }, 'a line without an end counts once')
  t.same(heightsOf(endless.read(Buffer.from('\r1,10\r'))), [[10]], '... and the next one is read')
  const { separator, invalidText, invalidCodes, mostSamples, skipsFirst } = asciiOptions
  const bare = { separator, firstColumn: 0, invalidText, invalidCodes, mostSamples, skipsFirst }
  t.match(new AsciiLines(bare).read(Buffer.from('3,4\r')), [{ heights: [3, 4] }], 'without a counter')
  const coded = new AsciiLines({ ...asciiOptions, separator: ';', invalidCodes: [-32_768, 0] })
  t.same(heightsOf(coded.read(Buffer.from('1;-32768;0;9\r'))), [[NaN, NaN, 9]])
})

t.test('STX frames: the examples of the manual', async (t) => {
  const ask = Buffer.from('020300020306200001110334', 'hex')
  t.same(stxFrame(2, Buffer.from('030620000111', 'hex')), ask, 'length in words, XOR of what is between')
  const layout = { ...stxLayout, samplesAtByte: 4 }
  const reader = new StxFrames({ ...stxOptions, layout })
  const [profile] = reader.read(stxFrame(2, Buffer.from('03062004ccf91035cd1d7fff', 'hex')))
  t.same([...(profile?.positions ?? [])], [-13_063, -13_027])
  t.same([...(profile?.heights ?? [])], [4149, NaN])
})

t.test('STX frames: what is damaged is skipped, up to the next whole frame', async (t) => {
  const good = stxProfile(9, [1, 2, 3, 4])
  const broken = (at: number, value: number) => {
    const bytes = Buffer.from(good)
    bytes[at] = value
    return bytes
  }
  const cases: [string, Buffer, string | RegExp][] = [
    ['checksum', broken(good.length - 1, 0), 'a frame with a wrong checksum'],
    ['ETX', broken(good.length - 2, 7), 'a frame without its ETX'],
    ['half a frame', good.subarray(0, good.length / 2), /checksum|ETX/],
    ['noise', Buffer.from('hello'), 'bytes outside of frames'],
    ['an error of the sensor', stxFrame(0xe002, Buffer.alloc(0)), /0xe002/],
    ['no samples', stxFrame(2, Buffer.alloc(4)), /4 bytes/],
    ['half a sample', stxFrame(2, Buffer.alloc(6)), /6 bytes/],
  ]
  for (const [what, bytes, why] of cases) {
    const parser = new StxFrames(stxOptions)
    t.same(
      heightsOf(parser.read(Buffer.concat([good, bytes, good, good]))),
      [
        [2, 4],
        [2, 4],
        [2, 4],
      ],
      what,
    )
    t.match(parser.damage, { total: 1, last: why, inARow: 0 }, what)
  }
  const other = new StxFrames(stxOptions)
  t.same(other.read(stxFrame(0x201b, Buffer.alloc(2))), [], 'the answer to another command')
  t.equal(other.damage.total, 0)
  const noise = new StxFrames(stxOptions)
  for (let i = 0; i < 30; i++) noise.read(Buffer.alloc(1020, 0x55))
  t.match(noise.damage, { total: 60, inARow: 60 }, 'noise without an end goes on counting')
  const large = new StxFrames({ ...stxOptions, lengthBytes: 2, lengthUnitBytes: 1, mostDataBytes: 100 })
  large.read(Buffer.from([2, 0xff, 0xff, 0, 2]))
  t.match(large.damage.last, /claims 65535 bytes/)
})

t.test('length-prefixed: a length that cannot be ends the stream', async (t) => {
  const good = lengthPrefixedProfile(1, [5, -32_768])
  for (const [what, length] of [
    ['none', 0],
    ['shorter than itself', 4],
    ['too long', 5000],
  ] as const) {
    const parser = new LengthPrefixed(lengthPrefixedOptions)
    const bad = Buffer.alloc(8)
    bad.writeUInt32LE(length)
    t.same(heightsOf(parser.read(Buffer.concat([good, bad, good]))), [[5, NaN]], what)
    t.match(parser.damage, { isFatal: true, last: `a frame that claims ${length} bytes` }, what)
    t.same(parser.read(good), [], 'nothing is read any more')
  }
  const parser = new LengthPrefixed(lengthPrefixedOptions)
  t.same(heightsOf(parser.read(Buffer.concat([lengthPrefixedProfile(1, [9], 8), good]))), [[5, NaN]])
  t.equal(parser.damage.total, 0, 'other types are skipped')
  const short = Buffer.from([6, 0, 0, 0, 7, 0])
  t.same(heightsOf(parser.read(Buffer.concat([short, good]))), [[5, NaN]], 'a profile without samples')
  t.equal(parser.damage.total, 1)
  const shorter = new LengthPrefixed({
    ...lengthPrefixedOptions,
    lengthBytes: 2,
    lengthIncludesItself: false,
  })
  t.same(heightsOf(shorter.read(Buffer.concat([Buffer.from([good.length - 4, 0]), good.subarray(4)]))), [
    [5, NaN],
  ])
})

t.test('sample layouts: each type, both byte orders', async (t) => {
  const body = Buffer.from('0001fffe80007fff', 'hex')
  const plain = { ...stxLayout, order: 'z', samplesAtByte: 2, counterBytes: 2, invalidCodes: [] } as const
  const read = (layout: Partial<typeof stxLayout>, bytes = body) => {
    const profile = profileFrom(bytes, { ...plain, ...layout })
    return typeof profile === 'string' ? profile : [profile.counter, ...profile.heights]
  }
  t.same(read({}), [1, -2, -32_768, 32_767])
  t.same(read({ sample: 'uint16' }), [1, 65_534, 32_768, 32_767])
  t.same(read({ byteOrder: 'little' }), [256, -257, 128, -129])
  t.same(read({ sample: 'int32', samplesAtByte: 4 }), [1, -2_147_450_881])
  const floats = Buffer.alloc(10)
  floats.writeFloatLE(1.5, 2)
  floats.writeFloatLE(NaN, 6)
  t.same(read({ sample: 'float32', byteOrder: 'little' }, floats), [0, 1.5, NaN])
  t.match(read({ sample: 'int32' }), /8 bytes/)
  t.match(read({ counterAtByte: 7 }), /without the counter/)
})
