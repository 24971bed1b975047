/**
 * The golden parts shown to the running model, as if the line had captured them: the same pipeline, host and repository that the next
 * part will meet, in every condition that the station can fall back to. One part at a time, and live parts go first.
 */
import type { Clock } from '../drivers/clock.ts'
import type { Modality } from '../drivers/frame.ts'
import {
  conditionOf,
  DECIDABLE_CONDITIONS,
  modalitiesOf,
  type DecidableCondition,
  type Sample,
} from '../drivers/sample.ts'
import type { GoldenJudgement, GoldenPart, GoldenVerdict } from './gate.ts'
import type { Decided, Inspection, Inspector, UndecidedReason } from './inspection.ts'
import { ModelError } from './model-error.ts'
import { canNarrow } from './narrow.ts'

export interface SelfTestPart extends Pick<GoldenPart, 'partId' | 'label' | 'defect'> {
  /** Frames are large: they are read when it is the part's turn, and forgotten after it. */
  load(signal: AbortSignal): Promise<Sample>
}

export interface SelfTestOptions {
  readonly parts: readonly SelfTestPart[]
  readonly inspector: Pick<Inspector, 'inspect'>
  readonly signal: AbortSignal
  /** Of one inspection. */
  readonly deadlineMs: number
  readonly clock: Clock
  /** Resolves when no live part waits; asked before every inspection. */
  mayGoOn?(signal: AbortSignal): Promise<void>
  /** What the gate saw when this repository was let through. Without it only the labels are compared. */
  recordedOf?(repositoryId: string): Promise<readonly GoldenJudgement[] | undefined>
  /** A distance that lies farther from the recorded one is a failure, too; default: it is only reported. */
  readonly mostDrift?: number
}

export interface SelfTestFinding extends Pick<GoldenPart, 'partId' | 'label' | 'defect'> {
  readonly condition: DecidableCondition
  readonly isWidest: boolean
  /** What the gate saw, else what the label says of a part seen with all that it was captured with; else any verdict will do. */
  readonly expected?: GoldenVerdict['outcome']
  readonly outcome: GoldenVerdict['outcome'] | 'unknown'
  readonly isRight: boolean
  readonly normality?: number
  readonly distance?: number
  /** Found less recorded: how far the scores of the very same frames have moved. */
  readonly drift?: Pick<GoldenVerdict, 'normality' | 'distance'>
  /** Why it is not right. */
  readonly detail?: string
}

export interface SelfTestReport {
  /** `untested`: there are no golden parts. */
  readonly result: 'pass' | 'fail' | 'untested'
  readonly findings: readonly SelfTestFinding[]
  /** What was tested; absent when nothing was decided. */
  readonly tested?: Pick<Decided, 'repositoryId' | 'bundleId' | 'backend'>
}

/** A host that restarts, or is busy with live parts, is asked again. */
const ATTEMPTS = 3
const PASSING: readonly UndecidedReason[] = ['deadline', 'host-starting', 'host-lost', 'host-busy']
/** A repository that is promoted meanwhile makes the figures so far those of another one: the test starts again. */
const MOST_STARTS = 3

/**
 * @throws ModelError `MODEL_MISMATCH` when the repository changes again and again. Rejects with the signal's reason. A part that cannot be
 * loaded is a failure of the test, not of the caller.
 */
export async function selfTest(options: SelfTestOptions): Promise<SelfTestReport> {
  if (options.parts.length === 0) return { result: 'untested', findings: [] }
  for (let start = 0; start < MOST_STARTS; start++) {
    const report = await testAll(options)
    if (report !== 'repository-changed') return report
  }
  throw new ModelError(
    'MODEL_MISMATCH',
    `the self-test was begun ${MOST_STARTS} times, and each time another repository came into use`,
  )
}

