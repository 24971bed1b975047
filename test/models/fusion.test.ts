import t from 'tap'
import { openBundle } from '../../models/bundle.ts'
import type { Features } from '../../models/features.ts'
import { fuseTimed, fuseWith } from '../../models/fusion.ts'
import { narrowed } from '../../models/narrow.ts'
import { startStepClock } from '../../models/step-clock.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'

const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
t.teardown(() => bundle.release())
const fuse = fuseWith(bundle)
const WIDTH = 8
const grid = (factor: number) => ({
  width: WIDTH,
  values: Float32Array.from({ length: 784 * WIDTH }, (_, i) => Math.sin(i * factor)),
})
const part: Features = {
  condition: 'complete',
  rgb: grid(0.3),
  xyz: grid(0.7),
  foregroundPatches: new Uint8Array(784).fill(1),
}

t.test(
  'each condition has its own instruction, and pseudo features where a modality is missing',
  async (t) => {
    // The tiny bundle's fusion is both grids side by side times this (make.py).
    for (const [condition, gain] of [
      ['complete', 1],
      ['rgb-only', 1.5],
      ['xyz-only', 2],
    ] as const) {
      const { width, values } = await fuse(narrowed(part, condition))
      t.equal(width, 2 * WIDTH)
      const rgb = condition === 'xyz-only' ? bundle.pseudo.rgb : part.rgb!.values
      const xyz = condition === 'rgb-only' ? bundle.pseudo.xyz : part.xyz!.values
      const expected = Float32Array.from({ length: 784 * width }, (_, i) => {
        const patch = Math.floor(i / width) * WIDTH
        const entry = i % width
        return gain * (entry < WIDTH ? rgb[patch + entry]! : xyz[patch + entry - WIDTH]!)
      })
      t.same(values, expected, condition)
    }
  },
)

t.test('features without their modality, of another width or not finite make no fused feature', async (t) => {
  const lacking: Features = { ...narrowed(part, 'rgb-only'), condition: 'complete' }
  await t.rejects(fuse(lacking), { code: 'MODEL_MISMATCH', message: /complete part.*no xyz/ })
  const wide = { width: 4, values: part.rgb!.values }
  await t.rejects(fuse({ ...part, rgb: wide }), { code: 'MODEL_MISMATCH', message: /784 x 8/ })
  const values = part.rgb!.values.slice()
  values[100] = NaN
  await t.rejects(fuse({ ...part, rgb: { width: WIDTH, values } }), {
    code: 'NOT_FINITE',
    message: /fusion/,
  })
})

t.test('its time is told apart from the step that it is part of', async (t) => {
  const steps: string[] = []
  const clock = startStepClock((step) => steps.push(step))
  clock.enter('judge')
  const rows = await fuseTimed(fuse, clock, 'judge')(part)
  t.same(rows, await fuse(part))
  t.same(steps, ['judge', 'fusion', 'judge'])
  t.same(Object.keys(clock.stop()), ['judge', 'fusion', 'total'])
})
