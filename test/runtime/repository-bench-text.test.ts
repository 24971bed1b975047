import t from 'tap'
import type { LineReport } from '../../models/bench/line-updates.ts'
import type { DetectionByCondition } from '../../models/bench/repository-figures.ts'
import { repositoryBenchText, type RepositoryBenchSheet } from '../../runtime/repository-bench-text.ts'

const detection = (imageAuroc: number | null): DetectionByCondition => {
  const share = { parts: 10, count: 1, rate: 0.1, lower: 0, upper: 0.4 }
  const of = { imageAuroc, imageAurocInterval: null, falseRejects: share, detected: share }
  return { complete: of, 'rgb-only': of, 'xyz-only': of }
}
const timing = { bestMs: 1000, medianMs: 1100, worstMs: 2000 }
const line: LineReport = {
  shown: { good: 200, defective: 50 },
  rejected: { good: 3, defective: 20 },
  admitted: { good: 150, defective: 2 },
  refused: { 'resembles-defect': { good: 1, defective: 30 } },
  promoted: 20,
  unchanged: 1,
  suspicious: 2,
  refusedByGate: 27,
  gateChecks: { 'golden-verdicts': { count: 27, last: `of 49 ${'golden verdicts '.repeat(10)}`, alone: 20 } },
  updateMs: timing,
  falseRejectRates: [0, 0.2],
}
const product = 'flange'
const goldens = { good: 6, bad: 14, leftOut: 4 }
const sheet: RepositoryBenchSheet = {
  schema: 'radar-edge/bench-repository@1',
  machine: 'a machine x 2, Node.js v20',
  bundle: { id: 'b'.repeat(64), name: 'radar-lite', version: '0.3.0' },
  seed: 1,
  threads: 1,
  byteBudget: 4 * 2 ** 20,
  promisedFalseRejectRate: 0.05,
  limits: { leastDetection: 0.9, mostFlips: 0 },
  teaching: [
    {
      product,
      runs: [
        {
          product,
          parts: 60,
          rows: 5632,
          bankBytes: 4 * 2 ** 20,
          encodeMs: 12_000,
          teach: timing,
          peak: { openedBytes: 100 * 2 ** 20, encodedBytes: 200 * 2 ** 20, taughtBytes: 300 * 2 ** 20 },
        },
      ],
    },
  ],
  drift: [
    {
      product,
      repositoryIds: { taught: 'a', updated: 'b' },
      taughtParts: 40,
      goldens,
      updates: 50,
      partsPerUpdate: 5,
      before: detection(0.9),
      drifted: detection(0.7),
      updated: detection(0.8),
      updatedUnderNewLamp: detection(0.85),
      recovery: {
        complete: { cost: 0.2, recovered: 0.5 },
        'rgb-only': { cost: 0.2, recovered: 0.9 },
        'xyz-only': { cost: 0, recovered: null },
      },
      line,
    },
  ],
  poisoning: [
    {
      product,
      guard: 'other-kinds',
      goldens,
      kinds: ['dent', 'stain'],
      updates: 50,
      partsPerUpdate: 5,
      defectivePerUpdate: 1,
      before: detection(0.9),
      after: detection(null),
      fall: { complete: 0.02, 'rgb-only': -0.01, 'xyz-only': null },
      line,
    },
  ],
  search: [],
  kills: null,
}

t.test('a report fits a terminal of 100 columns', async (t) => {
  const lines = repositoryBenchText(sheet).split('\n')
  t.same(
    lines.filter(({ length }) => length > 100),
    [],
  )
})

t.test('what misses its bar says so, and what was not measured is left out or said', async (t) => {
  const text = repositoryBenchText(sheet)
  t.match(text, /complete +0\.900 +0\.700 +0\.800 +50 % MISSED/)
  t.match(text, /rgb-only +0\.900 +0\.700 +0\.800 +90 % {2}/)
  t.match(text, /xyz-only +0\.900 +0\.700 +0\.800 +no sure loss/)
  t.match(text, /complete +0\.900 +- +0\.020 MISSED/)
  t.match(text, 'Kill test: its counts were not given (--kills)')
  t.match(text, 'refused: resembles-defect 1 good + 30 bad')
  t.notMatch(text, 'MatMul')
})
