import t from 'tap'
import { openBundle } from '../../models/bundle.ts'
import { extractFeatures } from '../../models/extract.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'

const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
t.teardown(() => bundle.release())

t.test('a sample becomes the features of what it has', async (t) => {
  const frames = { rgb: rgbFrame(), xyz: xyzFrame() }
  for (const [condition, some] of [
    ['complete', frames],
    ['rgb-only', { rgb: frames.rgb }],
    ['xyz-only', { xyz: frames.xyz }],
  ] as const) {
    const extracted = await extractFeatures(sampleOf(some), { bundle, seed: 1 })
    t.match(extracted, { condition, step: 1, features: { condition }, input: { condition } })
  }
})

t.test('every reason for an absence is kept, the driver’s and the gate’s', async (t) => {
  const xyz = { reason: 'timeout', detail: 'no frame in 200 ms' } as const
  const black = { ...rgbFrame(), pixels: new Uint8Array(4800) }
  const nothing = await extractFeatures({ ...sampleOf({ rgb: black }), absent: { xyz } }, { bundle, seed: 1 })
  t.match(nothing, { condition: 'none', absent: { xyz, rgb: { reason: 'rejected', detail: /black/ } } })
})

t.test('a large frame says how many of its pixels one of the input’s frame has', async (t) => {
  const extracted = await extractFeatures(sampleOf({ rgb: rgbFrame({ width: 1000, height: 900 }) }), {
    bundle,
    seed: 1,
  })
  t.match(extracted, { step: 2, input: { placement: { frameWidth: 500, frameHeight: 450 } } })
})
