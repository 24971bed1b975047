/** Sample + inspection + the recipe's policy -> verdict. Pure. Nothing that was not decided can pass here. */
import { modalitiesOf, type Absence, type Condition, type Sample } from '../drivers/sample.ts'
import type { Trigger } from '../drivers/driver.ts'
import type { Frame, Modality } from '../drivers/frame.ts'
import type { Decided, Inspection, UndecidedReason } from '../models/inspection.ts'
import type { VerdictPayload } from './messages.ts'

/** What the line does with a verdict: follow it, have a person look, or treat the part as bad. */
export type DecisionPolicy = 'decide' | 'review' | 'fail'
export type RecipePolicy = Readonly<Record<Condition, DecisionPolicy>>

/** Names of the configured sensors; a station may have only one. */
export type SensorNames = { readonly [M in Modality]?: string | undefined }

export type UnknownReason = UndecidedReason | 'overrun' | 'shutting-down'

/** A verdict before it is numbered, timed and addressed. */
export type Verdict = Omit<
  VerdictPayload,
  | 'schema'
  | 'site'
  | 'station'
  | 'time'
  | 'seq'
  | 'durable'
  | 'historical'
  | 'product'
  | 'heatmap'
  | 'timingMs'
>

export interface DecisionContext {
  readonly policy: RecipePolicy
  readonly sensors: SensorNames
  readonly delayToleranceMs: number
  /** Monotonic; the frames' age counts to here. */
  readonly nowMs: number
}

// The ids that the bundle's manifest fixes (models/bundle-manifest.ts, `instructions`).
const INSTRUCTIONS = { complete: 0, 'rgb-only': 1, 'xyz-only': 2 } as const

const STATE_OF_ABSENCE = {
  timeout: 'missing',
  lost: 'missing',
  frozen: 'frozen',
  'bad-frame': 'rejected',
  stale: 'stale',
  rejected: 'rejected',
} as const

export function decide(sample: Sample, inspection: Inspection, context: DecisionContext): Verdict {
  if (inspection.kind === 'undecided') {
    return unknownVerdict(sample, { ...context, ...inspection })
  }
  const flaw = flawOf(sample, inspection)
  if (flaw !== undefined) {
    const { condition, absent, flags } = inspection
    return unknownVerdict(sample, { ...context, condition, absent, flags, ...flaw })
  }
  const outcome = inspection.normality < inspection.threshold ? 'fail' : 'pass'
  return {
    ...headOf(sample, inspection, context),
    outcome,
    action: actionOf(outcome, context.policy[inspection.condition]),
    score: inspection.normality,
    threshold: inspection.threshold,
    distance: inspection.distance,
    bankScores: inspection.bankScores,
    instruction: INSTRUCTIONS[inspection.condition],
    regions: [...inspection.regions],
    provenance: {
      bundleId: inspection.bundleId,
      repositoryId: inspection.repositoryId,
      backend: inspection.backend,
    },
  }
}

/** The sample of a trigger that was never captured. */
export function emptySample(trigger: Trigger, sensors: SensorNames, absence: Absence): Sample {
  return {
    trigger,
    frames: {},
    absent: {
      ...(sensors.rgb !== undefined && { rgb: absence }),
      ...(sensors.xyz !== undefined && { xyz: absence }),
    },
    condition: 'none',
  }
}

interface Unknown extends DecisionContext {
  readonly condition: Condition
  readonly absent: Sample['absent']
  readonly flags: readonly string[]
  readonly reason: UnknownReason
  readonly detail: string
}

export function unknownVerdict(sample: Sample, unknown: Unknown): Verdict {
  return {
    ...headOf(sample, unknown, unknown),
    outcome: 'unknown',
    action: actionOf('unknown', unknown.policy[unknown.condition]),
    reason: unknown.reason,
    detail: unknown.detail,
    regions: [],
  }
}

function actionOf(outcome: Verdict['outcome'], policy: DecisionPolicy): Verdict['action'] {
  switch (policy) {
    case 'fail':
      return 'reject'
    case 'review':
      return 'review'
    case 'decide':
      return outcome === 'pass' ? 'accept' : outcome === 'fail' ? 'reject' : 'review'
  }
}

