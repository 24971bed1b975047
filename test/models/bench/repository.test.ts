import path from 'node:path'
import t from 'tap'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { benchRepository } from '../../../models/bench/repository.ts'
import { recoveryFrom } from '../../../models/bench/repository-drift.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const { signal } = new AbortController()
const folder = path.join(t.testdir({}), 'data')
await writeDataset({
  root: folder,
  categories: ['hex-nut'],
  size: 64,
  train: 12,
  validation: 0,
  testGood: 4,
  testPerDefect: 2,
  seed: 5,
  signal,
})
const options = {
  bundleFolder: TINY_BUNDLE,
  synthetic: { category: 'cookie', size: 64 },
  partCounts: [4, 6],
  bankRows: [100, 300],
  repeats: 1,
  updates: 2,
  partsPerUpdate: 3,
  seed: 1,
  threads: 1,
  byteBudget: 100_000,
  falseRejectRate: 0.1,
  limits: { leastDetection: 0.9, mostFlips: 0 },
  signal,
} as const

t.test('teaching is measured in a process of its own for each number of parts', async (t) => {
  const { teaching, drift, poisoning, search } = await benchRepository({
    ...options,
    classFolder: path.join(folder, 'hex-nut'),
    only: ['teaching', 'search'],
  })
  t.same([drift, poisoning], [[], []])
  t.same(
    teaching.map(({ product }) => product),
    ['hex-nut', 'cookie'],
  )
  for (const { runs } of teaching) {
    t.same(
      runs.map(({ parts }) => parts),
      [4, 6],
    )
    for (const { rows, bankBytes, encodeMs, teach, peak } of runs) {
      t.ok(rows > 0 && bankBytes <= options.byteBudget)
      t.ok(encodeMs > 0 && teach.medianMs > 0 && teach.worstMs >= teach.medianMs)
      t.ok(peak.openedBytes > 2 ** 20 && peak.encodedBytes >= peak.openedBytes)
      t.ok(peak.taughtBytes >= peak.encodedBytes)
    }
  }
  t.same(
    search.map(({ rows, repeats }) => ({ rows, repeats })),
    [
      { rows: 100, repeats: 10 },
      { rows: 300, repeats: 10 },
    ],
  )
})

t.test(
  'a line is measured before, under and after a drift, and with defective parts among the confirmed',
  async (t) => {
    const counts = { taught: 8, goldenGood: 2, testGood: 4, goldenPerKind: 1, testPerKind: 1 }
    const phases = new Set<string>()
    const { drift, poisoning } = await benchRepository({
      ...options,
      counts,
      only: ['drift', 'poisoning'],
      onProgress: ({ phase }) => phases.add(phase),
    })
    const [lamp] = drift
    t.match(drift, [{ product: 'cookie', taughtParts: 8, updates: 2, partsPerUpdate: 3 }])
    for (const detection of [lamp!.before, lamp!.drifted, lamp!.updated, lamp!.updatedUnderNewLamp]) {
      for (const { imageAuroc, falseRejects, detected } of Object.values(detection)) {
        t.ok(imageAuroc !== null && imageAuroc >= 0 && imageAuroc <= 1)
        t.equal(falseRejects.parts, 4)
        t.ok(detected.parts > 0)
      }
    }
    t.equal(lamp!.line.shown.good, 6)
    t.same(
      poisoning.map(({ guard, defectivePerUpdate }) => ({ guard, defectivePerUpdate })),
      [
        { guard: 'same-kinds', defectivePerUpdate: 1 },
        { guard: 'other-kinds', defectivePerUpdate: 1 },
      ],
    )
    for (const { line, before, after, fall } of poisoning) {
      t.same(line.shown, { good: 4, defective: 2 })
      t.equal(fall.complete, before.complete.imageAuroc! - after.complete.imageAuroc!)
    }
    t.ok(phases.has('cookie: updating while the lamp ages'))
  },
)

t.test('recovery is a share of the cost, and none where the loss may be chance', async (t) => {
  const before = { imageAuroc: 0.75, imageAurocInterval: { lower: 0.625, upper: 0.875 } }
  t.match(recoveryFrom(before, 0.25, 0.5), { cost: 0.5, recovered: 0.5 })
  t.match(recoveryFrom(before, 0.65, 0.75), { recovered: null })
  t.same(recoveryFrom({ imageAuroc: null, imageAurocInterval: null }, 0.5, 0.7), {
    cost: null,
    recovered: null,
  })
})

t.test('a class with few parts has fewer updates: no part comes along twice', async (t) => {
  const { drift } = await benchRepository({
    ...options,
    classFolder: path.join(folder, 'hex-nut'),
    counts: { taught: 4, goldenGood: 1, lineGood: 6, testGood: 4, goldenPerKind: 1, testPerKind: 1 },
    updates: 9,
    only: ['drift'],
  })
  const [real] = drift
  t.match(real, { product: 'hex-nut', updates: 2, line: { shown: { good: 6 } } })
  t.equal(real!.line.refused.duplicate, undefined)
})
