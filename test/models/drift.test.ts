import t from 'tap'
import {
  DRIFT_LIMITS,
  driftStateSchema,
  partsMissing,
  startDrift,
  watchDrift,
  type DriftFinding,
  type DriftLimits,
} from '../../models/drift.ts'
import { kolmogorovSmirnov } from '../../models/kolmogorov-smirnov.ts'
import { seededRandom } from '../../models/random.ts'

function gaussians(seed: number): () => number {
  const random = seededRandom(seed)
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Distances of a station's good parts, one after the other. */
type Station = (seed: number) => () => number

const independent: Station = (seed) => gaussians(seed)
/** Each part resembles the one before it. */
const correlated =
  (correlation: number): Station =>
  (seed) => {
    const next = gaussians(seed)
    let last = next()
    return () => (last = correlation * last + Math.sqrt(1 - correlation ** 2) * next())
  }
/** Parts beyond the threshold are no passes. */
const truncated =
  (station: Station, most: number): Station =>
  (seed) => {
    const next = station(seed)
    return () => {
      for (;;) {
        const distance = next()
        if (distance < most) return distance
      }
    }
  }
/** Scores that are ranks among a dozen calibration parts. */
const discrete =
  (station: Station): Station =>
  (seed) => {
    const next = station(seed)
    return () => Math.max(-3, Math.min(3, Math.round(2 * next()) / 2))
  }

const part = (distance: number) => ({ repositoryId: 'a', condition: 'complete', distance }) as const

/** What `blocks` tests of a station find; `shift` is added to every distance after the reference. */
function findings(
  next: () => number,
  { blocks, shift = 0, limits }: { blocks: number; shift?: number; limits: DriftLimits },
): DriftFinding[] {
  const { reference, recent } = limits
  let state = startDrift('a')
  // The reference at once: part by part it is tested elsewhere.
  state.conditions.complete = {
    ...state.conditions.complete,
    reference: Array.from({ length: reference }, next),
  }
  const found: DriftFinding[] = []
  for (let block = 0; block < blocks; block++) {
    const values = Array.from({ length: recent }, () => next() + shift)
    state.conditions.complete.recent = values.slice(0, -1)
    const step = watchDrift(state, part(values.at(-1)!), limits)
    state = step.state
    found.push(step.finding!)
  }
  return found
}

/** Share of tests that alarm. */
function alarmRate(
  station: Station,
  {
    stations,
    blocks,
    limits,
    shift,
  }: { stations: number; blocks: number; limits: DriftLimits; shift?: number },
): number {
  let alarms = 0
  for (let seed = 1; seed <= stations; seed++) {
    const found = findings(station(seed), { blocks, limits, ...(shift !== undefined && { shift }) })
    alarms += found.filter(({ hasDrifted }) => hasDrifted).length
  }
  return alarms / (stations * blocks)
}

const loose = { ...DRIFT_LIMITS, falseAlarmRate: 0.01 }

t.test(
  'false alarms are as rare as promised: independent parts, cut at a threshold, with few different scores',
  (t) => {
    for (const [name, station] of Object.entries({
      independent,
      'cut at 0.05': truncated(independent, 1.645),
      'cut at 0.3': truncated(independent, 0.52),
      discrete: discrete(independent),
      'discrete and cut': truncated(discrete(independent), 1.5),
    })) {
      const rate = alarmRate(station, { stations: 150, blocks: 10, limits: loose })
      t.comment(`${name}: ${rate}`)
      // 1500 tests at 0.01: a deviation is 0.0026, more where tests of a station share its reference.
      t.ok(rate > 0.002 && rate < 0.018, `${name}: ${rate}`)
    }
    t.equal(alarmRate(independent, { stations: 100, blocks: 10, limits: DRIFT_LIMITS }), 0, 'none of 1000')
    t.end()
  },
)

t.test('parts that resemble their neighbours alarm no more often, though the plain test does', (t) => {
  for (const correlation of [0.1, 0.3, 0.5]) {
    const rate = alarmRate(correlated(correlation), { stations: 100, blocks: 10, limits: loose })
    t.comment(`${correlation}: ${rate}`)
    t.ok(rate < 0.012, `${correlation}: ${rate}`)
  }
  let plain = 0
  for (let seed = 1; seed <= 500; seed++) {
    const next = correlated(0.3)(seed)
    const values = (count: number) => Array.from({ length: count }, next)
    if (kolmogorovSmirnov(values(200), values(100)).pValue < 0.01) plain++
  }
  t.comment(`plain: ${plain / 500}`)
  t.ok(plain > 12, `0.3 without the correction: ${plain} of 500`)
  t.end()
})

t.test(
  'a shift by one deviation is found in the first block, in either direction, also of passes only',
  (t) => {
    const power = (station: Station, shift: number) =>
      alarmRate(station, { stations: 200, blocks: 1, limits: DRIFT_LIMITS, shift })
    for (const shift of [1, -1]) {
      const found = power(independent, shift)
      t.ok(found > 0.97, `shift ${shift}: ${found}`)
    }
    const half = power(independent, 0.5)
    t.comment(`half a deviation: ${half}`)
    t.ok(half < power(independent, 0.7))
    // The line shifts first and the threshold cuts then.
    let found = 0
    for (let seed = 1; seed <= 200; seed++) {
      const before = truncated(independent, 1.645)(seed)
      const after = truncated((seed) => {
        const next = independent(seed)
        return () => next() + 1
      }, 1.645)(seed + 10_000)
      let parts = 0
      const next = () => (parts++ < 200 ? before() : after())
      if (findings(next, { blocks: 1, limits: DRIFT_LIMITS })[0]!.hasDrifted) found++
    }
    t.comment(`cut at 0.05: ${found / 200}`)
    t.ok(found > 0.9 * 200, `cut at 0.05: ${found} of 200`)
    t.end()
  },
)

t.test('a finding says where to and by how much', (t) => {
  const limits = { reference: 20, recent: 20, falseAlarmRate: 0.001 }
  const run = (shift: number) => findings(gaussians(3), { blocks: 2, shift, limits })
  const [odder, again] = run(4)
  t.match(odder, { condition: 'complete', test: 1, hasDrifted: true, towards: 'odder' })
  t.ok(odder!.medianNow - odder!.medianBefore > 3 && odder!.pValue < 1e-6 && odder!.statistic > 0.9)
  t.match(again, { test: 2, hasDrifted: true })
  t.match(run(-4)[0], { hasDrifted: true, towards: 'more-normal' })
  t.match(run(0)[0], { hasDrifted: false })
  t.end()
})

t.test('every block is tested once, in its own condition, and its parts are not used again', (t) => {
  const limits = { reference: 4, recent: 3, falseAlarmRate: 0.05 }
  let state = startDrift('a')
  const tested: number[] = []
  const before = structuredClone(state)
  for (let i = 0; i < 13; i++) {
    const { state: next, finding } = watchDrift(state, part(i), limits)
    state = next
    if (finding) tested.push(i + 1)
    // Another condition has windows of its own.
    state = watchDrift(state, { ...part(0), condition: 'rgb-only' }, { ...limits, reference: 100 }).state
  }
  t.same(tested, [7, 10, 13])
  t.same(state.conditions.complete, {
    reference: [0, 1, 2, 3],
    recent: [],
    tests: 3,
    hasDrifted: false,
  })
  t.same(partsMissing(state, limits), { complete: 3, 'rgb-only': 3, 'xyz-only': 7 })
  t.same(startDrift('a'), before, 'a state is never changed')
  t.same(driftStateSchema.parse(JSON.parse(JSON.stringify(state))), state, 'it can be kept')
  t.end()
})

t.test('another repository has other distances: the watch begins anew', (t) => {
  const limits = { reference: 2, recent: 2, falseAlarmRate: 0.05 }
  const { state } = watchDrift(startDrift('a'), part(1), limits)
  const next = watchDrift(state, { ...part(2), repositoryId: 'b' }, limits)
  t.equal(next.state.repositoryId, 'b')
  t.same(next.state.conditions.complete.reference, [2])
  t.end()
})

t.test('equal parts never alarm by themselves, and NaN is an error', (t) => {
  const limits = { reference: 20, recent: 20, falseAlarmRate: 0.05 }
  const same = () => 1
  t.match(findings(same, { blocks: 1, limits }), [{ pValue: 1, hasDrifted: false }])
  t.match(findings(same, { blocks: 1, limits, shift: 1 }), [{ hasDrifted: true }])
  t.throws(() => watchDrift(startDrift('a'), part(NaN)), { code: 'NOT_FINITE' })
  t.end()
})
