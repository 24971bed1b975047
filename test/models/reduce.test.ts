import t from 'tap'
import type { Decided } from '../../models/inspection.ts'
import { enlargeInspection, reduceMask, reduceSample } from '../../models/reduce.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'

t.test('a frame up to 800 pixels passes untouched', async (t) => {
  const sample = sampleOf({
    rgb: rgbFrame({ width: 800, height: 600 }),
    xyz: xyzFrame({ width: 800, height: 600 }),
  })
  const reduced = await reduceSample(sample)
  t.equal(reduced.sample, sample)
  t.equal(reduced.step, 1)
})

t.test('larger frames shrink by one whole number and stay registered to each other', async (t) => {
  // 1701 is not a multiple of 3: the last column must fall away, not stretch the rest.
  const [width, height] = [1702, 900]
  const rgb = rgbFrame({ width, height })
  const xyz = xyzFrame({ width, height })
  // A bright square with points on it and none around.
  rgb.pixels.fill(0)
  xyz.pointsMetres.fill(0)
  for (let y = 300; y < 600; y++) {
    for (let x = 900; x < 1200; x++) {
      rgb.pixels.fill(200, (y * width + x) * 3, (y * width + x) * 3 + 3)
      xyz.pointsMetres.set([x / 1000, y / 1000, 0.5], (y * width + x) * 3)
    }
  }
  const { sample, step } = await reduceSample(sampleOf({ rgb, xyz }))
  t.equal(step, 3)
  const small = sample.frames
  t.match(small, { rgb: { width: 567, height: 300 }, xyz: { width: 567, height: 300 } })
  for (const [x, y, inside] of [
    [298, 150, false],
    [301, 150, true],
    [398, 150, true],
    [401, 150, false],
    [350, 98, false],
    [350, 101, true],
  ] as const) {
    const at = (y * 567 + x) * 3
    t.equal(small.rgb!.pixels[at]! > 100, inside, `pixel ${x},${y}`)
    t.equal(small.xyz!.pointsMetres[at + 2]! > 0, inside, `point ${x},${y}`)
  }
  const at = (150 * 567 + 350) * 3
  t.same(
    [...small.xyz!.pointsMetres.subarray(at, at + 3)],
    [1.051, 0.451, 0.5].map(Math.fround),
    'a point that was measured, not a mean',
  )
})

t.test('one modality alone is reduced too', async (t) => {
  const rgbOnly = await reduceSample(sampleOf({ rgb: rgbFrame({ width: 1000, height: 900 }) }))
  t.match(rgbOnly, {
    step: 2,
    sample: { frames: { rgb: { width: 500, height: 450 } }, condition: 'rgb-only' },
  })
  t.equal(rgbOnly.sample.frames.rgb?.pixels.length, 500 * 450 * 3)
  const xyzOnly = await reduceSample(sampleOf({ xyz: xyzFrame({ width: 1000, height: 900 }) }))
  t.match(xyzOnly, {
    step: 2,
    sample: { frames: { xyz: { width: 500, height: 450 } }, condition: 'xyz-only' },
  })
})

t.test('regions and placement come back in pixels of the captured frame', async (t) => {
  const original = sampleOf({ rgb: rgbFrame({ width: 1702, height: 900 }) })
  const inspection = {
    kind: 'decided',
    condition: 'rgb-only',
    placement: { frameWidth: 567, frameHeight: 300, side: 600, padTop: 150, padLeft: 16 },
    regions: [{ x: 10, y: 20, width: 5, height: 6, peak: 2 }],
  } as unknown as Decided
  t.match(enlargeInspection(inspection, original, 3), {
    placement: { frameWidth: 1702, frameHeight: 900, side: 1800, padTop: 450, padLeft: 48 },
    regions: [{ x: 30, y: 60, width: 15, height: 18, peak: 2 }],
  })
  t.equal(enlargeInspection(inspection, original, 1), inspection)
})

t.test('a mask shrinks with its frames, and no defect is lost between two pixels', async (t) => {
  const [width, height] = [7, 5]
  const pixels = new Uint8Array(width * height)
  pixels[1 * width + 3] = 252
  pixels[2 * width + 6] = 255
  t.equal(reduceMask({ width, height, pixels }, 1).pixels, pixels)
  const small = reduceMask({ width, height, pixels }, 2)
  t.same(
    small,
    { width: 3, height: 2, pixels: Uint8Array.of(0, 255, 0, 0, 0, 0) },
    'the remainder falls away',
  )
})
