import t from 'tap'
import { figuresOf, meanOf, median, type Outcome } from '../../../models/bench/anomaly-figures.ts'

const options = { promised: 0.25, predicted: { rate: 0.2 }, seed: 1, resamples: 100 }
const SIZE = 224

/** A part whose map is hot in the left half, where its defect is if it has one. */
function part(label: string, distance: number, { hot = 0.1, normality = 0.5 } = {}): Outcome {
  const map = new Float32Array(SIZE * SIZE).map((_, i) => (i % SIZE < SIZE / 2 ? hot : 0.1))
  const pixels = new Uint8Array(SIZE * SIZE).map((_, i) => (i % SIZE < SIZE / 2 ? 255 : 0))
  const mask = label === 'good' ? undefined : { width: SIZE, height: SIZE, pixels }
  return {
    condition: 'complete',
    partId: label,
    label,
    judged: { distance, normality, threshold: 0.25, map, mask },
  }
}

t.test('perfect separation is 1 everywhere', async (t) => {
  const figures = figuresOf(
    [
      part('good', 1),
      part('good', 2),
      part('cut', 3, { hot: 2, normality: 0.01 }),
      part('hole', 4, { hot: 3, normality: 0 }),
    ],
    options,
  )
  t.match(figures, {
    good: 2,
    defective: 2,
    imageAuroc: 1,
    imageAurocInterval: { lower: 1, upper: 1 },
    pixelAuroc: 1,
    falseRejects: {
      parts: 2,
      count: 0,
      rate: 0,
      promised: 0.25,
      predicted: 0.2,
      promiseWithinInterval: true,
    },
    detected: { parts: 2, count: 2, rate: 1 },
    defects: {
      cut: { parts: 1, detected: 1, imageAuroc: 1 },
      hole: { parts: 1, detected: 1, imageAuroc: 1 },
    },
    missing: [],
  })
  t.ok(Math.abs(figures.aupro! - 1) < 1e-9)
})

t.test('each kind of defect is set against all good parts', async (t) => {
  const figures = figuresOf([part('good', 1), part('good', 3), part('cut', 2), part('hole', 4)], options)
  t.equal(figures.imageAuroc, 0.75)
  t.match(figures.defects, { cut: { imageAuroc: 0.5 }, hole: { imageAuroc: 1 } })
})

t.test('a broken promise shows: the interval leaves it out', async (t) => {
  const good = Array.from({ length: 20 }, () => part('good', 1, { normality: 0.01 }))
  t.match(figuresOf(good, options).falseRejects, {
    count: 20,
    rate: 1,
    upper: 1,
    promiseWithinInterval: false,
  })
})

t.test('NaN is a reject, not a pass', async (t) => {
  t.equal(figuresOf([part('good', 1, { normality: Number.NaN })], options).falseRejects.count, 1)
})

t.test(
  'a figure that is not defined is null, and parts without an answer are named and left out',
  async (t) => {
    const missing: Outcome = { condition: 'complete', partId: 'x', label: 'cut', missing: 'no points' }
    t.match(figuresOf([part('good', 1), missing], options), {
      good: 1,
      defective: 0,
      imageAuroc: null,
      imageAurocInterval: null,
      pixelAuroc: null,
      aupro: null,
      missing: [{ partId: 'x', why: 'no points' }],
    })
    t.match(figuresOf([], options), {
      good: 0,
      imageAuroc: null,
      falseRejects: { parts: 0, rate: 0, lower: 0, upper: 1 },
    })
  },
)

t.test('a defective part without a mask counts for the image figures only', async (t) => {
  const cut = part('cut', 3)
  const unlocated: Outcome = { ...cut, ...(cut.judged && { judged: { ...cut.judged, mask: undefined } }) }
  t.match(figuresOf([part('good', 1), unlocated], options), { imageAuroc: 1, pixelAuroc: null, aupro: null })
})

t.test('the mean leaves out classes without the figure', async (t) => {
  const full = figuresOf([part('good', 1), part('cut', 2)], options)
  t.equal(meanOf([full, figuresOf([], options)]).imageAuroc, 1)
  t.equal(meanOf([]).imageAuroc, null)
})

t.test('the median of nothing is not a number', async (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.ok(Number.isNaN(median([])))
})
