/** Good parts -> repository: three banks under a byte budget, and a calibrated decision head for every condition. */
import type { DecidableCondition } from '../drivers/sample.ts'
import type { Bundle } from './bundle.ts'
import { calibrate, type CalibrationPart } from './calibrate.ts'
import { compare, patchRows, type Comparison } from './comparison.ts'
import { sha256Of } from './content-id.ts'
import { GRID_COLUMNS, GRID_ROWS, type BankName, type Features } from './features.ts'
import type { Search } from './nearest.ts'
import type { CalibrationSource, DecisionHead, RepositoryManifest } from './repository-manifest.ts'
import { makeRepository, RepositoryError, type Repository } from './repository.ts'
import { buildBanks, type BankOptions, type TaughtBanks } from './taught-banks.ts'

/** A good part with both modalities; the other conditions are simulated from it. */
export interface TaughtPart {
  readonly partId: string
  readonly features: Features
}

export interface TeachRequest extends BankOptions {
  readonly product: string
  readonly bundle: Pick<Bundle, 'id' | 'manifest'>
  readonly parts: readonly TaughtPart[]
  /** Good parts that are kept out of the banks. */
  readonly heldOut: readonly TaughtPart[]
  readonly search: Search
  /** The promise: the share of good parts that may fail. */
  readonly falseRejectRate: number
}

const FEWEST_PARTS = 3
/** With so many held-out parts the taught ones need not be asked again (numerics 5.5). */
const ENOUGH_NORMALS = 20

/**
 * @throws RepositoryError `REPOSITORY_REFUSED` for too few parts or a budget without room; ModelError for features that
 * are not finite or not complete. Rejects with the signal's reason.
 */
export async function teach(request: TeachRequest): Promise<Repository> {
  const { product, bundle, falseRejectRate, seed, byteBudget, search } = request
  const warnings: string[] = []
  const known = new Map<string, string>()
  const parts = distinct(request.parts, known, warnings)
  const heldOut = distinct(request.heldOut, known, warnings)
  if (parts.length < FEWEST_PARTS) {
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `'${product}' was to be taught from ${parts.length} different good parts, at least ${FEWEST_PARTS} are needed`,
    )
  }
  const built = await buildBanks(
    parts.map((part) => part.features),
    request,
  )
  const normals = await compareNormals(request, { parts, heldOut, built })
  warnings.push(...calibrationWarnings(request, normals.length))
  const source: CalibrationSource =
    heldOut.length >= ENOUGH_NORMALS ? 'held-out' : heldOut.length > 0 ? 'both' : 'leave-one-part-out'
  const { foregroundPrior } = built
  const headOf = (condition: DecidableCondition): Promise<DecisionHead> =>
    calibrate(normals, { condition, foregroundPrior, source, falseRejectRate, seed, search })
  return makeRepository({
    manifest: {
      schema: 'radar-edge/repository@1',
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
        complete: await headOf('complete'),
        'rgb-only': await headOf('rgb-only'),
        'xyz-only': await headOf('xyz-only'),
      },
      warnings,
    },
    banks: built.banks,
    foregroundPrior,
  })
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

/** Held-out parts against the whole banks; if they are few, also each taught part against banks without it. */
async function compareNormals(
  { search, signal, onProgress }: TeachRequest,
  {
    parts,
    heldOut,
    built,
  }: { parts: readonly TaughtPart[]; heldOut: readonly TaughtPart[]; built: TaughtBanks },
): Promise<CalibrationPart[]> {
  const left = heldOut.length >= ENOUGH_NORMALS ? [] : [...parts.keys()]
  const jobs = [
    ...heldOut.map(({ features }) => ({ features, part: undefined })),
    ...left.map((part) => ({ features: parts[part]!.features, part })),
  ]
  const normals: CalibrationPart[] = []
  for (const { features, part } of jobs) {
    const compareWith = (name: BankName): Promise<Comparison> => {
      const bank = part === undefined ? built.banks[name] : built.without[name](part)
      return compare(patchRows(features, name, built.scales), bank, search)
    }
    const comparisons = {
      rgb: await compareWith('rgb'),
      xyz: await compareWith('xyz'),
      fused: await compareWith('fused'),
    }
    normals.push({ features, comparisons })
    onProgress?.({ phase: 'calibrating', done: normals.length, total: jobs.length })
    signal?.throwIfAborted()
  }
  return normals
}

function calibrationWarnings({ bundle, falseRejectRate }: TeachRequest, normals: number): string[] {
  const warnings: string[] = []
  if (normals < ENOUGH_NORMALS) {
    warnings.push(
      `calibrated on ${normals} good parts; banks are taken as independent below ${ENOUGH_NORMALS}`,
    )
  }
  if ((normals + 1) * falseRejectRate < 1) {
    warnings.push(
      `a false-reject rate of ${falseRejectRate} lies beyond the oddest of ${normals} good parts: the threshold is extrapolated, ${Math.ceil(1 / falseRejectRate)} parts would measure it`,
    )
  }
  if (bundle.manifest.input.rgb.masking === 'foreground') {
    warnings.push(
      'this bundle blanks the background of the picture with 3D: rgb-only was calibrated on blanked pictures and will see whole ones',
    )
  }
  return warnings
}
