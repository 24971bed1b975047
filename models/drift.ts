/**
 * Watches whether good parts still look as they did when the repository came into use. The distances of the first parts are kept; every
 * further block of parts is compared with them once by Kolmogorov and Smirnov's test, per condition and in both directions: parts that
 * look more normal than ever are as odd (a sensor that sees less) as parts that look less so.
 *
 * Blocks do not overlap, so each test alarms by chance as often as the false-alarm rate says, not once for every part. Tests share their
 * reference, so false alarms of one repository come together. Parts that follow each other resemble each other (lots, warm lamps), which
 * makes the test alarm too often; it is corrected for the correlation of neighbours that the reference shows. Measured on 20,000 tests
 * of 1000 made-up stations, 200 and 100 parts (drift.test.ts repeats a part of it):
 *     correlation of neighbours            0         0.1       0.3       0.5
 *     alarms at 0.01, not corrected        0.0084    0.0150    0.0413    0.0988
 *     alarms at 0.01                       0.0069    0.0074    0.0048    0.0031
 *     alarms at 0.0001, not corrected      0.00005   0.00005   0.0017    0.0112
 *     alarms at 0.0001                     0.00005   0.00005   0         0.00005
 * Share of 500 stations whose shift is found in the first block after it, at 0.0001:
 *     shift in deviations                  0.5       0.7       1         1.5
 *     independent parts                    0.26      0.74      1.00      1.00
 *     correlation 0.3                      0.05      0.26      0.78      1.00
 *     independent, cut at 0.05             0.14      0.49      0.95      1.00
 *
 * Only passes count, as nobody knows of a reject whether it was good. Both windows are cut at the same threshold, so this costs no false
 * alarms; it hides some of a shift (the last line: a promise of 0.05), because the parts that moved most are gone. A shift so large that
 * most good parts fail is slow to fill a block; it shows in the rejects.
 */
import * as z from 'zod'
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import { kolmogorovSmirnov } from './kolmogorov-smirnov.ts'
import { ModelError } from './model-error.ts'

const distances = z.array(z.number()).max(10_000)
const windows = z.strictObject({
  /** Distances of the first good parts, in order. */
  reference: distances,
  /** Of those since the last test, in order. */
  recent: distances,
  tests: z.int().nonnegative(),
  /** What the last test said. */
  hasDrifted: z.boolean().default(false),
})

/** What is to be kept over a restart: plain JSON. */
export const driftStateSchema = z.strictObject({
  schema: z.literal('radar-edge/drift@1'),
  repositoryId: z.string(),
  conditions: z.strictObject({ complete: windows, 'rgb-only': windows, 'xyz-only': windows }),
})
export type DriftState = z.infer<typeof driftStateSchema>

export interface DriftLimits {
  /** Good parts that say what is normal. */
  readonly reference: number
  /** Good parts of a test. */
  readonly recent: number
  /** Of one test. A part every 3 s makes 288 tests a day: at 0.0001 a false alarm a month at most. */
  readonly falseAlarmRate: number
}

export const DRIFT_LIMITS: DriftLimits = { reference: 200, recent: 100, falseAlarmRate: 1e-4 }

export interface GoodPart {
  /** That judged it: another one has other distances, and the watch begins anew. */
  readonly repositoryId: string
  readonly condition: DecidableCondition
  readonly distance: number
}

export interface DriftFinding {
  readonly condition: DecidableCondition
  /** Counted from 1 since the repository came into use. */
  readonly test: number
  readonly hasDrifted: boolean
  /** Good parts look odder than they did, or more normal; what the larger part of a difference says even when it is chance. */
  readonly towards: 'odder' | 'more-normal'
  readonly statistic: number
  readonly pValue: number
  readonly medianBefore: number
  readonly medianNow: number
}

export function startDrift(repositoryId: string): DriftState {
  const none = { reference: [], recent: [], tests: 0, hasDrifted: false }
  return {
    schema: 'radar-edge/drift@1',
    repositoryId,
    conditions: { complete: none, 'rgb-only': none, 'xyz-only': none },
  }
}

/**
 * @param state is left as it is.
 * @returns a finding when this part completes a block. @throws ModelError `NOT_FINITE`.
 */
export function watchDrift(
  state: DriftState,
  { repositoryId, condition, distance }: GoodPart,
  limits: DriftLimits = DRIFT_LIMITS,
): { readonly state: DriftState; readonly finding?: DriftFinding } {
  if (!Number.isFinite(distance)) {
    throw new ModelError('NOT_FINITE', `a good part has a distance of ${distance}`)
  }
  const { conditions } = state.repositoryId === repositoryId ? state : startDrift(repositoryId)
  const before = conditions[condition]
  const { reference, recent, tests } = before
  const withWindows = (changed: Partial<DriftState['conditions'][DecidableCondition]>): DriftState => ({
    schema: 'radar-edge/drift@1',
    repositoryId,
    conditions: { ...conditions, [condition]: { ...before, ...changed } },
  })
  if (reference.length < limits.reference) {
    return { state: withWindows({ reference: [...reference, distance] }) }
  }
  const block = [...recent, distance]
  if (block.length < limits.recent) return { state: withWindows({ recent: block }) }
  const { statistic, pValue, second } = kolmogorovSmirnov(reference, block, inflationOf(reference))
  const hasDrifted = pValue < limits.falseAlarmRate
  return {
    state: withWindows({ recent: [], tests: tests + 1, hasDrifted }),
    finding: {
      condition,
      test: tests + 1,
      hasDrifted,
      towards: second === 'larger' ? 'odder' : 'more-normal',
      statistic,
      pValue,
      medianBefore: median(reference),
      medianNow: median(block),
    },
  }
}

/** Parts of each condition that are missing for the next finding. */
export function partsMissing(
  { conditions }: DriftState,
  limits: DriftLimits = DRIFT_LIMITS,
): Record<DecidableCondition, number> {
  const missing = { complete: 0, 'rgb-only': 0, 'xyz-only': 0 }
  for (const condition of DECIDABLE_CONDITIONS) {
    const { reference, recent } = conditions[condition]
    missing[condition] = Math.max(0, limits.reference - reference.length) + limits.recent - recent.length
  }
  return missing
}

/**
 * The spread of a mean of n values of which neighbours correlate by r, over that of independent ones: sqrt((1 + r) / (1 - r)), as if they
 * were an autoregression of order 1. The correlation is that of ranks, so that no single odd part decides it.
 */
function inflationOf(values: readonly number[]): number {
  const ranks = ranksOf(values)
  const mean = (values.length + 1) / 2
  let products = 0
  let squares = 0
  for (const [i, rank] of ranks.entries()) {
    squares += (rank - mean) ** 2
    if (i > 0) products += (rank - mean) * (ranks[i - 1]! - mean)
  }
  // Equal values have no correlation; beyond 0.95 the parts are one part.
  const correlation = squares === 0 ? 0 : Math.min(0.95, Math.max(0, products / squares))
  return Math.sqrt((1 + correlation) / (1 - correlation))
}

/** From 1; equal values share the mean of theirs. */
function ranksOf(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  const first = new Map<number, number>()
  const count = new Map<number, number>()
  for (const [i, value] of sorted.entries()) {
    if (!first.has(value)) first.set(value, i)
    count.set(value, (count.get(value) ?? 0) + 1)
  }
  return values.map((value) => first.get(value)! + (count.get(value)! + 1) / 2)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[upper]! : (sorted[upper - 1]! + sorted[upper]!) / 2
}
