import t from 'tap'
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { lookOfPicture, lookOfPoints, WORKING_SIDE } from '../../drivers/look.ts'

const header = { sensor: 'top', sequence: 1, exposedAtMs: 0 }

/** @param at brightness of a pixel */
function picture(width: number, height: number, at: (x: number, y: number) => number): RgbFrame {
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) pixels.fill(at(i % width, Math.floor(i / width)), 3 * i, 3 * i + 3)
  return { ...header, modality: 'rgb', width, height, pixels }
}

/** The part of a point map for which `has` says so lies at 0.4 m. */
function points(width: number, height: number, has: (pixel: number) => boolean): XyzFrame {
  const pointsMetres = Float32Array.from({ length: width * height * 3 }, (_, i) =>
    has(Math.floor(i / 3)) ? 0.4 : 0,
  )
  return { ...header, modality: 'xyz', width, height, pointsMetres }
}

t.test('brightness and clipped shares are those of the picture', async (t) => {
  const look = lookOfPicture(picture(40, 40, (x) => (x < 10 ? 0 : x < 30 ? 100 : 255)))
  t.match(look, { darkShare: 0.25, saturatedShare: 0.25, brightness: 113.75 })
  t.match(lookOfPicture(picture(4, 4, () => 0)), { brightness: 0, sharpness: 0, darkShare: 1 })
  t.match(
    lookOfPicture(picture(1, 1, () => 9)),
    { brightness: 9, sharpness: 0 },
    'one pixel has no neighbours',
  )
})

t.test('sharpness falls with blur, and neither with less light', async (t) => {
  const stripes = (level: number, soft: number) =>
    lookOfPicture(
      picture(64, 64, (x) => level * (1 + Math.max(-1, Math.min(1, (8 - Math.abs((x % 32) - 16)) / soft)))),
    ).sharpness
  t.ok(stripes(60, 8) < 0.5 * stripes(60, 1))
  t.ok(Math.abs(stripes(30, 2) / stripes(60, 2) - 1) < 0.05)
})

t.test('a large picture looks as it does once it is reduced', async (t) => {
  const at = (x: number, y: number) => 100 + 60 * Math.sin(x / 9) + 40 * Math.cos(y / 7)
  const large = lookOfPicture(picture(2 * WORKING_SIDE, 300, (x, y) => at(x / 2, y / 2)))
  const small = lookOfPicture(picture(WORKING_SIDE, 150, at))
  for (const figure of ['brightness', 'sharpness'] as const) {
    t.ok(Math.abs(large[figure] / small[figure] - 1) < 0.05, `${figure} ${large[figure]} ${small[figure]}`)
  }
})

t.test('returns and distance are those of the points', async (t) => {
  const look = lookOfPoints(points(500, 400, (pixel) => (pixel * 7919) % 100 < 60))
  t.ok(Math.abs(look.returnsShare - 0.6) < 0.02)
  t.ok(Math.abs(look.distanceMetres - 0.4) < 1e-6)
  t.same(lookOfPoints(points(4, 4, () => false)), { returnsShare: 0, distanceMetres: 0 })
})
