/** The definition of nearest-neighbour search, without any speed: the oracle of models/nearest.ts. */
import type { NearestRequest, Neighbours } from '../../models/nearest.ts'

export function nearestPlain({ queries, width, bank, k, exclude }: NearestRequest): Neighbours {
  const distances: number[] = []
  const indices: number[] = []
  for (let query = 0; query < queries.length / width; query++) {
    const found: { distance: number; row: number }[] = []
    for (let row = 0; row < bank.rows; row++) {
      if (exclude?.[row] === 1) continue
      let squared = 0
      for (let i = 0; i < width; i++) {
        squared += (queries[query * width + i]! - bank.values[row * width + i]!) ** 2
      }
      found.push({ distance: Math.sqrt(squared), row })
    }
    found.sort((a, b) => a.distance - b.distance || a.row - b.row)
    for (const { distance, row } of found.slice(0, k)) {
      distances.push(distance)
      indices.push(row)
    }
  }
  return { distances: Float32Array.from(distances), indices: Int32Array.from(indices) }
}
