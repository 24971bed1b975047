import t from 'tap'
import {
  runLine,
  type BenchGolden,
  type LinePart,
  type LineRequest,
} from '../../../models/bench/line-updates.ts'
import { openSearch } from '../../../models/nearest.ts'
import { teach } from '../../../models/teach.ts'
import { partFeatures } from '../../support/part-features.ts'
import { goodParts, teachRequest } from '../../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const request = await teachRequest(search, { parts: goodParts(12, 1), heldOut: [] })
const repository = await teach(request)

const good = (seed: number): LinePart[] => goodParts(3, seed).map((part) => ({ ...part, label: 'good' }))
const defective = (seed: number): LinePart => ({
  partId: `dent-${seed}`,
  label: 'dent',
  features: partFeatures({ seed, rgbDefect: 9, xyzDefect: 9 }),
})
const golden = (seed: number): BenchGolden => ({ ...defective(seed), label: 'bad', defect: 'dent' })

function asked(changes: Partial<LineRequest>): LineRequest {
  const limits = { leastDetection: 0.9, mostFlips: 0 }
  const quiet = { bundle: request.bundle, search, fuse: request.fuse, seed: 1 }
  const { byteBudget, falseRejectRate, parts: taught } = request
  const goldens: readonly BenchGolden[] = []
  return {
    ...quiet,
    byteBudget,
    falseRejectRate,
    repository,
    taught,
    goldens,
    limits,
    updates: 2,
    partsBefore: async (turn) => good(500 + 20 * turn),
    ...changes,
  }
}

t.test('good parts are confirmed, admitted and put into use', async (t) => {
  const { report, repository: last } = await runLine(asked({}))
  t.match(report, {
    shown: { good: 6, defective: 0 },
    admitted: { good: 6, defective: 0 },
    refused: {},
    promoted: 2,
    unchanged: 0,
    suspicious: 0,
    refusedByGate: 0,
  })
  t.equal(report.falseRejectRates.length, 2)
  t.not(last.id, repository.id)
  t.equal(last.manifest.taught.length + last.manifest.heldOut.length, 18)
})

t.test(
  'defective parts beside golden ones of their kind are refused, and two of them are suspicious',
  async (t) => {
    const goldens = [golden(900), golden(901)]
    const one = await runLine(
      asked({ goldens, updates: 1, partsBefore: async () => [...good(600), defective(902)] }),
    )
    t.match(one.report, { refused: { 'resembles-defect': { good: 0, defective: 1 } }, suspicious: 0 })
    const two = await runLine(
      asked({ goldens, updates: 1, partsBefore: async () => [...good(600), defective(902), defective(903)] }),
    )
    t.match(two.report, { suspicious: 1, promoted: 0, admitted: { good: 0, defective: 0 } })
    t.equal(two.repository.id, repository.id)
  },
)

t.test('what the gate refuses waits for the next update', async (t) => {
  // No repository finds all of these: they are good.
  const impossible: BenchGolden[] = goodParts(2, 700).map((part) => ({ ...part, label: 'bad' }))
  const { report } = await runLine(
    asked({ goldens: impossible, partsBefore: async (turn) => good(500 + 20 * turn) }),
  )
  t.match(report, { promoted: 0, admitted: { good: 0, defective: 0 } })
  t.equal(report.refusedByGate + report.suspicious + report.unchanged, 2)
})