async function testAll(options: SelfTestOptions): Promise<SelfTestReport | 'repository-changed'> {
  const findings: SelfTestFinding[] = []
  let tested: SelfTestReport['tested']
  let recorded: readonly GoldenJudgement[] = []
  for (const part of options.parts) {
    options.signal.throwIfAborted()
    const sample = await part.load(options.signal).catch((error: unknown) => {
      options.signal.throwIfAborted()
      return error instanceof Error ? error : new Error(String(error))
    })
    const conditions = sample instanceof Error ? [] : conditionsOf(sample)
    if (sample instanceof Error || conditions.length === 0) {
      const detail = sample instanceof Error ? sample.message : 'its frames are not kept'
      findings.push(unknown(part, { condition: 'complete', isWidest: true }, detail))
      continue
    }
    for (const condition of conditions) {
      const place = { condition, isWidest: condition === conditionOf(sample.frames) }
      const inspection = await inspect(seenAs(sample, condition), options)
      if (inspection.kind === 'undecided') {
        findings.push(unknown(part, place, `${inspection.reason}: ${inspection.detail}`))
        continue
      }
      const { repositoryId, bundleId, backend } = inspection
      if (tested === undefined) {
        tested = { repositoryId, bundleId, backend }
        recorded = (await options.recordedOf?.(repositoryId)) ?? []
      }
      if (tested.repositoryId !== repositoryId) return 'repository-changed'
      const known = recorded.find((one) => one.partId === part.partId && one.condition === condition)
      findings.push(compared(part, place, { inspection, known, mostDrift: options.mostDrift }))
    }
  }
  const result = findings.every(({ isRight }) => isRight) ? 'pass' : 'fail'
  return { result, findings, ...(tested && { tested }) }
}

async function inspect(sample: Sample, options: SelfTestOptions): Promise<Inspection> {
  for (let attempt = 1; ; attempt++) {
    await options.mayGoOn?.(options.signal)
    options.signal.throwIfAborted()
    const late = new AbortController()
    const cancel = options.clock.after(options.deadlineMs, () => late.abort())
    const signal = AbortSignal.any([options.signal, late.signal])
    const inspection = await options.inspector.inspect(sample, signal).finally(cancel)
    options.signal.throwIfAborted()
    if (inspection.kind === 'decided' || attempt === ATTEMPTS) return inspection
    if (!PASSING.includes(inspection.reason)) return inspection
  }
}

function conditionsOf({ frames }: Sample): DecidableCondition[] {
  const condition = conditionOf(frames)
  return condition === 'none' ? [] : DECIDABLE_CONDITIONS.filter((narrower) => canNarrow(condition, narrower))
}

/** The sample as the station would have it, had the other sensor failed. */
export function seenAs(sample: Sample, condition: DecidableCondition): Sample {
  if (condition === sample.condition) return sample
  const kept = modalitiesOf(condition)
  const { rgb, xyz } = sample.frames
  const taken = { reason: 'rejected', detail: 'self-test: the frame was taken away' } as const
  const isTaken = (modality: Modality) => !kept.includes(modality) && sample.frames[modality] !== undefined
  return {
    trigger: sample.trigger,
    condition,
    frames: { ...(kept.includes('rgb') && rgb && { rgb }), ...(kept.includes('xyz') && xyz && { xyz }) },
    absent: {
      ...sample.absent,
      ...(isTaken('rgb') && { rgb: taken }),
      ...(isTaken('xyz') && { xyz: taken }),
    },
  }
}

type Place = Pick<SelfTestFinding, 'condition' | 'isWidest'>

function unknown(part: SelfTestPart, place: Place, detail: string): SelfTestFinding {
  return { ...named(part), ...place, outcome: 'unknown', isRight: false, detail }
}

function compared(
  part: SelfTestPart,
  place: Place,
  {
    inspection,
    known,
    mostDrift = Infinity,
  }: {
    readonly inspection: Decided
    readonly known: GoldenJudgement | undefined
    readonly mostDrift: number | undefined
  },
): SelfTestFinding {
  const { normality, distance, threshold, condition, absent } = inspection
  const outcome = normality < threshold ? 'fail' : 'pass'
  const labelled = part.label === 'good' ? 'pass' : 'fail'
  const expected = known?.outcome ?? (place.isWidest ? labelled : undefined)
  const drift = known && { normality: normality - known.normality, distance: distance - known.distance }
  const problems: string[] = []
  if (condition !== place.condition) {
    const why = Object.values(absent).map((absence) => absence?.detail)
    problems.push(`it was seen as ${condition}: ${why.join('; ')}`)
  }
  if (expected !== undefined && outcome !== expected)
    problems.push(`expected ${expected}, the verdict is ${outcome}`)
  if (drift && Math.abs(drift.distance) > mostDrift) {
    problems.push(`its distance has moved by ${drift.distance.toPrecision(3)}, at most ${mostDrift} may`)
  }
  return {
    ...named(part),
    ...place,
    ...(expected !== undefined && { expected }),
    outcome,
    isRight: problems.length === 0,
    normality,
    distance,
    ...(drift && { drift }),
    ...(problems.length > 0 && { detail: problems.join('; ') }),
  }
}

function named({
  partId,
  label,
  defect,
}: SelfTestPart): Pick<SelfTestFinding, 'partId' | 'label' | 'defect'> {
  return { partId, label, ...(defect !== undefined && { defect }) }
}
