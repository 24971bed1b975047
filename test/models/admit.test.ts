import t from 'tap'
import type { Frame, RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { admitFrames } from '../../models/admit.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'

t.test('sound frames pass as they are', async (t) => {
  const sample = sampleOf({ rgb: rgbFrame(), xyz: xyzFrame() })
  t.equal(admitFrames(sample), sample)
})

t.test('a frame that cannot be inspected is absent, with the sensor and the numbers named', async (t) => {
  const points = xyzFrame().pointsMetres
  const cases: readonly (readonly [string, Frame, RegExp])[] = [
    ['one colour', { ...rgbFrame(), pixels: new Uint8Array(4800).fill(90) }, /camera: .*one colour/],
    ['black', { ...rgbFrame(), pixels: new Uint8Array(4800) }, /camera: .*black/],
    ['too few bytes', { ...rgbFrame(), pixels: new Uint8Array(4799) }, /4799.*4800/],
    [
      'floats as pixels',
      { ...rgbFrame(), pixels: foreign<Uint8Array>(new Float64Array(4800)) },
      /wrong type/,
    ],
    ['text as pixels', { ...rgbFrame(), pixels: foreign<Uint8Array>('pixels') }, /wrong type/],
    ['a width of NaN', { ...rgbFrame(), width: Number.NaN }, /NaNx40/],
    ['one pixel', rgbFrame({ width: 1, height: 1 }), /1x1.*32/],
    ['a strip', rgbFrame({ width: 512, height: 40 }), /512x40.*8:1/],
    ['no point', { ...xyzFrame(), pointsMetres: new Float32Array(4800) }, /profiler: .*no point/],
    ['NaN points', { ...xyzFrame(), pointsMetres: points.map((v, i) => (i === 99 ? Number.NaN : v)) }, /NaN/],
    ['millimetres', { ...xyzFrame(), pointsMetres: points.map((v) => v * 1000) }, /unit|metres/],
    ['huge values', { ...xyzFrame(), pointsMetres: points.map((v) => v * 1e30) }, /metres/],
    [
      'doubles as points',
      { ...xyzFrame(), pointsMetres: foreign<Float32Array>(new Float64Array(4800)) },
      /wrong type/,
    ],
  ]
  for (const [title, frame, detail] of cases) {
    const { modality } = frame
    const good = modality === 'rgb' ? { xyz: xyzFrame() } : { rgb: rgbFrame() }
    const bad = modality === 'rgb' ? { rgb: frame as RgbFrame } : { xyz: frame as XyzFrame }
    const both = admitFrames(sampleOf({ ...good, ...bad }))
    t.equal(both.condition, modality === 'rgb' ? 'xyz-only' : 'rgb-only', `${title} narrows the condition`)
    t.match(both.absent[modality], { reason: /rejected|bad-frame/, detail }, title)
    t.equal(admitFrames(sampleOf(bad)).condition, 'none', `${title} alone leaves nothing`)
  }
})

t.test('frames of two sizes are no registered pair: the points go, both sizes are named', async (t) => {
  const admitted = admitFrames(sampleOf({ rgb: rgbFrame(), xyz: xyzFrame({ width: 48, height: 40 }) }))
  t.match(admitted, {
    condition: 'rgb-only',
    absent: { xyz: { reason: 'rejected', detail: /48x40.*40x40/ } },
  })
})

/** What a driver over foreign bytes may hand out in spite of the types. */
function foreign<T>(value: unknown): T {
  return value as T
}
