import t from 'tap'
import { decisionsOf, figuresOf, isIn, type Answer } from '../../../models/bench/miiad-figures.ts'

const SIZE = 224
const left = (pixel: number) => pixel % SIZE < SIZE / 2
const answer = (score: number, over: Partial<Answer> = {}): Answer => ({
  condition: 'complete',
  isDefective: false,
  score,
  map: new Float32Array(SIZE * SIZE).map((_, pixel) => (left(pixel) ? score : 0)),
  mask: undefined,
  ...over,
})
const mask = {
  width: SIZE,
  height: SIZE,
  pixels: new Uint8Array(SIZE * SIZE).map((_, pixel) => (left(pixel) ? 255 : 0)),
}
const defective = (score: number, over: Partial<Answer> = {}) =>
  answer(score, { isDefective: true, mask, ...over })

t.test('figures are of the answers, pixels of those whose defect is located', async (t) => {
  const answers = [answer(1), answer(2), defective(3), defective(1.5)]
  const figures = figuresOf(answers, { seed: 1, withPixelAuroc: true, resamples: 50 })
  t.match(figures, { good: 2, defective: 2, imageAuroc: 0.75 })
  t.ok(figures.imageAurocInterval!.lower <= 0.75)
  t.ok(figures.pixelAuroc! > 0.7 && figures.aupro! > 0.5)
  const unlocated = [answer(1), defective(3, { mask: undefined })]
  t.match(figuresOf(unlocated, { seed: 1, withPixelAuroc: true }), {
    imageAuroc: 1,
    pixelAuroc: null,
    aupro: null,
  })
  t.equal(figuresOf(answers, { seed: 1, withPixelAuroc: false, resamples: 5 }).pixelAuroc, null)
})

t.test(
  'decisions are counted per condition, good and defective apart, oddness in powers of ten',
  async (t) => {
    const said = (isRejected: boolean, oddness: number) => ({ decision: { isRejected, oddness } })
    t.same(
      decisionsOf([
        answer(1, said(true, Math.log(1000))),
        answer(1, said(false, 0)),
        defective(1, { ...said(true, Math.log(100)), condition: 'rgb-only' }),
        answer(1),
      ]),
      {
        complete: {
          good: { parts: 2, rejected: 1, scores: [3, 0] },
          defective: { parts: 0, rejected: 0, scores: [] },
        },
        'rgb-only': {
          good: { parts: 0, rejected: 0, scores: [] },
          defective: { parts: 1, rejected: 1, scores: [2] },
        },
      },
    )
    t.equal(decisionsOf([answer(1)]), undefined, 'no promise, no decision')
  },
)

t.test('a population is the parts that have its modality', async (t) => {
  t.same(
    (['complete', 'rgb-only', 'xyz-only'] as const).map((condition) =>
      (['all', 'rgb', 'xyz'] as const).filter((population) => isIn(population, condition)),
    ),
    [
      ['all', 'rgb', 'xyz'],
      ['all', 'rgb'],
      ['all', 'xyz'],
    ],
  )
})
