import path from 'node:path'
import t from 'tap'
import { indexDataset } from '../../../drivers/dataset.ts'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { benchAnomaly } from '../../../models/bench/anomaly.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const never = new AbortController().signal
const dataFolder = path.join(t.testdir({}), 'data')
await writeDataset({
  root: dataFolder,
  categories: ['hex-nut', 'cookie'],
  size: 96,
  train: 4,
  validation: 2,
  testGood: 3,
  testPerDefect: 1,
  seed: 5,
  signal: never,
})
const options = {
  bundleFolder: TINY_BUNDLE,
  dataFolder,
  seed: 1,
  threads: 1,
  byteBudget: 100_000,
  falseRejectRate: 0.05,
  bootstrapResamples: 50,
}

t.test('every class is taught and measured in the three conditions', async (t) => {
  const { items } = await indexDataset(dataFolder)
  const phases = new Set<string>()
  const report = await benchAnomaly({ ...options, onProgress: ({ phase }) => phases.add(phase) })
  t.same(report.classes.map(({ category }) => category).sort(), ['cookie', 'hex-nut'])
  for (const { category, conditions, banks, repositoryId, taught, heldOut, timingMs } of report.classes) {
    const tests = items.filter((item) => item.category === category && item.split === 'test')
    t.equal(taught, 4)
    t.equal(heldOut, 2)
    t.match(repositoryId, /^[0-9a-f]{64}$/)
    const bytes = Object.values(banks).reduce((sum, bank) => sum + bank.bytes, 0)
    t.ok(bytes <= options.byteBudget, `${bytes} bytes of banks`)
    for (const [condition, figures] of Object.entries(conditions)) {
      const counted = figures.good + figures.defective + figures.missing.length
      t.equal(counted, tests.length, `${category} ${condition}`)
      for (const figure of [figures.imageAuroc, figures.pixelAuroc, figures.aupro, figures.auproRanks100]) {
        t.ok(figure !== null && figure >= 0 && figure <= 1)
      }
      const { lower, upper } = figures.imageAurocInterval!
      t.ok(lower <= figures.imageAuroc! && figures.imageAuroc! <= upper)
    }
    for (const step of [
      'preprocess',
      'rgb-encoder',
      'xyz-encoder',
      'fusion',
      'judge complete',
      'judge rgb-only',
      'judge xyz-only',
    ]) {
      t.ok(timingMs[step]! >= 0, step)
    }
  }
  t.ok(phases.has('cookie: judging'))
  t.match(report.mean, { complete: { imageAuroc: Number }, 'rgb-only': { aupro: Number } })

  const { classes: again } = await benchAnomaly({ ...options, classes: ['cookie'] })
  const first = report.classes.find(({ category }) => category === 'cookie')
  t.same(again[0]?.conditions, first?.conditions, 'the same seed gives the same figures')
  t.equal(again[0]?.repositoryId, first?.repositoryId)
})

t.test('parts can be limited', async (t) => {
  const { classes } = await benchAnomaly({
    ...options,
    classes: ['cookie'],
    most: { train: 3, validation: 1, testPerLabel: 1 },
  })
  t.match(classes, [{ taught: 3, heldOut: 1, conditions: { complete: { good: 1 } } }])
})

t.test('an unknown class and an abort end it with their own reason', async (t) => {
  await t.rejects(benchAnomaly({ ...options, classes: ['bagel'] }), /no class 'bagel'/)
  const reason = new Error('enough')
  await t.rejects(benchAnomaly({ ...options, signal: AbortSignal.abort(reason) }), reason)
})
