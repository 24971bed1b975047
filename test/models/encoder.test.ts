import t from 'tap'
import { openBundle } from '../../models/bundle.ts'
import { encode } from '../../models/encoder.ts'
import type { ModelInput } from '../../models/features.ts'
import { startStepClock } from '../../models/step-clock.ts'
import { copyTinyBundle, overwriteRgbWeight, TINY_BUNDLE } from '../support/tiny-bundle.ts'

const placement = { frameWidth: 224, frameHeight: 224, side: 300, padTop: 38, padLeft: 38 }
const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
t.teardown(() => bundle.release())

function inputOf({ colour = 0.5 } = {}): ModelInput {
  const pixels = Uint32Array.from({ length: 900 }, (_, i) => (97 + Math.floor(i / 30)) * 224 + 97 + (i % 30))
  const pointsMetres = Float32Array.from({ length: 2700 }, (_, i) => [(i % 90) / 3e3, i / 9e4, 0.4][i % 3]!)
  const foreground = new Uint8Array(224 * 224)
  for (const pixel of pixels) foreground[pixel] = 1
  const rgb = new Float32Array(3 * 224 * 224).fill(colour)
  return {
    condition: 'complete',
    rgb,
    xyz: { pointsMetres, pixels },
    foreground,
    placement,
    absent: {},
    flags: [],
  }
}

t.test('both modalities become one row-major grid of patches each', async (t) => {
  const { width } = bundle.manifest.encoders.rgb
  const features = await encode(inputOf(), bundle)
  t.equal(features.rgb?.values.length, 784 * width)
  t.equal(features.xyz?.values.length, 784 * width)
  // The part covers pixels 97..126: patches 12..15 of each axis.
  const patch = (row: number, column: number) => row * 28 + column
  t.equal(features.foregroundPatches[patch(13, 13)], 1)
  t.equal(features.foregroundPatches[patch(5, 5)], 0)
  const xyzAt = (at: number) => features.xyz!.values.subarray(at * width, (at + 1) * width)
  t.ok(xyzAt(patch(13, 13)).some((value) => value !== 0))
  t.ok(
    xyzAt(patch(5, 5)).every((value) => value === 0),
    'no point, no feature',
  )
})

t.test('an absent modality is not encoded', async (t) => {
  const rgbOnly = without(inputOf(), 'xyz')
  const features = await encode({ ...rgbOnly, condition: 'rgb-only' }, bundle)
  t.notOk('xyz' in features)
  const xyzOnly = without(inputOf(), 'rgb')
  t.notOk('rgb' in (await encode({ ...xyzOnly, condition: 'xyz-only' }, bundle)))
})

t.test('each step is timed under its own name', async (t) => {
  const steps: string[] = []
  const clock = startStepClock((step) => steps.push(step))
  await encode(inputOf(), bundle, clock)
  t.same(steps, ['rgb-encoder', 'grouping', 'xyz-encoder', 'pooling'])
  const timingMs = clock.stop()
  t.same(Object.keys(timingMs), [...steps, 'total'])
  const sum = steps.reduce((total, step) => total + timingMs[step]!, 0)
  t.ok(sum <= timingMs['total']!)
})

t.test('a feature that is not finite is an error, whether from the weights or from the input', async (t) => {
  await t.rejects(encode(inputOf({ colour: Number.NaN }), bundle), { name: 'ModelError', code: 'NOT_FINITE' })
  for (const weight of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const folder = copyTinyBundle(t.testdir({}))
    overwriteRgbWeight(folder, weight)
    const broken = await openBundle(folder, { threads: 1 })
    await t.rejects(encode(inputOf(), broken), { code: 'NOT_FINITE', message: /rgb/ }, `weight ${weight}`)
    await broken.release()
  }
})

t.test('an input of another shape is MODEL_FAILED, not a crash', async (t) => {
  const input = { ...inputOf(), rgb: new Float32Array(3) }
  await t.rejects(encode(input, bundle), { code: 'MODEL_FAILED', message: /rgb encoder/ })
})

function without(input: ModelInput, modality: 'rgb' | 'xyz'): ModelInput {
  const rest = { ...input }
  delete rest[modality]
  return rest
}
