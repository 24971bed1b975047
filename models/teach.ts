/** Good parts -> repository: banks under a byte budget, and a calibrated decision head for every condition. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { Bundle } from './bundle.ts'
import { calibrate, type CalibrationPart } from './calibrate.ts'
import { BANKS_OF, findingOf, type Comparer, type Finding, type Taught } from './comparison.ts'
import { sha256Of } from './content-id.ts'
import { ENGINE } from './engine.ts'
import { bankKey, GRID_COLUMNS, GRID_ROWS, type BankKey, type Features } from './features.ts'
import type { MahalanobisMode } from './mahalanobis.ts'
import { canNarrow, narrowed } from './narrow.ts'
import {
  REPOSITORY_SCHEMA,
  type CalibrationSource,
  type DecisionHead,
  type RepositoryPart,
} from './repository-manifest.ts'
import { makeRepository, PER_FRAME_PLANE, RepositoryError, type Repository } from './repository.ts'
import { buildBanks, type BankOptions, type TaughtBanks } from './taught-banks.ts'

/** A good part, with both modalities or with one; narrower conditions are simulated from what it has. */
export interface TaughtPart {
  readonly partId: string
  readonly features: Features
}

export interface TeachRequest extends BankOptions, Comparer {
  readonly product: string
  readonly bundle: Pick<Bundle, 'id' | 'manifest'>
  readonly parts: readonly TaughtPart[]
  /** Good parts that are kept out of the banks. */
  readonly heldOut: readonly TaughtPart[]
  /** The promise: the share of good parts that may fail. */
  readonly falseRejectRate: number
  /** Default one-sided. */
  readonly mdmMode?: MahalanobisMode
  /** What computed the features; default: this build's engine. */
  readonly engine?: string
  /** Default: each frame's own plane. */
  readonly plane?: string
}

/** Complete ones: fewer show neither what both modalities are together nor, for each from the others, how parts differ. */
const FEWEST_PARTS = 3
/**
 * At most so many times banks are made without some of the parts. Up to as many parts each is left out by itself; more leave in groups,
 * or teaching several hundred would take an hour.
 */
const FOLDS = 20
/** With so many held-out parts of a condition the taught ones need not be asked again (numerics 5.5). */
const ENOUGH_NORMALS = 20

/** A repository and what it was made of: a bench puts other banks and heads on the same parts. */
export interface Lesson {
  readonly repository: Repository
  /** Without twins, in the order of `built.without`. */
  readonly parts: readonly TaughtPart[]
  readonly heldOut: readonly TaughtPart[]
  readonly built: TaughtBanks
  readonly normals: Normals
}

/**
 * @throws RepositoryError `REPOSITORY_REFUSED` for too few parts or a budget without room; ModelError for features that
 * are not finite or not of the part's condition. Rejects with the signal's reason.
 */
export async function teach(request: TeachRequest): Promise<Repository> {
  return (await teachLesson(request)).repository
}

/** As `teach`, which keeps the repository only. */
export async function teachLesson(request: TeachRequest): Promise<Lesson> {
  const { product, bundle, falseRejectRate, seed, byteBudget, mdmMode } = request
  const { engine = ENGINE, plane = PER_FRAME_PLANE } = request
  const warnings: string[] = []
  const known = new Map<string, string>()
  const parts = distinct(request.parts, known, warnings)
  const heldOut = distinct(request.heldOut, known, warnings)
  const complete = parts.filter(({ features }) => features.condition === 'complete').length
  if (complete < FEWEST_PARTS) {
    const others =
      parts.length === complete ? '' : ` with both modalities and ${parts.length - complete} with one`
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `'${product}' was to be taught from ${complete} different good parts${others}, at least ${FEWEST_PARTS} with both are needed`,
    )
  }
  const built = await buildBanks(
    parts.map((part) => part.features),
    request,
  )
  const normals = await compareNormals(request, { parts, heldOut, built })
  warnings.push(...calibrationWarnings(request, normals))
  const headOf = (condition: DecidableCondition): DecisionHead =>
    calibrate(normals[condition], {
      condition,
      source: sourceOf(heldOut, condition),
      falseRejectRate,
      seed,
      ...(mdmMode && { mode: mdmMode }),
    })
  const repository = makeRepository({
    manifest: {
      schema: REPOSITORY_SCHEMA,
      product,
      made: 'taught',
      bundle: {
        id: bundle.id,
        name: bundle.manifest.name,
        masking: bundle.manifest.input.rgb.masking,
        normalisation: bundle.manifest.input.xyz.normalisation,
      },
      engine,
      plane,
      units: bundle.manifest.input.xyz.units,
      grid: { rows: GRID_ROWS, columns: GRID_COLUMNS },
      banks: built.descriptions,
      scales: built.scales,
      byteBudget,
      seed,
      falseRejectRate,
      taught: parts.map(identity),
      heldOut: heldOut.map(identity),
      heads: {
        complete: headOf('complete'),
        'rgb-only': headOf('rgb-only'),
        'xyz-only': headOf('xyz-only'),
      },
      warnings,
    },
    banks: built.banks,
    rowParts: built.rowParts,
    foregroundPrior: built.foregroundPrior,
  })
  return { repository, parts, heldOut, built, normals }
}

interface HashedPart extends TaughtPart {
  readonly sha256: string
}

const identity = ({ partId, sha256 }: HashedPart): RepositoryPart => ({
  id: partId,
  sha256,
  origin: 'taught',
})

