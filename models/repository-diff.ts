/** What one repository has that another has not. Rows are compared by their values: a row that was kept is the same to the bit. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { Bank } from './bank.ts'
import { contentId } from './content-id.ts'
import { BANK_KEYS, byBankKey, type BankKey } from './features.ts'
import { distanceAt } from './normality.ts'
import type { DecisionHead, RepositoryManifest, RepositoryPart } from './repository-manifest.ts'
import type { Repository } from './repository.ts'

export interface BankDiff {
  /** Rows of both. */
  readonly kept: number
  readonly added: number
  readonly dropped: number
  readonly coveringRadius: Change<number>
}

export interface HeadDiff {
  readonly predictedFalseRejects: Change<DecisionHead['calibration']['predictedFalseRejects']>
  /** A part that is farther than this from what is usual fails. */
  readonly distance: Change<number>
  /** The mixed map's value that is shown as 1.0. */
  readonly mapThreshold: Change<number>
}

export interface Change<Value> {
  readonly before: Value
  readonly after: Value
}

export interface RepositoryDiff {
  readonly before: string
  readonly after: string
  /** Parts with rows in the banks. */
  readonly taught: PartsDiff
  /** Parts that only calibrate. */
  readonly heldOut: PartsDiff
  readonly banks: Readonly<Record<BankKey, BankDiff>>
  readonly heads: Readonly<Record<DecidableCondition, HeadDiff>>
  /** Features are scaled alike. If not, it was taught anew, and no row of one is one of the other. */
  readonly sameScales: boolean
  /** Whatever else they were made with that is not the same, e.g. `engine`. */
  readonly madeWith: readonly (Change<string> & { readonly what: string })[]
}

export interface PartsDiff {
  readonly kept: number
  readonly added: readonly RepositoryPart[]
  readonly dropped: readonly RepositoryPart[]
}

export function repositoryDiff(before: Repository, after: Repository): RepositoryDiff {
  const manifests = [before.manifest, after.manifest] as const
  const heads = Object.fromEntries(
    DECIDABLE_CONDITIONS.map((condition) => [condition, headDiff(condition, ...manifests)]),
  ) as Record<DecidableCondition, HeadDiff>
  return {
    before: before.id,
    after: after.id,
    taught: partsDiff(before.manifest.taught, after.manifest.taught),
    heldOut: partsDiff(before.manifest.heldOut, after.manifest.heldOut),
    banks: byBankKey((key) => ({
      ...rowsDiff(before.banks[key], after.banks[key]),
      coveringRadius: change(...manifests, ({ banks }) => banks[key].coveringRadius),
    })),
    heads,
    sameScales: contentId(before.manifest.scales) === contentId(after.manifest.scales),
    madeWith: madeWithDiff(...manifests),
  }
}

function change<Value>(
  before: RepositoryManifest,
  after: RepositoryManifest,
  of: (manifest: RepositoryManifest) => Value,
): Change<Value> {
  return { before: of(before), after: of(after) }
}

function headDiff(
  condition: DecidableCondition,
  before: RepositoryManifest,
  after: RepositoryManifest,
): HeadDiff {
  return {
    predictedFalseRejects: change(
      before,
      after,
      ({ heads }) => heads[condition].calibration.predictedFalseRejects,
    ),
    distance: change(before, after, ({ heads, falseRejectRate }) =>
      distanceAt(heads[condition].normality, falseRejectRate),
    ),
    mapThreshold: change(before, after, ({ heads }) => heads[condition].map.threshold),
  }
}

/** A part is what its features are; its id is what a person calls it. */
function partsDiff(before: readonly RepositoryPart[], after: readonly RepositoryPart[]): PartsDiff {
  const had = new Set(before.map(({ sha256 }) => sha256))
  const has = new Set(after.map(({ sha256 }) => sha256))
  const added = after.filter(({ sha256 }) => !had.has(sha256))
  const dropped = before.filter(({ sha256 }) => !has.has(sha256))
  return { kept: after.length - added.length, added, dropped }
}

function rowsDiff(before: Bank, after: Bank): Omit<BankDiff, 'coveringRadius'> {
  const left = new Map<string, number>()
  for (const row of rowsOf(before)) left.set(row, (left.get(row) ?? 0) + 1)
  let kept = 0
  for (const row of rowsOf(after)) {
    const count = left.get(row) ?? 0
    if (count === 0) continue
    left.set(row, count - 1)
    kept++
  }
  return { kept, added: after.rows - kept, dropped: before.rows - kept }
}

/** Each row's bytes as text, so that equal rows are equal keys. */
function* rowsOf({ rows, width, values }: Bank): Generator<string> {
  for (let row = 0; row < rows; row++) {
    const { buffer, byteOffset, byteLength } = values.subarray(row * width, (row + 1) * width)
    yield Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
  }
}

function madeWithDiff(before: RepositoryManifest, after: RepositoryManifest): RepositoryDiff['madeWith'] {
  const facts: [what: string, of: (manifest: RepositoryManifest) => string][] = [
    ['bundle', ({ bundle }) => `${bundle.name} ${bundle.id.slice(0, 12)}`],
    ['engine', ({ engine }) => engine],
    ['plane', ({ plane }) => plane],
    ['promised false rejects', ({ falseRejectRate }) => String(falseRejectRate)],
    ['byte budget', ({ byteBudget }) => String(byteBudget)],
    ['seed', ({ seed }) => String(seed)],
    ['widths', ({ banks }) => BANK_KEYS.map((key) => banks[key].width).join(' ')],
  ]
  return facts
    .map(([what, of]) => ({ what, ...change(before, after, of) }))
    .filter(({ before: was, after: is }) => was !== is)
}
