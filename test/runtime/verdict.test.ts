import fc from 'fast-check'
import t from 'tap'
import type { AbsenceReason } from '../../drivers/sample.ts'
import type { Decided, UndecidedReason } from '../../models/inspection.ts'
import { decide, emptySample, unknownVerdict, type DecisionContext } from '../../runtime/verdict.ts'
import { makeDecided, makeSample, makeTrigger } from '../support/inspected.ts'

const context: DecisionContext = {
  policy: { complete: 'decide', 'rgb-only': 'decide', 'xyz-only': 'decide', none: 'review' },
  sensors: { rgb: 'camera', xyz: 'scanner' },
  delayToleranceMs: 500,
  nowMs: 1250,
}

const undecided = { kind: 'undecided', absent: {}, reason: 'host-lost', detail: 'killed', flags: [] } as const

t.test('a part fails below the threshold only', (t) => {
  for (const [normality, outcome, action] of [
    [0.0099, 'fail', 'reject'],
    [0.01, 'pass', 'accept'],
    [1, 'pass', 'accept'],
    [0, 'fail', 'reject'],
  ] as const) {
    const verdict = decide(makeSample(), makeDecided({ normality }), context)
    t.match(verdict, { outcome, action, score: normality, threshold: 0.01 }, `normality ${normality}`)
  }
  t.end()
})

t.test('the policy of the condition turns the outcome into what the line does', (t) => {
  for (const [policy, normality, action] of [
    ['review', 0.5, 'review'],
    ['review', 0, 'review'],
    ['fail', 0.5, 'reject'],
    ['fail', 0, 'reject'],
  ] as const) {
    const strict = { ...context, policy: { ...context.policy, 'rgb-only': policy } }
    const lost = { xyz: { reason: 'lost', detail: 'cable' } } as const
    const inspection = makeDecided({ condition: 'rgb-only', normality })
    t.equal(decide(makeSample(makeTrigger(), lost), inspection, strict).action, action)
    t.not(
      decide(makeSample(), makeDecided({ normality }), strict).action,
      'review',
      'other conditions keep theirs',
    )
  }
  t.end()
})

t.test('a part that was seen long after its trigger is flagged, decided or not', (t) => {
  for (const [afterMs, flags] of [
    [500, []],
    [501, ['captured-late']],
  ] as const) {
    const { frames, ...rest } = makeSample()
    const xyz = { ...frames.xyz!, exposedAtMs: rest.trigger.atMs + afterMs }
    const sample = { ...rest, frames: { ...frames, xyz } }
    t.same(decide(sample, makeDecided(), context).flags, flags, `${afterMs} ms`)
    const inspection = { ...undecided, condition: sample.condition }
    t.same(decide(sample, inspection, context).flags, flags)
  }
  t.end()
})

t.test('the verdict says of each modality whether it took part, and why not', (t) => {
  for (const [reason, state] of [
    ['timeout', 'missing'],
    ['lost', 'missing'],
    ['frozen', 'frozen'],
    ['bad-frame', 'rejected'],
    ['stale', 'stale'],
    ['rejected', 'rejected'],
  ] as [AbsenceReason, string][]) {
    const sample = makeSample(makeTrigger(), { xyz: { reason, detail: 'because' } })
    const verdict = decide(sample, makeDecided({ condition: 'rgb-only' }), context)
    t.equal(verdict.degraded, true)
    t.equal(verdict.instruction, 1)
    t.same(verdict.modalities, {
      rgb: { sensor: 'camera', state: 'ok', ageMs: 250 },
      xyz: { sensor: 'scanner', state, reason, detail: 'because' },
    })
  }
  t.end()
})

t.test('a frame that preprocessing took away is named, with its age', (t) => {
  const absent = { xyz: { reason: 'rejected', detail: 'no part in it' } } as const
  const verdict = decide(makeSample(), makeDecided({ condition: 'rgb-only', absent }), context)
  t.same(verdict.modalities.xyz, { sensor: 'scanner', state: 'rejected', ...absent.xyz, ageMs: 250 })
  t.equal(verdict.degraded, true)
  t.end()
})

t.test('a station with one sensor is not degraded by the sensor it never had', (t) => {
  const sample = makeSample(makeTrigger(), { xyz: { reason: 'lost', detail: 'not configured' } })
  const verdict = decide(sample, makeDecided({ condition: 'rgb-only' }), {
    ...context,
    sensors: { rgb: 'camera' },
  })
  t.equal(verdict.degraded, false)
  t.same(Object.keys(verdict.modalities), ['rgb'])
  t.end()
})