/** The same capture twice would find itself in the bank and look more normal than any new part. */
function distinct(
  parts: readonly TaughtPart[],
  known: Map<string, string>,
  warnings: string[],
): HashedPart[] {
  const kept: HashedPart[] = []
  for (const part of parts) {
    const sha256 = featuresHash(part.features)
    const twin = known.get(sha256)
    if (twin === undefined) kept.push({ ...part, sha256 })
    else warnings.push(`part '${part.partId}' is the same as part '${twin}' and was left out`)
    known.set(sha256, part.partId)
  }
  return kept
}

/** What tells one capture from another. */
export function featuresHash({ rgb, xyz, foregroundPatches }: Features): string {
  return sha256Of(Buffer.concat([bytesOf(rgb?.values), bytesOf(xyz?.values), foregroundPatches]))
}

function bytesOf(values: Float32Array = new Float32Array(0)): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** Where the normals of a condition come from. */
export function sourceOf(heldOut: readonly TaughtPart[], condition: DecidableCondition): CalibrationSource {
  const able = heldOut.filter(({ features }) => canNarrow(features.condition, condition)).length
  return able >= ENOUGH_NORMALS ? 'held-out' : able > 0 ? 'both' : 'leave-one-part-out'
}

/** What the banks say of good parts that they do not hold. */
export type Normals = Readonly<Record<DecidableCondition, CalibrationPart[]>>

/**
 * In every condition that a part has the modalities of: held-out parts against the whole banks; where they are few, also each taught
 * part against banks without it. Of a part that has been compared only scores and distances are kept.
 */
async function compareNormals(
  { search, fuse, signal, onProgress }: TeachRequest,
  {
    parts,
    heldOut,
    built,
  }: { parts: readonly TaughtPart[]; heldOut: readonly TaughtPart[]; built: TaughtBanks },
): Promise<Normals> {
  const scarce = DECIDABLE_CONDITIONS.filter((condition) => sourceOf(heldOut, condition) !== 'held-out')
  const folds = scarce.length === 0 ? [] : foldsOf(parts.length)
  const total = heldOut.length + (folds.length === 0 ? 0 : parts.length)
  let done = 0
  const ask = async (
    part: TaughtPart,
    conditions: readonly DecidableCondition[],
    bankOf: Taught['bankOf'],
  ) => {
    const found = await findingsIn(conditions, part.features, { ...built, bankOf, search, fuse })
    onProgress?.({ phase: 'calibrating', done: ++done, total })
    signal?.throwIfAborted()
    return found
  }
  const found: Map<DecidableCondition, CalibrationPart>[] = []
  for (const part of heldOut) found.push(await ask(part, DECIDABLE_CONDITIONS, (key) => built.banks[key]))
  for (const fold of folds) {
    const bankOf = remembered((key: BankKey) => built.without[key](fold))
    for (const part of fold) found[heldOut.length + part] = await ask(parts[part]!, scarce, bankOf)
  }
  const of = (condition: DecidableCondition) =>
    found.flatMap((part) => (part.has(condition) ? [part.get(condition)!] : []))
  return { complete: of('complete'), 'rgb-only': of('rgb-only'), 'xyz-only': of('xyz-only') }
}

/** Parts that leave the banks together: every n-th, so that parts captured one after the other do not. */
function foldsOf(parts: number): number[][] {
  const folds = Array.from({ length: Math.min(parts, FOLDS) }, (): number[] => [])
  for (let part = 0; part < parts; part++) folds[part % folds.length]!.push(part)
  return folds
}

function remembered<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>()
  return (key) => {
    const value = made.get(key) ?? make(key)
    made.set(key, value)
    return value
  }
}

/** What the banks say of a part in each of the conditions that it has the modalities of. */
export async function findingsIn(
  conditions: readonly DecidableCondition[],
  features: Features,
  taught: Taught & Comparer,
): Promise<Map<DecidableCondition, CalibrationPart>> {
  // What the rgb and the xyz bank say of a part is the same in every condition.
  const known = new Map<BankKey, Finding>()
  const found = new Map<DecidableCondition, CalibrationPart>()
  for (const condition of conditions) {
    if (!canNarrow(features.condition, condition)) continue
    const seen = narrowed(features, condition)
    const findings: Finding[] = []
    for (const name of BANKS_OF[condition]) {
      const key = bankKey(name, condition)
      const finding = known.get(key) ?? (await findingOf(seen, name, taught))
      known.set(key, finding)
      findings.push(finding)
    }
    found.set(condition, findings)
  }
  return found
}

function calibrationWarnings({ bundle, falseRejectRate }: TeachRequest, normals: Normals): string[] {
  const warnings: string[] = []
  const counts = new Set(DECIDABLE_CONDITIONS.map((condition) => normals[condition].length))
  for (const count of counts) {
    const conditions = DECIDABLE_CONDITIONS.filter((condition) => normals[condition].length === count)
    const where = counts.size === 1 ? '' : `${conditions.join(' and ')}: `
    if (count < ENOUGH_NORMALS) {
      warnings.push(
        `${where}calibrated on ${count} good parts; banks are taken as independent below ${ENOUGH_NORMALS}`,
      )
    }
    if ((count + 1) * falseRejectRate < 1) {
      warnings.push(
        `${where}a false-reject rate of ${falseRejectRate} lies beyond the oddest of ${count} good parts: the threshold is extrapolated, ${Math.ceil(1 / falseRejectRate)} parts would measure it`,
      )
    }
  }
  if (bundle.manifest.input.rgb.masking === 'foreground') {
    warnings.push(
      'this bundle blanks the background of the picture with 3D: rgb-only was calibrated on blanked pictures and will see whole ones',
    )
  }
  return warnings
}
