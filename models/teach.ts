/** Good parts -> repository: banks under a byte budget, and a calibrated decision head for every condition. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { Bundle } from './bundle.ts'
import { calibrate, type CalibrationPart } from './calibrate.ts'
import { BANKS_OF, findingOf, type Comparer, type Finding } from './comparison.ts'
import { sha256Of } from './content-id.ts'
import { bankKey, GRID_COLUMNS, GRID_ROWS, type BankKey, type Features } from './features.ts'
import type { MahalanobisMode } from './mahalanobis.ts'
import { canNarrow, narrowed } from './narrow.ts'
import {
  REPOSITORY_SCHEMA,
  type CalibrationSource,
  type DecisionHead,
  type RepositoryManifest,
} from './repository-manifest.ts'
import { makeRepository, RepositoryError, type Repository } from './repository.ts'
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
}

/** Complete ones: fewer show neither what both modalities are together nor, for each from the others, how parts differ. */
const FEWEST_PARTS = 3
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
      bundle: {
        id: bundle.id,
        name: bundle.manifest.name,
        masking: bundle.manifest.input.rgb.masking,
        normalisation: bundle.manifest.input.xyz.normalisation,
      },
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
    foregroundPrior: built.foregroundPrior,
  })
  return { repository, parts, heldOut, built, normals }
}

interface HashedPart extends TaughtPart {
  readonly sha256: string
}

const identity = ({ partId, sha256 }: HashedPart): RepositoryManifest['taught'][number] => ({
  id: partId,
  sha256,
})

/** The same capture twice would find itself in the bank and look more normal than any new part. */
function distinct(
  parts: readonly TaughtPart[],
  known: Map<string, string>,
  warnings: string[],
): HashedPart[] {
  const kept: HashedPart[] = []
  for (const part of parts) {
    const { rgb, xyz, foregroundPatches } = part.features
    const sha256 = sha256Of(Buffer.concat([bytesOf(rgb?.values), bytesOf(xyz?.values), foregroundPatches]))
    const twin = known.get(sha256)
    if (twin === undefined) kept.push({ ...part, sha256 })
    else warnings.push(`part '${part.partId}' is the same as part '${twin}' and was left out`)
    known.set(sha256, part.partId)
  }
  return kept
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
  const jobs = [
    ...heldOut.map(({ features }) => ({
      features,
      conditions: DECIDABLE_CONDITIONS,
      bankOf: (key: BankKey) => built.banks[key],
    })),
    ...(scarce.length === 0 ? [] : parts).map(({ features }, part) => ({
      features,
      conditions: scarce,
      bankOf: (key: BankKey) => built.without[key](part),
    })),
  ]
  const normals: Normals = { complete: [], 'rgb-only': [], 'xyz-only': [] }
  for (const [index, { features, conditions, bankOf }] of jobs.entries()) {
    // What the rgb and the xyz bank say of a part is the same in every condition.
    const known = new Map<BankKey, Finding>()
    for (const condition of conditions) {
      if (!canNarrow(features.condition, condition)) continue
      const seen = narrowed(features, condition)
      const findings: Finding[] = []
      for (const name of BANKS_OF[condition]) {
        const key = bankKey(name, condition)
        const finding = known.get(key) ?? (await findingOf(seen, name, { ...built, bankOf, search, fuse }))
        known.set(key, finding)
        findings.push(finding)
      }
      normals[condition].push(findings)
    }
    onProgress?.({ phase: 'calibrating', done: index + 1, total: jobs.length })
    signal?.throwIfAborted()
  }
  return normals
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
