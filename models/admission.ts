/**
 * Which of the parts that somebody calls good may teach. A repository learns what it is shown: a defect that is confirmed as good is not
 * found again. So a confirmed part is looked at for what a hurried hand may have missed, and every refusal has a reason.
 */
import type { DecidableCondition } from '../drivers/sample.ts'
import type { Comparer } from './comparison.ts'
import { compare, patchRows, votersOf } from './comparison.ts'
import { makeBank, type Bank } from './bank.ts'
import { BANK_KEYS, GRID_PATCHES, type BankKey, type BankName, type Features } from './features.ts'
import { findingsOf, conclude } from './judge.ts'
import { canNarrow, narrowed } from './narrow.ts'
import type { RepositoryPart } from './repository-manifest.ts'
import type { Repository } from './repository.ts'
import { NEEDED } from './taught-banks.ts'
import { featuresHash, type TaughtPart } from './teach.ts'

/** A part that may teach once it is admitted. */
export interface ConfirmedPart extends TaughtPart {
  /** A false reject that an operator accepted, or one of a lot that the line confirmed; undefined when nobody did. */
  readonly origin: Exclude<RepositoryPart['origin'], 'taught'> | undefined
  /** A configured sensor took no part or showed less than it should, or one repeated its picture. */
  readonly doubt?: 'degraded' | 'frozen'
  /** Of its frames: two triggers that show one exposure. */
  readonly framesHash?: string
}

/** A known bad part: what looks like its defect may not enter. */
export interface KnownDefect {
  readonly features: Features
  /** 1 where the defect is: 784. Without it every patch that the banks do not cover counts. */
  readonly defectPatches?: Uint8Array | undefined
}

export type RefusalReason =
  | 'unconfirmed'
  | 'degraded'
  | 'frozen'
  /** The repository or this very batch has it already. */
  | 'duplicate'
  /** Of a lot called good, but rejected: someone must accept it by name. */
  | 'anomalous'
  /** What is new about it is nearer to a known defect than to anything good. */
  | 'resembles-defect'

export interface Refusal {
  readonly partId: string
  readonly reason: RefusalReason
  /** One sentence for a person. */
  readonly detail: string
}

export interface Admission {
  readonly admitted: readonly HashedConfirmedPart[]
  readonly refused: readonly Refusal[]
  /** So many of the parts resemble known defects that somebody should ask how they came to be confirmed. */
  readonly isSuspicious: boolean
}

export interface HashedConfirmedPart extends ConfirmedPart {
  readonly origin: Exclude<RepositoryPart['origin'], 'taught'>
  readonly sha256: string
}

/** One mistake happens; two that are a tenth of all are a habit, or somebody's intention. */
const SUSPICIOUS_PARTS = 2
const SUSPICIOUS_SHARE = 0.1
/** Fewer new patches than this are noise: the smallest defect shows in 3 x 3. */
const FEWEST_NEW_PATCHES = 3
const RESEMBLING_SHARE = 0.5

/** @throws ModelError for features that are not comparable. Rejects with the signal's reason. */
export async function admit(
  confirmed: readonly ConfirmedPart[],
  {
    active,
    defects,
    signal,
    ...comparer
  }: Comparer & {
    readonly active: Repository
    readonly defects: DefectBanks
    readonly signal?: AbortSignal | undefined
  },
): Promise<Admission> {
  const { taught, heldOut, falseRejectRate } = active.manifest
  const known = new Map([...taught, ...heldOut].map(({ id, sha256 }) => [sha256, id]))
  const frames = new Map<string, string>()
  const admitted: HashedConfirmedPart[] = []
  const refused: Refusal[] = []
  for (const part of confirmed) {
    signal?.throwIfAborted()
    const { partId, features, origin, framesHash } = part
    const refuse = (reason: RefusalReason, detail: string) => void refused.push({ partId, reason, detail })
    if (origin === undefined) {
      refuse('unconfirmed', 'nobody has called it good')
      continue
    }
    if (part.doubt !== undefined) {
      refuse(
        part.doubt,
        part.doubt === 'frozen'
          ? 'a sensor repeated its picture'
          : 'a sensor took no part in it, or its frame was degraded',
      )
      continue
    }
    const sha256 = featuresHash(features)
    const twin = known.get(sha256) ?? (framesHash === undefined ? undefined : frames.get(framesHash))
    if (twin !== undefined) {
      refuse('duplicate', `it is the same capture as '${twin}'`)
      continue
    }
    known.set(sha256, partId)
    if (framesHash !== undefined) frames.set(framesHash, partId)
    if (origin === 'lot') {
      const findings = await findingsOf(features, active, comparer)
      const { normality } = conclude(findings, active.manifest.heads[features.condition])
      if (normality < falseRejectRate) {
        const detail = `its normality is ${normality.toPrecision(2)}, below ${falseRejectRate}: accept it by its trigger id if it is good`
        refuse('anomalous', detail)
        continue
      }
    }
    const likeness = await resemblance(features, { active, defects, ...comparer })
    if (likeness !== undefined) {
      refuse('resembles-defect', likeness)
      continue
    }
    admitted.push({ ...part, origin, sha256 })
  }
  const resembling = refused.filter(({ reason }) => reason === 'resembles-defect').length
  return {
    admitted,
    refused,
    isSuspicious: resembling >= SUSPICIOUS_PARTS && resembling >= SUSPICIOUS_SHARE * confirmed.length,
  }
}

