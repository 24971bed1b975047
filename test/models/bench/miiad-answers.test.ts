import t from 'tap'
import { answerSplit, type SplitTask } from '../../../models/bench/miiad-answers.ts'
import type { Answer } from '../../../models/bench/miiad-figures.ts'
import { METHODS } from '../../../models/bench/miiad-methods.ts'
import { openBundle } from '../../../models/bundle.ts'
import { judge } from '../../../models/judge.ts'
import { narrowed } from '../../../models/narrow.ts'
import { openSearch } from '../../../models/nearest.ts'
import { teach } from '../../../models/teach.ts'
import { fuseSideBySide, partFeatures, RGB_WIDTH, XYZ_WIDTH } from '../../support/part-features.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const search = await openSearch({ threads: 1 })
const tiny = await openBundle(TINY_BUNDLE, { threads: 1 })
t.teardown(() => Promise.all([search.release(), tiny.release()]))

// Made-up features are of other widths than the tiny bundle's.
const bundle = {
  ...tiny,
  manifest: {
    ...tiny.manifest,
    encoders: {
      rgb: { ...tiny.manifest.encoders.rgb, width: RGB_WIDTH },
      xyz: { ...tiny.manifest.encoders.xyz, width: XYZ_WIDTH },
    },
  },
  pseudo: { rgb: new Float32Array(784 * RGB_WIDTH).fill(1), xyz: new Float32Array(784 * XYZ_WIDTH).fill(1) },
}

const CONDITIONS = ['complete', 'rgb-only', 'xyz-only', 'complete'] as const
const part = (seed: number, defect = 0) => ({
  partId: `part-${seed}`,
  features: narrowed(
    partFeatures({ seed, rgbDefect: defect, xyzDefect: defect }),
    CONDITIONS[seed % CONDITIONS.length]!,
  ),
})
const taught = [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => part(seed))
const tested = [100, 101, 102, 103, 104, 105].map((seed) => ({
  ...part(seed, seed > 102 ? 12 : 0),
  isDefective: seed > 102,
  mask: undefined,
}))
const task: SplitTask = {
  product: 'widget',
  parts: { taught, heldOut: [200, 201, 202, 203].map((seed) => part(seed)), tested },
  methods: METHODS,
  bundle,
  search,
  fuse: fuseSideBySide,
  others: [],
  byteBudget: 200_000,
  falseRejectRate: 0.05,
  seed: 1,
  onStep: () => {},
}

t.test(
  'every method answers every part that it can see, and ranks a plain defect above good parts',
  async (t) => {
    const steps: number[] = []
    const { answers, gaps } = await answerSplit({
      ...task,
      onStep: (done, total) => steps.push(done / total),
    })
    t.same(gaps, [])
    t.same([...answers.keys()].sort(), [...METHODS].sort())
    t.equal(steps.at(-1), 1)
    const defects = (of: readonly Answer[]) =>
      of.filter(({ isDefective }) => isDefective).map(({ score }) => score)
    for (const [method, of] of answers) {
      const blind = { 'rgb-only': 'xyz-only', 'xyz-only': 'rgb-only' }[method]
      t.equal(of.length, tested.filter(({ features }) => features.condition !== blind).length, method)
      t.ok(
        of.every(({ score, map }) => Number.isFinite(score) && map.every(Number.isFinite)),
        method,
      )
      t.equal(
        of.every(({ decision }) => decision !== undefined),
        method.startsWith('radar'),
        `${method} promises`,
      )
      if (method === 'radar' || method === 'radar-no-fused') {
        const good = of.filter(({ isDefective }) => !isDefective).map(({ score }) => score)
        t.ok(Math.min(...defects(of)) > Math.max(...good), method)
      }
    }
  },
)

t.test('radar is what the product teaches and judges', async (t) => {
  const { answers } = await answerSplit({ ...task, methods: ['radar'] })
  const { parts, byteBudget, falseRejectRate, seed, product, fuse } = task
  const { taught, heldOut } = parts
  const settings = { byteBudget, falseRejectRate, seed, product, fuse, search, bundle }
  const repository = await teach({ ...settings, parts: taught, heldOut })
  for (const [index, { features }] of tested.entries()) {
    const { map, normality, threshold } = await judge(features, repository, { search, fuse })
    const { score, map: own, decision } = answers.get('radar')![index]!
    t.same(own, map)
    t.equal(decision?.isRejected, normality < threshold)
    if (normality > 0) t.ok(Math.abs(score + Math.log(normality)) < 1e-9)
  }
})

t.test('with nothing missing, pseudo-inputs change nothing', async (t) => {
  const complete = (seed: number) => ({ partId: `${seed}`, features: partFeatures({ seed }) })
  const { answers } = await answerSplit({
    ...task,
    methods: ['m3dm-pseudo', 'm3dm-present'],
    parts: {
      taught: [1, 2, 3, 4, 5].map(complete),
      heldOut: [11, 12].map(complete),
      tested: [21, 22].map((seed) => ({ ...complete(seed), isDefective: false, mask: undefined })),
    },
  })
  for (const [index, { score, map }] of answers.get('m3dm-pseudo')!.entries()) {
    const other = answers.get('m3dm-present')![index]!
    t.ok(Math.abs(score - other.score) < 1e-6 * score)
    t.ok(map.every((value, pixel) => Math.abs(value - other.map[pixel]!) < 1e-4))
  }
})

t.test('another fusion is radar taught with it', async (t) => {
  const method = 'radar:same'
  const { answers } = await answerSplit({
    ...task,
    methods: ['radar', method],
    others: [{ method, bundle, fuse: fuseSideBySide }],
  })
  t.same(answers.get(method), answers.get('radar'))
})

t.test('parts that make no repository are a gap of each method, with the reason', async (t) => {
  const { answers, gaps } = await answerSplit({
    ...task,
    methods: ['radar', 'rgb-only'],
    parts: { ...task.parts, taught: [part(1), part(2), part(0)] },
  })
  t.equal(answers.size, 0)
  t.match(gaps, [
    { method: 'radar', why: /from 1 different good parts with both modalities and 2 with one/ },
    { method: 'rgb-only' },
  ])
})

t.test('an abort ends it with its own reason', async (t) => {
  const reason = new Error('enough')
  await t.rejects(answerSplit({ ...task, signal: AbortSignal.abort(reason) }), reason)
})
