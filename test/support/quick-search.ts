/** Nearest-neighbour search without a graph: exact, ready at once, and for small banks quicker than the graph is called. */
import type { NearestRequest, Neighbours, Search } from '../../models/nearest.ts'

export const quickSearch: Search = {
  async nearest(request) {
    return nearestQuickly(request)
  },
  release: async () => undefined,
}

export function nearestQuickly({ queries, width, bank, k, exclude }: NearestRequest): Neighbours {
  const count = queries.length / width
  const distances = new Float32Array(count * k).fill(Infinity)
  const indices = new Int32Array(count * k).fill(-1)
  for (let query = 0; query < count; query++) {
    const first = query * k
    const last = first + k - 1
    for (let row = 0; row < bank.rows; row++) {
      if (exclude?.[row] === 1) continue
      let squared = 0
      for (let i = 0; i < width; i++)
        squared += (queries[query * width + i]! - bank.values[row * width + i]!) ** 2
      if (squared >= distances[last]!) continue
      let slot = last
      for (; slot > first && squared < distances[slot - 1]!; slot--) {
        distances[slot] = distances[slot - 1]!
        indices[slot] = indices[slot - 1]!
      }
      distances[slot] = squared
      indices[slot] = row
    }
  }
  return { distances: distances.map(Math.sqrt), indices }
}
