import { rmSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import type { Sample } from '../../drivers/sample.ts'
import type { InspectorOptions } from '../../models/host-protocol.ts'
import type { Inspection } from '../../models/inspection.ts'
import { LocalInspector } from '../../models/local-inspector.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'
import { copyTinyBundle, flipBit, overwriteRgbWeight, TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

const never = new AbortController().signal
const repositoryFolder = path.join(t.testdir({}), 'repository')
const repository = await teachTinyRepository(repositoryFolder)

async function openInspector(t: Test, options: Partial<InspectorOptions> = {}): Promise<LocalInspector> {
  const inspector = new LocalInspector({
    bundleFolder: TINY_BUNDLE,
    repositoryFolder,
    threads: 1,
    seed: 1,
    ...options,
  })
  t.teardown(() => inspector.close())
  await inspector.open(never)
  return inspector
}

/** The size that the repository was taught in. */
const size = { width: 100, height: 100 }

t.test('a good part is decided in every condition, with everything the verdict must name', async (t) => {
  const inspector = await openInspector(t)
  const rgb = rgbFrame({ ...size, seed: 9 })
  const xyz = xyzFrame({ ...size, seed: 9 })
  for (const [condition, sample, banks] of [
    ['complete', sampleOf({ rgb, xyz }), ['fused', 'rgb', 'xyz']],
    ['rgb-only', sampleOf({ rgb }), ['fused', 'rgb']],
    ['xyz-only', sampleOf({ xyz }), ['fused', 'xyz']],
  ] as const) {
    const inspection = await inspector.inspect(sample, never)
    t.match(inspection, {
      kind: 'decided',
      condition,
      threshold: 0.05,
      repositoryId: repository.id,
      bundleId: repository.manifest.bundle.id,
      backend: 'onnxruntime-cpu',
      placement: { frameWidth: 100, frameHeight: 100, side: 100, padTop: 0, padLeft: 0 },
      timingMs: { preprocess: Number, fusion: Number, judge: Number, total: Number },
    })
    t.ok(normalityOf(inspection) >= 0.05, `${condition}: a part like the taught ones is normal`)
    t.same(inspection.kind === 'decided' && Object.keys(inspection.bankScores).sort(), banks)
  }
})

t.test('features travel with an inspection when they are asked for, and only then', async (t) => {
  const sample = sampleOf({ rgb: rgbFrame({ ...size, seed: 9 }), xyz: xyzFrame({ ...size, seed: 9 }) })
  const featuresOf = async (inspector: LocalInspector) => {
    const inspection = await inspector.inspect(sample, never)
    return inspection.kind === 'decided' ? inspection.features : undefined
  }
  t.equal(await featuresOf(await openInspector(t)), undefined)
  const features = await featuresOf(await openInspector(t, { keepFeatures: true }))
  t.match(features, { condition: 'complete', rgb: { values: Float32Array }, xyz: { values: Float32Array } })
})

t.test('a defect fails the part and its region lies on it, in pixels of the frame', async (t) => {
  const inspector = await openInspector(t)
  // The second is larger than the working size: the answer must still be in the pixels that were captured.
  for (const scale of [1, 16]) {
    const side = 100 * scale
    const rgb = enlarged(rgbFrame({ ...size, seed: 9 }), scale)
    for (let y = 44 * scale; y < 60 * scale; y++) {
      for (let x = 40 * scale; x < 56 * scale; x++) rgb.pixels.set([255, 0, 255], (y * side + x) * 3)
    }
    const inspection = await inspector.inspect(sampleOf({ rgb }), never)
    t.ok(normalityOf(inspection) < 0.05, `normality ${normalityOf(inspection)}`)
    t.match(inspection, { placement: { frameWidth: side, frameHeight: side, side } })
    const { x, y, width, height } = (inspection.kind === 'decided' && inspection.regions[0]) || noRegion
    t.ok(x <= 48 * scale && 48 * scale <= x + width && y <= 52 * scale && 52 * scale <= y + height)
    t.ok(width < 40 * scale && height < 40 * scale, `a box around it: ${width} x ${height} of ${side}`)
  }
})

t.test('an empty table is never a pass', async (t) => {
  const inspector = await openInspector(t)
  const xyz = xyzFrame(size)
  const table = { ...xyz, pointsMetres: xyz.pointsMetres.map((value, i) => (i % 3 === 2 ? 0.5 : value)) }
  const inspection = await inspector.inspect(sampleOf({ xyz: table }), never)
  t.ok(!(normalityOf(inspection) >= 0.05), JSON.stringify({ ...inspection, map: [] }))
})

t.test('the same sample gives the same answer twice', async (t) => {
  const inspector = await openInspector(t)
  const sample = sampleOf({ rgb: rgbFrame({ seed: 5 }), xyz: xyzFrame({ seed: 5 }) })
  const withoutTimes = (inspection: Inspection) => ({ ...inspection, timingMs: {} })
  t.same(
    withoutTimes(await inspector.inspect(sample, never)),
    withoutTimes(await inspector.inspect(sample, never)),
  )
})

t.test('poison ends in a reason code: never in a crash, never in a pass', async (t) => {
  const inspector = await openInspector(t)
  const rgb = rgbFrame()
  const xyz = xyzFrame()
  const points = xyz.pointsMetres
  const poison: readonly (readonly [string, { rgb?: RgbFrame; xyz?: XyzFrame }])[] = [
    ['no frame', {}],
    ['NaN points', { xyz: { ...xyz, pointsMetres: points.map(() => Number.NaN) } }],
    [
      'one infinite point',
      { xyz: { ...xyz, pointsMetres: points.map((v, i) => (i === 2403 ? Infinity : v)) } },
    ],
    ['all-zero points', { xyz: { ...xyz, pointsMetres: new Float32Array(points.length) } }],
    ['tiny values', { xyz: { ...xyz, pointsMetres: points.map((v) => v * 1e-30) } }],
    ['huge values', { xyz: { ...xyz, pointsMetres: points.map((v) => v * 1e30) } }],
    ['millimetres', { xyz: { ...xyz, pointsMetres: points.map((v) => v * 1000) } }],
    ['kilometres', { xyz: { ...xyz, pointsMetres: points.map((v) => v / 1000) } }],
    ['a 1 x 1 cloud', { xyz: xyzFrame({ width: 1, height: 1 }) }],
    ['a cloud of a wrong length', { xyz: { ...xyz, pointsMetres: points.subarray(3) } }],
    [
      'a cloud of doubles',
      { xyz: { ...xyz, pointsMetres: foreign<Float32Array>(new Float64Array(points)) } },
    ],
    ['no cloud', { xyz: { ...xyz, pointsMetres: foreign<Float32Array>(undefined) } }],
    ['black', { rgb: { ...rgb, pixels: new Uint8Array(4800) } }],
    ['white', { rgb: { ...rgb, pixels: new Uint8Array(4800).fill(255) } }],
    ['a 1 x 1 picture', { rgb: rgbFrame({ width: 1, height: 1 }) }],
    ['a 20,000 pixel strip', { rgb: rgbFrame({ width: 20_000, height: 32 }) }],
    ['a picture of a wrong size', { rgb: { ...rgb, width: 41 } }],
    ['a picture of floats', { rgb: { ...rgb, pixels: foreign<Uint8Array>(new Float32Array(4800)) } }],
    ['a negative size', { rgb: { ...rgb, width: -40, height: -40 } }],
    ['a size of NaN', { rgb: { ...rgb, width: Number.NaN } }],
    ['points where pixels belong', { rgb: foreign<RgbFrame>(xyz) }],
    ['a null', { rgb: foreign<RgbFrame>(null) }],
    ['a text', { rgb: foreign<RgbFrame>('frame') }],
  ]
  for (const [title, frames] of poison) {
    const alone = await inspector.inspect(sampleOf(frames), never)
    t.match(alone, { kind: 'undecided', reason: /nothing-captured|model-failed/, detail: /./ }, title)
    if (frames.xyz) {
      const beside = await inspector.inspect(sampleOf({ rgb, ...frames }), never)
      t.match(
        beside,
        { condition: 'rgb-only', absent: { xyz: { reason: /rejected|bad-frame/ } } },
        `${title} beside a picture`,
      )
    }
  }
  t.match(
    await inspector.inspect(foreign<Sample>({}), never),
    { kind: 'undecided', reason: 'model-failed' },
    'no sample at all',
  )
})

t.test('frames of two sizes are inspected by the picture alone, and both sizes are named', async (t) => {
  const inspector = await openInspector(t)
  const inspection = await inspector.inspect(
    sampleOf({ rgb: rgbFrame(), xyz: xyzFrame({ width: 50, height: 40 }) }),
    never,
  )
  t.match(inspection, {
    condition: 'rgb-only',
    absent: { xyz: { reason: 'rejected', detail: /50x40.*40x40/ } },
  })
})

t.test('what a driver said of an absent modality stays in the answer', async (t) => {
  const inspector = await openInspector(t)
  const xyz = { reason: 'timeout', detail: 'no frame in 200 ms' } as const
  const inspection = await inspector.inspect({ ...sampleOf({ rgb: rgbFrame() }), absent: { xyz } }, never)
  t.match(inspection, { kind: 'decided', absent: { xyz } })
})

t.test('without a repository every part is undecided, until one is activated', async (t) => {
  const inspector = new LocalInspector({ bundleFolder: TINY_BUNDLE, threads: 1, seed: 1 })
  t.teardown(() => inspector.close())
  await inspector.open(never)
  const sample = sampleOf({ rgb: rgbFrame() })
  t.match(await inspector.inspect(sample, never), { kind: 'undecided', reason: 'no-repository' })
  t.match(await inspector.activate(repositoryFolder), { repositoryId: repository.id })
  t.match(await inspector.inspect(sample, never), { kind: 'decided' })
})

t.test(
  'a repository that is refused does not stop the service: it says why, and the one before stays',
  async (t) => {
    const damaged = path.join(t.testdir({}), 'repository')
    await teachTinyRepository(damaged)
    flipBit(damaged, 'banks.safetensors', -9)
    const inspector = await openInspector(t, { repositoryFolder: damaged })
    const sample = sampleOf({ rgb: rgbFrame() })
    t.match(inspector.describe(), { repositoryId: undefined, repositoryProblem: /banks\.safetensors/ })
    t.match(await inspector.inspect(sample, never), { reason: 'no-repository', detail: /banks\.safetensors/ })

    await inspector.activate(repositoryFolder)
    await t.rejects(inspector.activate(damaged), { name: 'RepositoryError' })
    t.match(await inspector.inspect(sample, never), { kind: 'decided', repositoryId: repository.id })
  },
)

t.test('a tampered or failing bundle is refused at open', async (t) => {
  const tampered = copyTinyBundle(t.testdir({}))
  flipBit(tampered, 'golden.safetensors', -9)
  await t.rejects(openInspector(t, { bundleFolder: tampered }), { code: 'MODEL_UNREADABLE' })
  const notFinite = copyTinyBundle(t.testdir({}))
  overwriteRgbWeight(notFinite, Number.NaN)
  await t.rejects(openInspector(t, { bundleFolder: notFinite }), {
    code: 'MODEL_MISMATCH',
    message: /golden/,
  })
  rmSync(path.join(notFinite, 'rgb.onnx'))
  await t.rejects(openInspector(t, { bundleFolder: notFinite }), { code: 'MODEL_UNREADABLE' })
})

t.test('a deadline that has passed is obeyed between two steps', async (t) => {
  const inspector = await openInspector(t)
  const sample = sampleOf({ rgb: rgbFrame() })
  t.match(await inspector.inspect(sample, AbortSignal.abort()), { kind: 'undecided', reason: 'deadline' })
  t.match(await inspector.inspect(sample, never), { kind: 'decided' })
})

t.test('before open and after close nothing is decided; both may be called twice', async (t) => {
  const inspector = new LocalInspector({ bundleFolder: TINY_BUNDLE, repositoryFolder, threads: 1, seed: 1 })
  const sample = sampleOf({ rgb: rgbFrame() })
  t.match(await inspector.inspect(sample, never), { reason: 'host-starting' })
  await inspector.open(never)
  await inspector.open(never)
  t.match(await inspector.inspect(sample, never), { kind: 'decided' })
  await inspector.close()
  await inspector.close()
  t.match(await inspector.inspect(sample, never), { kind: 'undecided' })
})

const noRegion = { x: Infinity, y: Infinity, width: 0, height: 0 }

/** NaN, which is neither a pass nor a fail, when the part was not decided. */
function normalityOf(inspection: Inspection): number {
  return inspection.kind === 'decided' ? inspection.normality : Number.NaN
}

/** What a driver over foreign bytes may hand out in spite of the types. */
function foreign<T>(value: unknown): T {
  return value as T
}

/** Every pixel as a block of scale x scale. */
function enlarged(frame: RgbFrame, scale: number): RgbFrame {
  const width = frame.width * scale
  const height = frame.height * scale
  const pixels = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / scale) * frame.width + Math.floor(x / scale)) * 3
      pixels.set(frame.pixels.subarray(from, from + 3), (y * width + x) * 3)
    }
  }
  return { ...frame, width, height, pixels }
}
