import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import {
  decompressBlock,
  undoFloatingPointDifference,
  undoHorizontalDifference,
} from '../../../drivers/formats/tiff-block.ts'

const PACKBITS = 32773
const LZW = 5

t.test('PackBits: the example of Apple’s technical note 1023', async (t) => {
  const packed = Buffer.from('fe aa 02 80 00 2a fd aa 03 80 00 2a 22 f7 aa'.replaceAll(' ', ''), 'hex')
  const unpacked = Buffer.from(
    'aa aa aa 80 00 2a aa aa aa aa 80 00 2a 22 aa aa aa aa aa aa aa aa aa aa'.replaceAll(' ', ''),
    'hex',
  )
  t.same(Buffer.from(await decompressBlock('here', PACKBITS, packed, 24)), unpacked)
  t.same(
    Buffer.from(await decompressBlock('here', PACKBITS, Uint8Array.of(0x80, 0, 7), 9)),
    Buffer.from([7]),
    '-128 is a no-op',
  )
})

t.test('LZW: the example of TIFF 6.0, page 58', async (t) => {
  // Codes 256, 7, 258, 8, 8, 258, 6, 6, 257 of 9 bits each.
  const bits = [256, 7, 258, 8, 8, 258, 6, 6, 257].map((code) => code.toString(2).padStart(9, '0')).join('')
  const packed = Uint8Array.from(bits.match(/.{1,8}/g)!, (byte) => parseInt(byte.padEnd(8, '0'), 2))
  t.same([...(await decompressBlock('here', LZW, packed, 99))], [7, 7, 7, 8, 8, 7, 7, 6, 6])
})

t.test('LZW refuses a code before it is defined', (t) =>
  t.rejects(decompressBlock('here', LZW, Uint8Array.of(0x80, 0x3f, 0xff, 0xff), 99), {
    code: 'FORMAT_UNREADABLE',
    message: /LZW code/,
  }),
)

t.test('whatever the bytes, no block unpacks to more than its size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, LZW, PACKBITS),
      fc.uint8Array({ maxLength: 600 }),
      fc.nat(300),
      async (compression, packed, size) => {
        const block = await decompressBlock('here', compression, packed, size).catch(() => new Uint8Array(0))
        return block.length <= size
      },
    ),
    { numRuns: 2000 },
  )
})

t.test('a deflate bomb stops at the block’s size', (t) =>
  t.rejects(decompressBlock('here', 8, deflateSync(Buffer.alloc(1e6)), 100), {
    code: 'FORMAT_UNREADABLE',
    message: /longer than 100/,
  }),
)

t.test('an unknown compression is refused', (t) =>
  t.rejects(decompressBlock('here', 50000, new Uint8Array(1), 1), { code: 'FORMAT_UNSUPPORTED' }),
)

t.test('the block is a copy: undoing a predictor leaves the file alone', async (t) => {
  const file = Buffer.from([1, 1, 1, 1])
  const block = await decompressBlock('here', 1, file, 4)
  undoHorizontalDifference(block, { samplesPerRow: 2, stride: 1, bytesPerSample: 2, littleEndian: true })
  t.same([...block], [1, 1, 2, 2])
  t.same([...file], [1, 1, 1, 1])
})

t.test('differences carry across bytes, in either byte order', async (t) => {
  const little = Uint8Array.of(0xff, 0, 1, 0)
  undoHorizontalDifference(little, { samplesPerRow: 2, stride: 1, bytesPerSample: 2, littleEndian: true })
  t.same([...little], [0xff, 0, 0, 1])
  const big = Uint8Array.of(0, 0xff, 0, 1)
  undoHorizontalDifference(big, { samplesPerRow: 2, stride: 1, bytesPerSample: 2, littleEndian: false })
  t.same([...big], [0, 0xff, 1, 0])
})

t.test(
  'floating-point differences: planes of bytes, most significant first, come out big-endian',
  async (t) => {
    // 1.5 and -2 in float16 are 3e00 and c000: planes 3e c0 and 00 00, each byte less the one before it.
    const block = Uint8Array.of(0x3e, 0xc0 - 0x3e, 0x100 - 0xc0, 0)
    undoFloatingPointDifference(block, { samplesPerRow: 2, stride: 1, bytesPerSample: 2, littleEndian: true })
    t.same([...block], [0x3e, 0x00, 0xc0, 0x00])
  },
)
