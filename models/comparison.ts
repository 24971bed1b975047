/** One part beside the banks: how far each of its patches is from the good ones. Teaching and judging share it. */
import type { DecidableCondition } from '../drivers/sample.ts'
import { anomalyMap } from './anomaly-map.ts'
import type { Bank } from './bank.ts'
import { normalised, type FeatureScale } from './feature-scale.ts'
import {
  bankKey,
  GRID_COLUMNS,
  GRID_PATCHES,
  GRID_ROWS,
  type BankKey,
  type BankName,
  type Features,
} from './features.ts'
import type { Fuse, PatchRows } from './fusion.ts'
import { ModelError } from './model-error.ts'
import type { Neighbours, Search } from './nearest.ts'
import type { DecisionHead } from './repository-manifest.ts'
import { imageScore } from './score.ts'

/** The banks that say something of a condition, in the order of a head's scores. */
export const BANKS_OF = {
  complete: ['rgb', 'xyz', 'fused'],
  'rgb-only': ['rgb', 'fused'],
  'xyz-only': ['xyz', 'fused'],
} as const satisfies Record<DecidableCondition, readonly BankName[]>

/** What a part is compared with the good ones by. */
export interface Comparer {
  readonly search: Search
  readonly fuse: Fuse
}

export interface Comparison {
  readonly rows: PatchRows
  readonly bank: Bank
  /** Of each patch, k = 1. */
  readonly neighbours: Neighbours
}

/** What one bank says of a part. */
export interface Finding {
  readonly score: number
  /** Of each patch to the bank: 784. */
  readonly distances: Float32Array
  /** The patches that voted: 784. */
  readonly voters: Uint8Array
}

/** What of a repository a part is compared with. */
export interface Taught {
  bankOf(key: BankKey): Bank
  readonly scales: Readonly<Record<BankKey, FeatureScale>>
  /** See Repository. */
  readonly foregroundPrior: Uint8Array
}

/** @throws ModelError `NOT_FINITE` for a NaN or an infinity anywhere, `MODEL_MISMATCH` for features of another shape. */
export async function findingOf(
  features: Features,
  name: BankName,
  { bankOf, scales, foregroundPrior, search, fuse }: Taught & Comparer,
): Promise<Finding> {
  const rows = await patchRows(features, name, scales, fuse)
  const comparison = await compare(rows, bankOf(bankKey(name, features.condition)), search)
  const voters = votersOf(name, features, foregroundPrior)
  return {
    score: await scoreOf(comparison, voters, search),
    distances: comparison.neighbours.distances,
    voters,
  }
}

/**
 * A part's patches as the bank of its condition holds them.
 * @throws ModelError `MODEL_MISMATCH` when a modality of the bank is absent, and whatever fusing throws.
 */
export async function patchRows(
  features: Features,
  name: BankName,
  scales: Taught['scales'],
  fuse: Fuse,
): Promise<PatchRows> {
  const tokens = name === 'fused' ? await fuse(features) : features[name]
  if (tokens?.values.length !== GRID_PATCHES * (tokens?.width ?? 0)) {
    throw new ModelError(
      'MODEL_MISMATCH',
      `a ${features.condition} part came without ${GRID_PATCHES} ${name} patches`,
    )
  }
  return {
    width: tokens.width,
    values: normalised(tokens.values, scales[bankKey(name, features.condition)]),
  }
}

/** @throws ModelError `NOT_FINITE` when a distance is not: a NaN must not lose every comparison and look normal. */
export async function compare(rows: PatchRows, bank: Bank, search: Search): Promise<Comparison> {
  // The graph's TopK leaves the order of NaN undefined, so they are looked for before the search and after it.
  if (!rows.values.every(Number.isFinite)) throw new ModelError('NOT_FINITE', 'a patch feature is not finite')
  const neighbours = await search.nearest({ queries: rows.values, width: rows.width, bank, k: 1 })
  if (!neighbours.distances.every(Number.isFinite)) {
    throw new ModelError('NOT_FINITE', 'a patch is not at a finite distance from the bank')
  }
  return { rows, bank, neighbours }
}

export function scoreOf(comparison: Comparison, voters: Uint8Array, search: Search): Promise<number> {
  const { rows, ...rest } = comparison
  return imageScore({ queries: rows.values, width: rows.width, voters, search, ...rest })
}

/**
 * The patches that vote in a bank. What the 3D sensor sees of a part tells it from the table, but only for the 3D: a part that
 * has lost its returns (gloss, shadow, a piece broken off) must still be looked at in colour. So in the rgb bank the patches
 * vote in which taught parts have lain, with 3D or without; the banks hold background from inside them. On the twelve synthetic
 * products that costs 0.004 of image AUROC in `complete` (0.973 to 0.969) and nothing in `rgb-only`. The fused bank of a part
 * without 3D has nothing else to go by.
 */
export function votersOf(bank: BankName, features: Features, foregroundPrior: Uint8Array): Uint8Array {
  const isInColour = bank === 'rgb' || (bank === 'fused' && features.condition === 'rgb-only')
  return isInColour ? foregroundPrior : features.foregroundPatches
}

/** The banks' patch distances mixed with the head's weights: 224 x 224, 1.0 = the map threshold. */
export function mixedMap(
  findings: readonly Pick<Finding, 'distances' | 'voters'>[],
  { weights, threshold }: DecisionHead['map'],
): Float32Array {
  const patches = new Float64Array(GRID_PATCHES)
  for (const [i, { distances, voters }] of findings.entries()) {
    const factor = weights[i]! / threshold
    // One patch beyond the voters, so that smoothing does not darken the part's own edge.
    const shown = voters.includes(1) ? widened(voters) : new Uint8Array(GRID_PATCHES).fill(1)
    for (let patch = 0; patch < GRID_PATCHES; patch++) {
      if (shown[patch] === 1) patches[patch]! += factor * distances[patch]!
    }
  }
  // Interpolation and blur are linear: mixing before them is mixing after them, at a third of the cost.
  return anomalyMap(patches)
}

/** Every patch with a marked one among its 8 neighbours or itself. */
export function widened(patches: Uint8Array): Uint8Array {
  return patches.map((_, patch) => {
    const row = Math.floor(patch / GRID_COLUMNS)
    const column = patch % GRID_COLUMNS
    for (let y = Math.max(0, row - 1); y <= Math.min(GRID_ROWS - 1, row + 1); y++) {
      for (let x = Math.max(0, column - 1); x <= Math.min(GRID_COLUMNS - 1, column + 1); x++) {
        if (patches[y * GRID_COLUMNS + x] === 1) return 1
      }
    }
    return 0
  })
}
