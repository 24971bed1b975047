import t from 'tap'
import type { Frame } from '../../drivers/frame.ts'
import { checkFrame, defaultFrameLimits } from '../../drivers/frame-check.ts'

const header = { sensor: 'top', sequence: 1, exposedAtMs: 5, width: 8, height: 4 }
const pixels = Uint8Array.from({ length: 96 }, (_, i) => (i * 37) % 256)
const points = Float32Array.from({ length: 96 }, (_, i) => (i % 3 === 2 ? 0.5 + i * 1e-4 : i * 1e-3))
const rgb: Frame = { ...header, modality: 'rgb', pixels }
const xyz: Frame = { ...header, modality: 'xyz', pointsMetres: points }

/** Points of which only the first `count` are there. */
const first = (count: number) => points.map((value, i) => (i < 3 * count ? value : 0))
const with7 = (value: number) => points.map((old, i) => (i === 7 ? value : old))

t.test('good frames pass', async (t) => {
  t.equal(checkFrame(rgb, 'rgb', defaultFrameLimits), undefined)
  t.equal(checkFrame(xyz, 'xyz', defaultFrameLimits), undefined)
  const size = { width: 8, height: 4 }
  t.equal(checkFrame(xyz, 'xyz', { ...defaultFrameLimits, size }), undefined)
  const single: Frame = {
    ...header,
    modality: 'rgb',
    width: 1,
    height: 1,
    pixels: new Uint8Array([90, 9, 9]),
  }
  t.equal(checkFrame(single, 'rgb', defaultFrameLimits), undefined, 'one pixel is tiny, but well-formed')
})

t.test('every kind of rubbish has its reason', async (t) => {
  const table: [name: string, frame: unknown, reason: string, detail: RegExp][] = [
    ['another modality', { ...rgb, modality: 'xyz' }, 'bad-frame', /modality xyz/],
    ['a width of zero', { ...rgb, width: 0 }, 'bad-frame', /0x4/],
    ['half a pixel', { ...rgb, width: 7.5 }, 'bad-frame', /7.5x4/],
    ['an unexpected size', { ...rgb, width: 4, height: 8 }, 'bad-frame', /4x8, the config says 8x4/],
    ['a short buffer', { ...rgb, pixels: pixels.slice(3) }, 'bad-frame', /93 samples, expected 96/],
    ['an empty buffer', { ...rgb, pixels: new Uint8Array(0) }, 'bad-frame', /0 samples/],
    ['samples of another type', { ...rgb, pixels: Float64Array.from(pixels) }, 'bad-frame', /wrong type/],
    ['no samples', { ...rgb, pixels: undefined }, 'bad-frame', /wrong type/],
    ['no exposure time', { ...rgb, exposedAtMs: NaN }, 'bad-frame', /exposed at NaN/],
    ['a covered lens', { ...rgb, pixels: pixels.map((value) => value % 4) }, 'rejected', /black: 100.0 %/],
    ['an open aperture', { ...rgb, pixels: pixels.fill.call(pixels.slice(), 254) }, 'rejected', /white/],
    [
      'a green screen',
      { ...rgb, pixels: pixels.map((_, i) => (i % 3 === 1 ? 135 : 0)) },
      'rejected',
      /one colour/,
    ],
  ]
  const limits = { ...defaultFrameLimits, size: { width: 8, height: 4 } }
  for (const [name, frame, reason, detail] of table) {
    t.match(
      checkFrame(frame as Frame, 'rgb', name.includes('size') ? limits : defaultFrameLimits),
      { reason, detail },
      name,
    )
  }
  const pointTable: [name: string, pointsMetres: Float32Array, reason: string, detail: RegExp][] = [
    ['NaN', with7(NaN), 'bad-frame', /row 0, column 2/],
    ['infinity', with7(-Infinity), 'bad-frame', /row 0, column 2/],
    ['a point beyond the horizon', with7(3e38), 'bad-frame', /row 0, column 2/],
    ['no point', first(0), 'rejected', /no point at all/],
    ['hardly a point', first(3), 'rejected', /9.4 % of its pixels, expected 10.0 %/],
    ['millimetres', points.map((value) => value * 1000), 'rejected', /median \|z\| of 505/],
    ['kilometres', points.map((value) => value / 1000), 'rejected', /wrong unit/],
  ]
  for (const [name, pointsMetres, reason, detail] of pointTable) {
    const frame: Frame = { ...header, modality: 'xyz', pointsMetres }
    t.match(
      checkFrame(frame, 'xyz', { ...defaultFrameLimits, minimumReturns: 0.1 }),
      { reason, detail },
      name,
    )
  }
})

t.test('the median is one of all points, also of large frames', async (t) => {
  // Half of the points lie at 0.5, half in millimetres: just below and just above the middle.
  const size = 300
  const share = (metresShare: number): Frame => ({
    ...header,
    modality: 'xyz',
    width: size,
    height: size,
    pointsMetres: Float32Array.from({ length: 3 * size * size }, (_, i) =>
      (Math.floor(i / 3) * 7919) % 100 < metresShare * 100 ? 0.5 : 500,
    ),
  })
  t.equal(checkFrame(share(0.55), 'xyz', defaultFrameLimits), undefined)
  t.match(checkFrame(share(0.45), 'xyz', defaultFrameLimits), { reason: 'rejected' })
})
