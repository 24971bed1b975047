/**
 * A line that keeps its repository current: parts are inspected, confirmed and offered to updates, as the runtime does it but without its
 * disk. Whoever stands there confirms every part as good: what passed with its lot, what was rejected by name.
 */
import type { ConfirmedPart, KnownDefect, RefusalReason } from '../admission.ts'
import { gate, type GateCheckName, type GateLimits, type GateReport, type GoldenPart } from '../gate.ts'
import { judge } from '../judge.ts'
import type { Repository } from '../repository.ts'
import type { TaughtPart } from '../teach.ts'
import { update, type UpdateRequest } from '../update.ts'
import { timingOf, type Timing } from './timing.ts'

export interface LinePart extends TaughtPart {
  /** `good` or the defect's kind, which nobody on this line knows. */
  readonly label: string
}

export type BenchGolden = GoldenPart & KnownDefect

export interface LineRequest extends Omit<
  UpdateRequest,
  'active' | 'confirmed' | 'kept' | 'defects' | 'forget'
> {
  /** In use at the start. */
  readonly repository: Repository
  readonly taught: readonly TaughtPart[]
  readonly goldens: readonly BenchGolden[]
  readonly limits: GateLimits
  readonly updates: number
  /** The parts that come along before an update. @param turn from 0. */
  partsBefore(turn: number): Promise<readonly LinePart[]>
}

/** Good and defective parts, counted. */
export interface Truths {
  readonly good: number
  readonly defective: number
}

export interface LineReport {
  readonly shown: Truths
  /** Of those shown, by the repository in use at the time. */
  readonly rejected: Truths
  readonly admitted: Truths
  readonly refused: Readonly<Partial<Record<RefusalReason, Truths>>>
  readonly promoted: number
  /** Updates of which nothing came, because no part was admitted. */
  readonly unchanged: number
  /** Updates in which too many parts resembled known defects: everything that waited was thrown away. */
  readonly suspicious: number
  /** Updates that the gate refused: their parts wait for the next. */
  readonly refusedByGate: number
  /** How often each check said no, how often it alone, and its last reason. */
  readonly gateChecks: Readonly<
    Partial<Record<GateCheckName, { readonly count: number; readonly alone: number; readonly last: string }>>
  >
  /** Of the update and its gate, with the fusion of every part remembered from the first time. */
  readonly updateMs: Timing
  /** Share of the good parts before each update that was rejected. */
  readonly falseRejectRates: readonly number[]
}

/** As the runtime has them: parts that one update looks at, and good parts that are kept to calibrate. */
const MOST_CONFIRMED = 200
const MOST_KEPT = 300

/** @throws what `update`, `gate` and `judge` throw. Rejects with the signal's reason. */
export async function runLine(
  request: LineRequest,
): Promise<{ readonly repository: Repository; readonly report: LineReport }> {
  const { goldens, limits, signal, search, fuse } = request
  const comparer = { search, fuse }
  const defects = goldens.filter(({ label }) => label === 'bad')
  const shown: LinePart[] = []
  const rejected: LinePart[] = []
  const admitted: LinePart[] = []
  const refused: { readonly part: LinePart; readonly reason: RefusalReason }[] = []
  const gates: GateReport[] = []
  const updateMs: number[] = []
  const falseRejectRates: number[] = []
  let unchanged = 0
  let suspicious = 0
  let { repository } = request
  let kept = [...request.taught]
  let waiting: (ConfirmedPart & LinePart)[] = []
  for (let turn = 0; turn < request.updates; turn++) {
    const parts = await request.partsBefore(turn)
    const failing: LinePart[] = []
    for (const part of parts) {
      signal?.throwIfAborted()
      const { normality, threshold } = await judge(part.features, repository, comparer)
      if (normality < threshold) failing.push(part)
      waiting.push({ ...part, origin: normality < threshold ? 'accepted' : 'lot' })
    }
    shown.push(...parts)
    rejected.push(...failing)
    falseRejectRates.push(shareGood(failing, parts))

    const startedMs = performance.now()
    const confirmed = waiting.slice(0, MOST_CONFIRMED)
    const made = await update({ ...request, active: repository, confirmed, kept, defects })
    const options = { active: repository, goldens, comparer, limits, signal }
    const gated = made.repository && (await gate(made.repository, options))
    updateMs.push(performance.now() - startedMs)

    for (const { partId, reason } of made.refused) {
      const part = confirmed.find((candidate) => candidate.partId === partId)
      if (part) refused.push({ part, reason })
    }
    const isRefused = (part: LinePart): boolean => made.refused.some(({ partId }) => partId === part.partId)
    waiting = made.isSuspicious ? [] : waiting.filter((part) => !isRefused(part))
    if (made.isSuspicious) suspicious++
    else if (gated === undefined) unchanged++
    else gates.push(gated)
    if (made.repository && gated?.passed) {
      const taken = waiting.filter(({ partId }) => made.admitted.includes(partId))
      repository = made.repository
      admitted.push(...taken)
      kept = [...kept, ...taken].slice(-MOST_KEPT)
      waiting = waiting.filter((part) => !taken.includes(part))
    }
  }
  const reasons = [...new Set(refused.map(({ reason }) => reason))]
  return {
    repository,
    report: {
      shown: truthsOf(shown),
      rejected: truthsOf(rejected),
      admitted: truthsOf(admitted),
      refused: Object.fromEntries(
        reasons.map((reason) => [
          reason,
          truthsOf(refused.filter((refusal) => refusal.reason === reason).map(({ part }) => part)),
        ]),
      ),
      promoted: gates.filter(({ passed }) => passed).length,
      unchanged,
      suspicious,
      refusedByGate: gates.filter(({ passed }) => !passed).length,
      gateChecks: failedChecks(gates),
      updateMs: timingOf(updateMs),
      falseRejectRates,
    },
  }
}

function truthsOf(parts: readonly LinePart[]): Truths {
  const good = parts.filter(isGood).length
  return { good, defective: parts.length - good }
}

function shareGood(some: readonly LinePart[], all: readonly LinePart[]): number {
  return some.filter(isGood).length / Math.max(1, all.filter(isGood).length)
}

const isGood = ({ label }: LinePart): boolean => label === 'good'

function failedChecks(gates: readonly GateReport[]): LineReport['gateChecks'] {
  const refusals = gates.map(({ checks }) => checks.filter(({ passed }) => !passed))
  const names = [...new Set(refusals.flat().map(({ name }) => name))]
  return Object.fromEntries(
    names.map((name) => {
      const those = refusals.filter((failed) => failed.some((check) => check.name === name))
      const last = those.at(-1)?.find((check) => check.name === name)
      return [
        name,
        {
          count: those.length,
          alone: those.filter(({ length }) => length === 1).length,
          last: last?.detail ?? '',
        },
      ]
    }),
  )
}
