import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { planeFacingCamera } from '../../calibration/plane.ts'
import { readPicture } from '../../drivers/formats/picture.ts'
import { readPointMap } from '../../drivers/formats/read-point-map.ts'
import type { BundleManifest } from '../../models/bundle-manifest.ts'
import { preprocess } from '../../models/preprocess.ts'
import { sceneRgb, sceneSample, sceneXyz, tablePlane } from '../support/scenes.ts'

const mean: [number, number, number] = [0.485, 0.456, 0.406]
const std: [number, number, number] = [0.229, 0.224, 0.225]

function inputFor(masking: 'foreground' | 'none', centres = 1024): BundleManifest['input'] {
  return {
    size: 224,
    rgb: { mean, std, resample: 'bicubic-antialiased', masking },
    xyz: {
      units: 'metres',
      resample: 'nearest-floor',
      centres,
      neighbours: 128,
      normalisation: 'sample',
      epsilon: 1e-5,
    },
  }
}

const input = inputFor('none')
const box = { at: [30, 40, 80, 90] as const, heightMetres: 0.02 }
const size = { width: 120, height: 100 }

t.test('both frames of a part give image, points and foreground in one 224 x 224 grid', async (t) => {
  const sample = sceneSample({ rgb: sceneRgb(size), xyz: sceneXyz({ ...size, boxes: [box] }) })
  const ready = preprocess(sample, { input, plane: tablePlane, seed: 1 })
  t.equal(ready.condition, 'complete')
  if (ready.condition === 'none') return
  t.same(ready.placement, { frameWidth: 120, frameHeight: 100, side: 200, padTop: 50, padLeft: 40 })
  t.same([ready.absent, ready.flags], [{}, []])
  t.equal(ready.rgb?.length, 3 * 224 * 224)
  // Row 30 of the frame is row 80 of the square: the first grid row that reads it is ceil(80 * 224 / 200) = 90.
  const pixels = [...(ready.xyz?.pixels ?? [])]
  const rows = pixels.map((pixel) => Math.floor(pixel / 224))
  const columns = pixels.map((pixel) => pixel % 224)
  t.same([Math.min(...rows), Math.max(...rows)], [90, 145])
  t.same([Math.min(...columns), Math.max(...columns)], [90, 145])
  t.equal(pixels.length, 56 * 56)
  t.same(
    pixels,
    pixels.toSorted((a, b) => a - b),
    'raster order',
  )
  t.equal(ready.xyz?.pointsMetres.length, 56 * 56 * 3)
  t.same(
    [...ready.foreground.entries()].filter(([, is]) => is === 1).map(([pixel]) => pixel),
    pixels,
    'a box without gaps is its own foreground',
  )
  // The grid's pixel (100, 120) is pixel (89, 107) of the square and (39, 67) of the frame.
  const at = pixels.indexOf(100 * 224 + 120)
  const from = (39 * 120 + 67) * 3
  t.same(
    [...(ready.xyz?.pointsMetres.subarray(at * 3, at * 3 + 3) ?? [])],
    [...(sample.frames.xyz?.pointsMetres.subarray(from, from + 3) ?? [])],
  )
})

t.test('the image is normalised per channel and zero-padded before', async (t) => {
  const rgb = sceneRgb(size)
  for (let at = 0; at < rgb.pixels.length; at += 3) rgb.pixels.set([255, 0, 51], at)
  const ready = preprocess(sceneSample({ rgb }), { input, seed: 1 })
  t.equal(ready.condition, 'rgb-only')
  if (ready.condition === 'none' || !ready.rgb) return
  const centre = 112 * 224 + 112
  for (const [channel, value] of [255, 0, 51].entries()) {
    const plane = ready.rgb.subarray(channel * 224 * 224)
    t.ok(Math.abs(plane[centre]! - (value / 255 - mean[channel]!) / std[channel]!) < 1e-6)
    t.ok(
      Math.abs(plane[0]! - (0 - mean[channel]!) / std[channel]!) < 1e-6,
      'padding is black, then normalised',
    )
  }
})

t.test('without 3D nothing tells part from background: all of it is foreground', async (t) => {
  const ready = preprocess(sceneSample({ rgb: sceneRgb(size) }), { input: inputFor('foreground'), seed: 1 })
  t.equal(ready.condition, 'rgb-only')
  if (ready.condition === 'none') return
  t.ok(ready.foreground.every((is) => is === 1))
  t.same(ready.flags, ['rgb-unmasked'], 'a bundle that expects a mask is told that there is none')
  t.notOk(ready.xyz)
})

t.test('points alone give points and foreground, no image', async (t) => {
  const ready = preprocess(sceneSample({ xyz: sceneXyz({ ...size, boxes: [box] }) }), { input, seed: 1 })
  t.equal(ready.condition, 'xyz-only')
  if (ready.condition === 'none') return
  t.notOk(ready.rgb)
  t.equal(
    ready.foreground.reduce((sum, is) => sum + is, 0),
    56 * 56,
  )
})

