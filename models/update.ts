/**
 * A repository that learns from parts that were confirmed as good: immutable like every repository, its parent stays as it was. Taking
 * parts out again, a smaller byte budget and calibrating anew are the same thing without new parts.
 */
import { admit, defectBanks, type ConfirmedPart, type KnownDefect, type Refusal } from './admission.ts'
import { BANK_KEYS, byBankKey, type BankKey } from './features.ts'
import { calibrateConditions, type CalibrationOptions } from './normals.ts'
import type { RepositoryManifest, RepositoryPart } from './repository-manifest.ts'
import { makeRepository, RepositoryError, type Repository } from './repository.ts'
import { reviseBanks, type BankChange, type Member } from './revised-banks.ts'
import { featuresHash, type TaughtPart } from './teach.ts'

export interface UpdateRequest extends CalibrationOptions {
  readonly active: Repository
  /** Called good since; they are admitted or refused here. */
  readonly confirmed: readonly ConfirmedPart[]
  /** Good parts whose features were kept, of those that the repository was made of: they calibrate. Oldest first. */
  readonly kept: readonly TaughtPart[]
  /** Bad parts that somebody vouches for: what looks like them does not enter. */
  readonly defects: readonly KnownDefect[]
  /** Ids of parts whose rows leave: they should never have been taught. */
  readonly forget?: readonly string[]
  readonly byteBudget: number
}

export interface Update {
  /** Undefined when nothing was admitted that could change it, or when it was stopped. */
  readonly repository?: Repository
  readonly admitted: readonly string[]
  readonly refused: readonly Refusal[]
  /** Many of the parts resemble known defects: nothing was made of any of them. */
  readonly isSuspicious: boolean
  readonly changes?: Readonly<Record<BankKey, BankChange>>
}

/** Good parts that calibrate at most, the latest: their findings are made anew in every update. */
export const MOST_CALIBRATING = 120

/**
 * @throws RepositoryError `REPOSITORY_REFUSED` when there are no kept parts to calibrate with, or a part to forget is not in it;
 * ModelError for features that are not comparable. Rejects with the signal's reason.
 */
export async function update(request: UpdateRequest): Promise<Update> {
  const { active, confirmed, forget = [], byteBudget, seed, falseRejectRate, signal, search, fuse } = request
  const { manifest } = active
  const stranger = forget.find((id) => !manifest.taught.some((part) => part.id === id))
  if (stranger !== undefined) {
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `part '${stranger}' has no rows in repository ${active.id}`,
    )
  }
  const defects = await defectBanks(request.defects, active, { search, fuse })
  const { admitted, refused, isSuspicious } = await admit(confirmed, {
    active,
    defects,
    search,
    fuse,
    signal,
  })
  const outcome = { admitted: admitted.map(({ partId }) => partId), refused, isSuspicious }
  if (isSuspicious || (admitted.length === 0 && confirmed.length > 0)) return { ...outcome, admitted: [] }

  const parts = membersOf(request, admitted)
  const calibrating = [...parts.keys()].filter(
    (index) => parts[index]!.features !== undefined && !parts[index]!.isForgotten,
  )
  const recent = calibrating.slice(-MOST_CALIBRATING)
  if (recent.length < 2) {
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `${recent.length} good parts of '${manifest.product}' were kept to calibrate with, at least 2 are needed: teach again`,
    )
  }
  const members = parts.map((part, index) =>
    recent.includes(index) ? part : { ...part, features: undefined },
  )
  const compacts = confirmed.length === 0
  const revised = await reviseBanks(active, members, { ...request, defects, compacts })
  const changed = BANK_KEYS.some((key) => revised.changes[key].added + revised.changes[key].left > 0)
  if (
    compacts &&
    !changed &&
    falseRejectRate === manifest.falseRejectRate &&
    byteBudget === manifest.byteBudget
  ) {
    return { ...outcome, changes: revised.changes }
  }

  // A part that was offered and is covered already counts as taught: parts without rows are the most ordinary ones, and
  // calibrating on them alone would promise too much.
  const inBanks = recent.filter((index) => !parts[index]!.isHeldOut)
  const outside = recent.filter((index) => parts[index]!.isHeldOut)
  const featuresOf = (index: number) => ({ features: members[index]!.features! })
  const { heads, warnings } = await calibrateConditions(request, {
    parts: inBanks.map(featuresOf),
    heldOut: outside.map(featuresOf),
    built: {
      ...revised,
      without: byBankKey((key) => (fold) => revised.without[key](fold.map((part) => inBanks[part]!))),
    },
  })
  signal?.throwIfAborted()

  const hasRows = new Set(BANK_KEYS.flatMap((key) => [...revised.rowParts[key]]))
  const taught = [...parts.keys()].filter((index) => hasRows.has(index) || inBanks.includes(index))
  const place = new Map(taught.map((index, position) => [index, position]))
  const named: Omit<RepositoryManifest, 'tensors'> = {
    ...manifest,
    made: compacts ? 'compacted' : 'updated',
    parent: active.id,
    banks: revised.descriptions,
    byteBudget,
    seed,
    falseRejectRate,
    taught: taught.map((index) => parts[index]!.part),
    heldOut: outside.map((index) => parts[index]!.part),
    heads,
    warnings,
  }
  const repository = makeRepository({
    manifest: named,
    banks: revised.banks,
    rowParts: byBankKey((key) => revised.rowParts[key].map((index) => place.get(index)!)),
    foregroundPrior: revised.foregroundPrior,
  })
  return { ...outcome, repository, changes: revised.changes }
}

interface NamedMember extends Member {
  readonly part: RepositoryPart
  readonly isHeldOut: boolean
}

/** The repository's taught parts in their order, then good ones that only calibrate, then the admitted. */
function membersOf(
  { active, kept, forget = [] }: UpdateRequest,
  admitted: readonly (ConfirmedPart & Pick<RepositoryPart, 'origin' | 'sha256'>)[],
): NamedMember[] {
  const { taught, heldOut } = active.manifest
  const shelf = new Map(kept.map((part) => [featuresHash(part.features), part.features]))
  const old = taught.map((part) => ({
    part,
    features: shelf.get(part.sha256),
    isNew: false,
    isForgotten: forget.includes(part.id),
    isHeldOut: false,
  }))
  const beside = heldOut.flatMap((part) => {
    const features = shelf.get(part.sha256)
    return features === undefined
      ? []
      : [{ part, features, isNew: false, isForgotten: false, isHeldOut: true }]
  })
  const fresh = admitted.map(({ partId, sha256, origin, features }) => ({
    part: { id: partId, sha256, origin },
    features,
    isNew: true,
    isForgotten: false,
    isHeldOut: false,
  }))
  return [...old, ...beside, ...fresh]
}