function headOf(
  sample: Sample,
  inspection: { condition: Condition; absent: Sample['absent']; flags: readonly string[] },
  { sensors, delayToleranceMs, nowMs }: DecisionContext,
) {
  const { trigger } = sample
  const modalities: Verdict['modalities'] = {}
  for (const modality of ['rgb', 'xyz'] as const) {
    const sensor = sensors[modality]
    if (sensor !== undefined) {
      const absence = inspection.absent[modality] ?? sample.absent[modality]
      modalities[modality] = modalityOf(sensor, { frame: sample.frames[modality], absence, nowMs })
    }
  }
  return {
    triggerId: trigger.id,
    source: trigger.source,
    ...(trigger.partId !== undefined && { partId: trigger.partId }),
    condition: inspection.condition,
    degraded: Object.values(modalities).some((modality) => modality?.state !== 'ok'),
    modalities,
    ...(isMeasured(sample.skewMs) && { skewMs: sample.skewMs }),
    flags: [
      ...inspection.flags,
      ...remarkFlags(sample),
      ...(isLate(sample, delayToleranceMs) ? ['captured-late'] : []),
    ],
  }
}

/** `rgb-blurred`: every remark once, also those that do not degrade, such as a clock that was set. */
function remarkFlags({ frames }: Sample): string[] {
  const flags = (['rgb', 'xyz'] as const).flatMap((modality) =>
    (frames[modality]?.remarks ?? []).map(({ code }) => `${modality}-${code}`),
  )
  return [...new Set(flags)]
}

function modalityOf(
  sensor: string,
  seen: {
    frame: Pick<Frame, 'exposedAtMs' | 'remarks'> | undefined
    absence: Absence | undefined
    nowMs: number
  },
) {
  const ageMs = seen.frame === undefined ? undefined : Math.max(0, seen.nowMs - seen.frame.exposedAtMs)
  const age = isMeasured(ageMs) ? { ageMs } : {}
  if (seen.absence !== undefined) {
    return { sensor, state: STATE_OF_ABSENCE[seen.absence.reason], ...seen.absence, ...age }
  }
  if (seen.frame === undefined) {
    return {
      sensor,
      state: 'missing' as const,
      reason: 'lost' as const,
      detail: 'no frame and no reason given',
    }
  }
  const degrading = (seen.frame.remarks ?? []).filter(({ degrades }) => degrades)
  if (degrading.length === 0) return { sensor, state: 'ok' as const, ...age }
  const detail = `${sensor}: the frame ${degrading.map((remark) => remark.detail).join(', and ')}`
  return { sensor, state: 'degraded' as const, detail, ...age }
}

/** A trigger that waited, or a slow sensor: by then another part may have lain there. */
function isLate({ trigger, frames }: Sample, delayToleranceMs: number): boolean {
  return Object.values(frames).some((frame) => frame.exposedAtMs - trigger.atMs > delayToleranceMs)
}

function isMeasured(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value) && value >= 0
}

/** Why a decision may not be believed. Never an excuse to pass: an incredible inspection is unknown. */
function flawOf(sample: Sample, decided: Decided): { reason: UnknownReason; detail: string } | undefined {
  const numbers: [string, number][] = [
    ['normality', decided.normality],
    ['threshold', decided.threshold],
    ['distance', decided.distance],
    ...Object.entries(decided.bankScores).map(([bank, score]): [string, number] => [
      `score of bank ${bank}`,
      score,
    ]),
    ...decided.regions.flatMap((region, index) =>
      Object.entries(region).map(([key, value]): [string, number] => [`region ${index} ${key}`, value]),
    ),
  ]
  const odd = numbers.find(([, value]) => !Number.isFinite(value))
  if (odd !== undefined) return { reason: 'not-finite', detail: `${odd[0]} is ${odd[1]}` }
  const hole = decided.map.findIndex((value) => !Number.isFinite(value))
  if (hole >= 0) return { reason: 'not-finite', detail: `map value ${hole} is ${decided.map[hole]}` }
  const outside = numbers.slice(0, 2).find(([, value]) => value < 0 || value > 1)
  if (outside !== undefined) {
    return { reason: 'model-failed', detail: `${outside[0]} is ${outside[1]}, expected 0 to 1` }
  }
  const invented = modalitiesOf(decided.condition).find((modality) => sample.frames[modality] === undefined)
  if (invented !== undefined) {
    return {
      reason: 'model-failed',
      detail: `decided as ${decided.condition}, but the sample has no ${invented} frame`,
    }
  }
  return undefined
}
