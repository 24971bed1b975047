/**
 * The image score of one bank: PatchCore's farthest patch, re-weighted as M3DM does (numerics 5.2), where a patch's distance
 * is the mean over the voting patches among itself and its 8 neighbours. A defect is seldom one patch, the oddest patch of a
 * good part often is. Mean image AUROC on the twelve synthetic products (radar-lite 0.1.0, 60 parts taught, seed 77):
 *                      rgb    rgb-only   xyz on shape-only defects   complete
 *     one patch       0.931      0.928                       0.847      0.968
 *     3 x 3 mean      0.937      0.937                       0.870      0.973
 */
import { GRID_COLUMNS, GRID_ROWS } from './features.ts'
import type { Bank } from './bank.ts'
import type { Neighbours, Search } from './nearest.ts'

/** The nearest bank row itself and the two beside it. */
const REWEIGHT_ROWS = 3

export interface ScoreRequest {
  /** `784 * width`, normalised. */
  readonly queries: Float32Array
  readonly width: number
  readonly bank: Bank
  /** Of every patch, k = 1. */
  readonly neighbours: Neighbours
  /** 1 = the patch votes: 784. When none does, all do, so that a part without foreground cannot pass unseen. */
  readonly voters: Uint8Array
  readonly search: Search
}

export async function imageScore(request: ScoreRequest): Promise<number> {
  const { queries, width, bank, neighbours, search } = request
  const means = neighbourhoodMeans(neighbours.distances, request.voters)
  const worst = farthestPatch(means, request.voters)
  const nearestRow = neighbours.indices[worst]!
  const beside = await search.nearest({
    queries: bank.values.subarray(nearestRow * width, (nearestRow + 1) * width),
    width,
    bank,
    k: Math.min(REWEIGHT_ROWS, bank.rows),
  })
  // Duplicates of the nearest row may stand before it; it is dropped wherever it stands, else the first is.
  const own = Math.max(0, beside.indices.indexOf(nearestRow))
  const patch = queries.subarray(worst * width, (worst + 1) * width)
  const besideDistances: number[] = []
  for (const [rank, row] of beside.indices.entries()) {
    if (rank !== own)
      besideDistances.push(distance(patch, bank.values.subarray(row * width, (row + 1) * width)))
  }
  return reweighting(neighbours.distances[worst]!, besideDistances, width) * means[worst]!
}

/** Of each voting patch: the mean over the voters in the 3 x 3 patches around it. Where none votes, all do. */
export function neighbourhoodMeans(distances: Float32Array, voters: Uint8Array): Float32Array {
  const everyone = !voters.includes(1)
  const means = new Float32Array(distances.length)
  for (let patch = 0; patch < distances.length; patch++) {
    if (!everyone && voters[patch] !== 1) continue
    const row = Math.floor(patch / GRID_COLUMNS)
    const column = patch % GRID_COLUMNS
    let sum = 0
    let count = 0
    for (let y = Math.max(0, row - 1); y <= Math.min(GRID_ROWS - 1, row + 1); y++) {
      for (let x = Math.max(0, column - 1); x <= Math.min(GRID_COLUMNS - 1, column + 1); x++) {
        const other = y * GRID_COLUMNS + x
        if (other >= distances.length || (!everyone && voters[other] !== 1)) continue
        sum += distances[other]!
        count++
      }
    }
    means[patch] = sum / count
  }
  return means
}

/** Index of the voting patch that is farthest from the bank; the first of equals. */
export function farthestPatch(distances: Float32Array, voters: Uint8Array): number {
  const everyone = !voters.includes(1)
  let worst = -1
  for (let patch = 0; patch < distances.length; patch++) {
    if ((everyone || voters[patch] === 1) && (worst < 0 || distances[patch]! > distances[worst]!))
      worst = patch
  }
  return worst
}

/**
 * `w = 1 - exp(s/D) / sum_r exp(|m - r|/D)`, D = sqrt(width): a patch whose whole bank neighbourhood is far
 * counts more than one that misses a lonely bank row.
 * @param beside distances from the patch to the two rows nearest to its nearest row; a bank too small to have them
 * counts the nearest row in their place, which keeps w in [0.5, 1) instead of falling to 0.
 */
export function reweighting(nearest: number, beside: readonly number[], width: number): number {
  const temperature = Math.sqrt(width)
  const terms = [...beside]
  while (terms.length < REWEIGHT_ROWS - 1) terms.push(nearest)
  // Divided through by exp(s/D), so that nothing overflows to NaN: at worst the sum is infinite and w is 1.
  const sum = terms.reduce((total, other) => total + Math.exp((other - nearest) / temperature), 0)
  return 1 - 1 / sum
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}
