import t from 'tap'
import {
  colorimetryOf,
  depthSamples,
  isPlainRgb,
  PICTURE_FORMATS,
  rawLayout,
  usualColorimetry,
  writeRgbRows,
  type Colorimetry,
  type PictureFormat,
  type RawLayout,
} from '../../drivers/pixel-formats.ts'
import { randomFrom } from '../../drivers/random.ts'

/** One pixel, as the formats' definitions have it. */
function pixelPlain(
  raw: Uint8Array,
  { format, rowBytes, height }: RawLayout<PictureFormat>,
  { matrix, isFullRange }: Colorimetry,
  at: { x: number; y: number },
): number[] {
  const { x, y } = at
  const byte = (index: number): number => raw[y * rowBytes + index] ?? Number.NaN
  switch (format) {
    case 'RGB':
      return [byte(3 * x), byte(3 * x + 1), byte(3 * x + 2)]
    case 'RGBA':
      return [byte(4 * x), byte(4 * x + 1), byte(4 * x + 2)]
    case 'BGRx':
      return [byte(4 * x + 2), byte(4 * x + 1), byte(4 * x)]
    case 'GRAY8':
      return [byte(x), byte(x), byte(x)]
    case 'NV12': {
      const chroma = rowBytes * (height + (height % 2)) + Math.floor(y / 2) * rowBytes + 2 * Math.floor(x / 2)
      // ITU-R BT.601 and BT.709, as in their tables.
      const luma = isFullRange ? byte(x) / 255 : (byte(x) - 16) / 219
      const pb = ((raw[chroma] ?? 0) - 128) / (isFullRange ? 255 : 224)
      const pr = ((raw[chroma + 1] ?? 0) - 128) / (isFullRange ? 255 : 224)
      const factors =
        matrix === 'bt601' ? [1.402, 0.344136, 0.714136, 1.772] : [1.5748, 0.187324, 0.468124, 1.8556]
      const [rv = 0, gu = 0, gv = 0, bu = 0] = factors
      return [luma + rv * pr, luma - gu * pb - gv * pr, luma + bu * pb].map((value) =>
        Math.min(255, Math.max(0, 255 * value)),
      )
    }
  }
}

t.test('a frame lies in memory as GStreamer lays it', async (t) => {
  // gst_video_info_set_format of GStreamer 1.22: size and stride of the first plane.
  const cases = [
    ['RGB', 5, 3, 16, 48],
    ['RGB', 640, 480, 1920, 921_600],
    ['RGBA', 5, 3, 20, 60],
    ['BGRx', 5, 3, 20, 60],
    ['GRAY8', 5, 3, 8, 24],
    ['NV12', 5, 3, 8, 48],
    ['NV12', 1920, 1080, 1920, 3_110_400],
    ['GRAY16_LE', 5, 3, 12, 36],
  ] as const
  for (const [format, width, height, rowBytes, frameBytes] of cases) {
    t.match(rawLayout(format, { width, height }), { rowBytes, frameBytes }, `${format} ${width}x${height}`)
  }
  t.match(rawLayout('RGB', { width: 5, height: 3 }, 64), { rowBytes: 64, frameBytes: 192 }, 'other rows')
  t.throws(() => rawLayout('RGB', { width: 5, height: 3 }, 14), /5 pixels of RGB need 15 bytes, not 14/)
})

t.test(
  'every format becomes the picture that its definition says, padded or not, odd sizes too',
  async (t) => {
    const random = randomFrom(41, 'raw frames')
    for (const format of PICTURE_FORMATS) {
      for (const [width, height, rowBytes] of [
        [8, 4, undefined],
        [5, 3, undefined],
        [1, 1, undefined],
        [7, 5, 64],
      ] as const) {
        const layout = rawLayout(format, { width, height }, rowBytes)
        const raw = Uint8Array.from({ length: layout.frameBytes }, () => random.integer(0, 255))
        for (const colorimetry of [
          { matrix: 'bt601', isFullRange: false },
          { matrix: 'bt709', isFullRange: true },
          { matrix: 'bt709', isFullRange: false },
        ] as const) {
          const rgb = new Uint8Array(width * height * 3)
          const middle = Math.floor(height / 2)
          writeRgbRows(raw, layout, { from: 0, to: middle }, rgb, colorimetry)
          writeRgbRows(raw, layout, { from: middle, to: height }, rgb, colorimetry)
          let worst = 0
          for (let i = 0; i < rgb.length; i++) {
            const pixel = Math.floor(i / 3)
            const at = { x: pixel % width, y: Math.floor(pixel / width) }
            const expected = pixelPlain(raw, layout, colorimetry, at)[i % 3] ?? Number.NaN
            worst = Math.max(worst, Math.abs(expected - (rgb[i] ?? Number.NaN)))
          }
          // Rounded to the nearest, with factors of 16 bits.
          t.ok(worst <= 0.51, `${format} ${width}x${height} ${colorimetry.matrix}: ${worst} at most`)
        }
      }
    }
  },
)

t.test('only RGB without padding needs no conversion', async (t) => {
  t.ok(isPlainRgb(rawLayout('RGB', { width: 4, height: 4 })))
  t.notOk(isPlainRgb(rawLayout('RGB', { width: 5, height: 4 })))
  t.notOk(isPlainRgb(rawLayout('GRAY8', { width: 4, height: 4 })))
})

t.test('caps say how luma and chroma are meant; where they do not, the height does', async (t) => {
  t.same(usualColorimetry(480), { matrix: 'bt601', isFullRange: false })
  t.same(usualColorimetry(1080), { matrix: 'bt709', isFullRange: false })
  t.same(colorimetryOf('bt709', 480), { matrix: 'bt709', isFullRange: false })
  t.same(colorimetryOf('1:4:0:0', 1080), { matrix: 'bt601', isFullRange: true })
  t.same(colorimetryOf('2:3:5:1', 480), { matrix: 'bt709', isFullRange: false })
  t.same(colorimetryOf('nonsense', 1080), usualColorimetry(1080))
  t.same(colorimetryOf(undefined, 480), usualColorimetry(480))
})

t.test('depth samples lose their padding', async (t) => {
  const odd = rawLayout('GRAY16_LE', { width: 3, height: 2 })
  const raw = Uint8Array.from({ length: odd.frameBytes }, (_, i) => i)
  t.same([...depthSamples(raw, odd)], [0x100, 0x302, 0x504, 0x908, 0xb0a, 0xd0c])
  const even = rawLayout('GRAY16_LE', { width: 2, height: 1 })
  t.same([...depthSamples(Uint8Array.of(1, 2, 3, 4), even)], [0x201, 0x403])
})
