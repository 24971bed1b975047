/** The image score of one bank: PatchCore's farthest patch, re-weighted as M3DM does (numerics 5.2). */
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
  const worst = farthestPatch(neighbours.distances, request.voters)
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
  return reweighted(neighbours.distances[worst]!, besideDistances, width)
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
 * `w * s` with `w = 1 - exp(s/D) / sum_r exp(|m - r|/D)`, D = sqrt(width): a patch whose whole bank neighbourhood is far
 * counts more than one that misses a lonely bank row.
 * @param beside distances from the patch to the two rows nearest to its nearest row; a bank too small to have them
 * counts the nearest row in their place, which keeps w in [0.5, 1) instead of falling to 0.
 */
export function reweighted(nearest: number, beside: readonly number[], width: number): number {
  const temperature = Math.sqrt(width)
  const terms = [...beside]
  while (terms.length < REWEIGHT_ROWS - 1) terms.push(nearest)
  // Divided through by exp(s/D), so that nothing overflows to NaN: at worst the sum is infinite and w is 1.
  const sum = terms.reduce((total, other) => total + Math.exp((other - nearest) / temperature), 0)
  return (1 - 1 / sum) * nearest
}

function distance(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}
