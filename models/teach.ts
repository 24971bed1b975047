/** Good parts -> repository: banks under a byte budget, and a calibrated decision head for every condition. */
import type { LearnedLooks } from '../drivers/look-limits.ts'
import type { Bundle } from './bundle.ts'
import { sha256Of } from './content-id.ts'
import { ENGINE } from './engine.ts'
import { GRID_COLUMNS, GRID_ROWS, type Features } from './features.ts'
import { calibrateConditions, type CalibrationOptions, type Normals } from './normals.ts'
import { REPOSITORY_SCHEMA, type RepositoryPart } from './repository-manifest.ts'
import { makeRepository, PER_FRAME_PLANE, RepositoryError, type Repository } from './repository.ts'
import { buildBanks, type BankOptions, type TaughtBanks } from './taught-banks.ts'

/** A good part, with both modalities or with one; narrower conditions are simulated from what it has. */
export interface TaughtPart {
  readonly partId: string
  readonly features: Features
}

export interface TeachRequest extends BankOptions, CalibrationOptions {
  readonly product: string
  readonly bundle: Pick<Bundle, 'id' | 'manifest'>
  readonly parts: readonly TaughtPart[]
  /** Good parts that are kept out of the banks. */
  readonly heldOut: readonly TaughtPart[]
  /** How the parts' frames looked: kept for the frames to come. */
  readonly looks?: LearnedLooks | undefined
  /** What computed the features; default: this build's engine. */
  readonly engine?: string
  /** Default: each frame's own plane. */
  readonly plane?: string
}

/** Complete ones: fewer show neither what both modalities are together nor, for each from the others, how parts differ. */
const FEWEST_PARTS = 3
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
  const { product, bundle, falseRejectRate, seed, byteBudget } = request
  const { engine = ENGINE, plane = PER_FRAME_PLANE, looks } = request
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
  const calibrated = await calibrateConditions(request, { parts, heldOut, built })
  warnings.push(...calibrated.warnings)
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
      heads: calibrated.heads,
      ...(looks && { looks }),
      warnings,
    },
    banks: built.banks,
    rowParts: built.rowParts,
    foregroundPrior: built.foregroundPrior,
  })
  return { repository, parts, heldOut, built, normals: calibrated.normals }
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