t.test('nothing undecided ever passes, under any policy', (t) => {
  const reasons: UndecidedReason[] = [
    'deadline',
    'host-lost',
    'model-failed',
    'not-finite',
    'nothing-captured',
  ]
  for (const reason of reasons) {
    for (const policy of ['decide', 'review', 'fail'] as const) {
      const verdict = decide(
        makeSample(),
        { kind: 'undecided', condition: 'complete', absent: {}, reason, detail: 'why', flags: ['x'] },
        { ...context, policy: { ...context.policy, complete: policy } },
      )
      t.match(verdict, { outcome: 'unknown', reason, detail: 'why', flags: ['x'] })
      t.equal(verdict.action, policy === 'fail' ? 'reject' : 'review')
      t.notOk('score' in verdict || 'provenance' in verdict)
    }
  }
  t.end()
})

t.test('a decision on a frame that nobody captured is unknown', (t) => {
  const sample = makeSample(makeTrigger(), { xyz: { reason: 'timeout', detail: '800 ms' } })
  t.match(decide(sample, makeDecided(), context), { outcome: 'unknown', reason: 'model-failed' })
  t.end()
})

t.test('numbers outside [0,1] are unknown', (t) => {
  for (const fields of [{ normality: 1.5 }, { normality: -0.1 }, { threshold: 2 }]) {
    t.match(decide(makeSample(), makeDecided(fields), context), {
      outcome: 'unknown',
      reason: 'model-failed',
    })
  }
  t.end()
})

t.test('a NaN or an infinity anywhere is unknown, never pass', (t) => {
  const bad = fc.constantFrom(NaN, Infinity, -Infinity)
  const place = fc.constantFrom('normality', 'threshold', 'distance', 'bank', 'map', 'region')
  const spoil = (where: string, value: number): Partial<Decided> => {
    switch (where) {
      case 'bank':
        return { bankScores: { rgb: 1, xyz: value } }
      case 'map': {
        const map = new Float32Array(224 * 224)
        map[50_175] = value
        return { map }
      }
      case 'region':
        return { regions: [{ x: 0, y: 0, width: 1, height: 1, peak: value }] }
      default:
        return { [where]: value }
    }
  }
  const seed = Number(process.env.SEED ?? 20_261)
  fc.assert(
    fc.property(place, bad, (where, value) => {
      const verdict = decide(makeSample(), makeDecided(spoil(where, value)), context)
      t.same([verdict.outcome, verdict.reason, verdict.action], ['unknown', 'not-finite', 'review'])
      t.notOk(JSON.stringify(verdict).includes('null'), 'no hole in the payload')
    }),
    { seed, numRuns: 60 },
  )
  t.comment(`seed ${seed}`)
  t.end()
})

t.test('a trigger that was never captured has a reason for every sensor', (t) => {
  const sample = emptySample(makeTrigger({ partId: 'p7' }), context.sensors, {
    reason: 'timeout',
    detail: 'late',
  })
  const verdict = unknownVerdict(sample, {
    ...context,
    condition: 'none',
    absent: {},
    flags: [],
    reason: 'overrun',
    detail: 'full',
  })
  t.match(verdict, { outcome: 'unknown', condition: 'none', degraded: true, partId: 'p7', reason: 'overrun' })
  t.same([verdict.modalities.rgb?.state, verdict.modalities.xyz?.state], ['missing', 'missing'])
  t.end()
})

t.test('a frame that shows less than a good one took part, and the verdict says so', async (t) => {
  const remark = (code: string, degrades: boolean) => ({ code, detail: `is ${code}`, degrades })
  const sampleWith = (...remarks: ReturnType<typeof remark>[]) => {
    const { frames, ...rest } = makeSample()
    return { ...rest, frames: { ...frames, rgb: { ...frames.rgb!, remarks } } }
  }
  const blurred = sampleWith(remark('blurred', true), remark('clock-step', false), remark('dark', true))
  const verdict = decide(blurred, makeDecided(), context)
  t.match(verdict, {
    outcome: 'pass',
    condition: 'complete',
    degraded: true,
    modalities: {
      rgb: { state: 'degraded', reason: undefined, detail: `camera: the frame is blurred, and is dark` },
      xyz: { state: 'ok' },
    },
  })
  t.same(verdict.flags, ['rgb-blurred', 'rgb-clock-step', 'rgb-dark'])
  const stepped = decide(sampleWith(remark('clock-step', false)), makeDecided(), context)
  t.match(stepped, { degraded: false, modalities: { rgb: { state: 'ok', detail: undefined } } })
  t.same(stepped.flags, ['rgb-clock-step'])
})
