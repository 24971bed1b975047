/**
 * Whether a repository may be used with features that another backend or precision computes (inference 1.4): the same golden frames
 * through both, and the shift of every patch beside the distances that the banks decide by.
 */
import { normalised } from './feature-scale.ts'
import { GRID_PATCHES, type Features } from './features.ts'
import { ModelError } from './model-error.ts'
import { makeRepository, type Repository } from './repository.ts'

export interface EngineShift {
  readonly parts: number
  /** Largest shift of any patch, as a share of the bank's covering radius. */
  readonly worst: number
  readonly median: number
  readonly isSmall: boolean
}

/**
 * A patch that has moved by less changes its distance to any row by less (triangle inequality), and nothing enters a bank that is not a
 * whole radius away.
 */
const MOST_SHIFT = 0.05

/**
 * @param pairs the same parts, as the repository's engine saw them and as the other does.
 * @throws ModelError `MODEL_MISMATCH` without any, or for pairs that cannot be compared.
 */
export function engineShift(
  { manifest }: Pick<Repository, 'manifest'>,
  pairs: readonly { readonly before: Features; readonly after: Features }[],
): EngineShift {
  const shifts: number[] = []
  for (const { before, after } of pairs) {
    for (const name of ['rgb', 'xyz'] as const) {
      const [old, fresh] = [before[name], after[name]]
      if (old === undefined && fresh === undefined) continue
      if (old?.width !== fresh?.width || old?.values.length !== fresh?.values.length || !old || !fresh) {
        throw new ModelError(
          'MODEL_MISMATCH',
          `${name} features of one part have ${old?.values.length ?? 0} and ${fresh?.values.length ?? 0} values`,
        )
      }
      // A bank that holds every candidate covers with radius 0: one deviation per entry is then what good parts differ by.
      const radius = manifest.banks[name].coveringRadius || Math.sqrt(old.width)
      const [a, b] = [
        normalised(old.values, manifest.scales[name]),
        normalised(fresh.values, manifest.scales[name]),
      ]
      for (let patch = 0; patch < GRID_PATCHES; patch++) {
        let squares = 0
        for (let i = patch * old.width; i < (patch + 1) * old.width; i++) squares += (a[i]! - b[i]!) ** 2
        shifts.push(Math.sqrt(squares) / radius)
      }
    }
  }
  if (shifts.length === 0)
    throw new ModelError('MODEL_MISMATCH', 'no golden part has features of both engines')
  // In a typed array a NaN comes last, and is not small.
  const sorted = Float64Array.from(shifts).sort()
  const worst = sorted.at(-1)!
  return { parts: pairs.length, worst, median: sorted[sorted.length >> 1]!, isSmall: worst <= MOST_SHIFT }
}

/** The same banks and heads under the name of another engine, whose features were found to be the same. */
export function withEngine(repository: Repository, engine: string): Repository {
  const manifest = { ...repository.manifest, engine, parent: repository.id, made: 'rebuilt' as const }
  return makeRepository({ ...repository, manifest })
}