/** The patches of known defects as each bank sees them; undefined where none shows. */
export type DefectBanks = Readonly<Partial<Record<BankKey, Bank>>>

export async function defectBanks(
  known: readonly KnownDefect[],
  active: Repository,
  { search, fuse }: Comparer,
): Promise<DefectBanks> {
  const banks: Partial<Record<BankKey, Bank>> = {}
  for (const key of BANK_KEYS) {
    const rows: Float32Array[] = []
    for (const { features, defectPatches } of known) {
      const condition = NEEDED[key]
      if (!canNarrow(features.condition, condition)) continue
      const seen = narrowed(features, condition)
      const novel = await novelPatches(seen, { key, active, search, fuse })
      for (const patch of novel.patches) {
        if (defectPatches === undefined || defectPatches[patch] === 1) {
          rows.push(novel.values.subarray(patch * novel.width, (patch + 1) * novel.width))
        }
      }
    }
    const width = active.banks[key].width
    if (rows.length > 0) banks[key] = makeBank(width, joined(rows, width))
  }
  return banks
}

/** Of the bank's rows and for one part: the patches that vote and that no row covers. */
async function novelPatches(
  features: Features,
  { key, active, search, fuse }: Comparer & { readonly key: BankKey; readonly active: Repository },
) {
  const name: BankName = key === 'rgb' || key === 'xyz' ? key : 'fused'
  const { scales, banks: described } = active.manifest
  const rows = await patchRows(features, name, scales, fuse)
  const { neighbours } = await compare(rows, active.banks[key], search)
  const voters = votersOf(name, features, active.foregroundPrior)
  const patches: number[] = []
  for (let patch = 0; patch < GRID_PATCHES; patch++) {
    if (voters[patch] === 1 && neighbours.distances[patch]! > described[key].coveringRadius)
      patches.push(patch)
  }
  return { ...rows, patches, distances: neighbours.distances }
}

/** Says of which sensor's look most of what is new is nearer to a defect; undefined when of none. */
async function resemblance(
  features: Features,
  {
    active,
    defects,
    search,
    fuse,
  }: Comparer & { readonly active: Repository; readonly defects: DefectBanks },
): Promise<string | undefined> {
  const single: readonly [BankKey & BankName, DecidableCondition][] = [
    ['rgb', 'rgb-only'],
    ['xyz', 'xyz-only'],
  ]
  for (const [key, condition] of single) {
    const bank = defects[key]
    if (bank === undefined || !canNarrow(features.condition, condition)) continue
    // With the part's own condition, so that 3D still tells it from the table.
    const { width, values, patches, distances } = await novelPatches(features, { key, active, search, fuse })
    if (patches.length < FEWEST_NEW_PATCHES) continue
    const queries = joined(
      patches.map((patch) => values.subarray(patch * width, (patch + 1) * width)),
      width,
    )
    const toDefect = await search.nearest({ queries, width, bank, k: 1 })
    const nearer = patches.filter((patch, i) => toDefect.distances[i]! < distances[patch]!).length
    if (nearer >= FEWEST_NEW_PATCHES && nearer > RESEMBLING_SHARE * patches.length) {
      return `${nearer} of its ${patches.length} new ${key} patches are nearer to the defect of a golden part than to a good one`
    }
  }
  return undefined
}

export function joined(rows: readonly Float32Array[], width: number): Float32Array {
  const values = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) values.set(row, i * width)
  return values
}