t.test('masking blackens what is not foreground, and only then', async (t) => {
  const sample = sceneSample({ rgb: sceneRgb(size), xyz: sceneXyz({ ...size, boxes: [box] }) })
  const isBlack = (masking: 'foreground' | 'none', pixel: number) => {
    const ready = preprocess(sample, { input: inputFor(masking), seed: 1 })
    if (ready.condition === 'none' || !ready.rgb) return undefined
    return Math.abs(ready.rgb[pixel]! - -mean[0] / std[0]) < 1e-6
  }
  const table = 70 * 224 + 70
  const part = 118 * 224 + 118
  t.same([isBlack('foreground', table), isBlack('foreground', part)], [true, false])
  t.same([isBlack('none', table), isBlack('none', part)], [false, false])
})

t.test('a patch of the part without returns is still foreground', async (t) => {
  const xyz = sceneXyz({ ...size, boxes: [box], missing: [[45, 55, 65, 75]] })
  const ready = preprocess(sceneSample({ xyz }), { input, plane: tablePlane, seed: 1 })
  t.equal(ready.condition, 'xyz-only')
  if (ready.condition === 'none') return
  t.equal(
    ready.foreground.reduce((sum, is) => sum + is, 0),
    56 * 56,
  )
  t.ok((ready.xyz?.pixels.length ?? 0) < 56 * 56)
})

t.test('a point map without a part is rejected and narrows the condition', async (t) => {
  const xyz = sceneXyz(size)
  const options = { input, plane: tablePlane, seed: 1 }
  const rejected = { xyz: { reason: 'rejected', detail: /profiler sees no part/ } }
  t.match(preprocess(sceneSample({ rgb: sceneRgb(size), xyz }), options), {
    condition: 'rgb-only',
    absent: rejected,
  })
  t.match(preprocess(sceneSample({ xyz }), options), { condition: 'none', absent: rejected })
  t.match(preprocess(sceneSample({}), options), { condition: 'none', absent: {} })
})

t.test(
  'a part of fewer points than one neighbourhood is rejected, one of fewer than the centres is flagged',
  async (t) => {
    // One frame pixel is 1.12 grid pixels here: 9 x 9 give 10 x 10 or 11 x 11 points.
    const speck = sceneXyz({ ...size, boxes: [{ at: [40, 40, 49, 49], heightMetres: 0.02 }] })
    const options = { input, plane: tablePlane, seed: 1 }
    t.match(preprocess(sceneSample({ xyz: speck }), options), {
      condition: 'none',
      absent: { xyz: { reason: 'rejected', detail: /a part of 1\d\d points, expected 128 or more/ } },
    })
    const small = sceneXyz({ ...size, boxes: [{ at: [40, 40, 60, 60], heightMetres: 0.02 }] })
    t.match(preprocess(sceneSample({ xyz: small }), options), {
      condition: 'xyz-only',
      flags: ['few-points'],
    })
    const enough = preprocess(sceneSample({ xyz: small }), { ...options, input: inputFor('none', 64) })
    t.same(enough.flags, [])
  },
)

interface RealParts {
  readonly normal: readonly [number, number, number]
  readonly offsetMetres: number
  readonly parts: readonly {
    readonly part: string
    readonly count: number
    readonly pixels: string
    readonly points: string
    readonly image: string
  }[]
}

const data = join(process.env.RADAR_EDGE_DATA ?? '../shared/data', 'mvtec3d/cable_gland')
const skip = !existsSync(data) && `SKIP: no MVTec 3D-AD at ${data}`

t.test('real parts come out bit for bit as from scikit-learn, torch and Pillow', { skip }, async (t) => {
  const file = new URL('../fixtures/real-parts/expected.json', import.meta.url)
  const { normal, offsetMetres, parts } = JSON.parse(await readFile(file, 'utf8')) as RealParts
  t.equal(parts.length, 2)
  for (const { part, count, pixels, points, image } of parts) {
    const map = await readPointMap(join(data, part))
    const path = join(data, part.replace('xyz', 'rgb').replace('tiff', 'png'))
    const picture = await readPicture(path, await readFile(path))
    const header = { sequence: 0, exposedAtMs: 0, width: map.width, height: map.height }
    const ready = preprocess(
      sceneSample({
        rgb: { ...header, modality: 'rgb', sensor: 'camera', pixels: picture.pixels },
        xyz: { ...header, modality: 'xyz', sensor: 'profiler', pointsMetres: map.pointsMetres },
      }),
      { input, plane: planeFacingCamera(normal, offsetMetres), seed: 1 },
    )
    t.equal(ready.condition, 'complete')
    if (ready.condition === 'none' || !ready.rgb || !ready.xyz) return
    t.equal(ready.xyz.pixels.length, count)
    t.equal(sha256(ready.xyz.pixels), pixels, `${part}: which pixels`)
    t.equal(sha256(ready.xyz.pointsMetres), points, `${part}: their points`)
    t.equal(sha256(ready.rgb), image, `${part}: the image`)
  }
})

function sha256(array: Uint32Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex')
}
