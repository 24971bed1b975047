import t from 'tap'
import {
  imageBytes,
  isPictureFormat,
  pixelFormatName,
  PICTURE_FORMAT_NAMES,
  rgbOf,
} from '../../drivers/genicam-pixels.ts'

const grey = (...levels: number[]) => levels.flatMap((level) => [level, level, level])

for (const [name, pixelFormat, bytes, expected] of [
  ['Mono8', 0x01080001, [1, 2, 3, 4, 250], grey(1, 2, 3, 4, 250)],
  ['Mono10', 0x01100003, [0xff, 0x03, 0x04, 0x00], grey(255, 1)],
  ['Mono12', 0x01100005, [0xff, 0x0f, 0x10, 0x00], grey(255, 1)],
  ['Mono14', 0x01100025, [0xff, 0x3f, 0x40, 0x00], grey(255, 1)],
  ['Mono16', 0x01100007, [0xff, 0xff, 0x00, 0x01], grey(255, 1)],
  ['Mono10Packed', 0x010c0004, [0x80, 0x00, 0x40], grey(0x80, 0x40)],
  ['Mono12Packed', 0x010c0006, [0x80, 0xff, 0x40], grey(0x80, 0x40)],
  // 0x3ff, 0x004, 0x200, 0x000: five bytes, lowest bits first.
  ['Mono10p', 0x010a0046, [0xff, 0x13, 0x00, 0x20, 0x00], grey(255, 1, 128, 0)],
  // 0xabc, 0x123
  ['Mono12p', 0x010c0047, [0xbc, 0x3a, 0x12], grey(0xab, 0x12)],
  ['RGB8', 0x02180014, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]],
  ['BGR8', 0x02180015, [1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4]],
  ['RGBa8', 0x02200016, [1, 2, 3, 9, 4, 5, 6, 9], [1, 2, 3, 4, 5, 6]],
  ['BGRa8', 0x02200017, [1, 2, 3, 9, 4, 5, 6, 9], [3, 2, 1, 6, 5, 4]],
  ['YUV422_8_UYVY', 0x0210001f, [128, 100, 128, 200], grey(100, 200)],
  ['YUV422_8', 0x02100032, [76, 85, 76, 255], [254, 0, 0, 254, 0, 0]],
] as const) {
  t.test(`${name} becomes R,G,B`, async (t) => {
    const width = expected.length / 3
    const raw = Uint8Array.from(bytes)
    const used = new Uint8Array(expected.length).fill(0xa5)
    const rgb = rgbOf(raw, { pixelFormat, width, height: 1 }, used)
    t.equal(rgb, used)
    t.same([...rgb], expected, 'all of it is written')
    t.equal(imageBytes({ pixelFormat, width, height: 1 }), bytes.length)
    t.equal(pixelFormatName(pixelFormat), name)
    t.ok(isPictureFormat(pixelFormat))
    t.throws(() => rgbOf(raw.subarray(1), { pixelFormat, width, height: 1 }), RangeError)
  })
}

t.test('a deep mosaic loses its low bits before it is interpolated', async (t) => {
  const raw = Uint8Array.from(new Uint8Array(Uint16Array.of(0x320, 0x190, 0x190, 0x0c8).buffer))
  const rgb = rgbOf(raw, { pixelFormat: 0x0110000d, width: 2, height: 2 }, new Uint8Array(12).fill(0xa5))
  t.same([...rgb], [200, 100, 50, 200, 100, 50, 200, 100, 50, 200, 100, 50])
})

t.test('what the picture does not need is not looked at, and the picture is memory of its own', async (t) => {
  const raw = Uint8Array.of(1, 2, 3, 9, 9)
  const rgb = rgbOf(raw, { pixelFormat: 0x02180014, width: 1, height: 1 })
  raw.fill(0)
  t.same([...rgb], [1, 2, 3])
})

t.test('a depth map is no picture', async (t) => {
  t.notOk(isPictureFormat(0x011000b8))
  t.equal(pixelFormatName(0x011000b8), '0x011000b8')
  t.throws(() => rgbOf(new Uint8Array(2), { pixelFormat: 0x011000b8, width: 1, height: 1 }), /no picture/)
  t.ok(PICTURE_FORMAT_NAMES.includes('BayerRG8'))
})
