/** The plain loops that the fast kernels must equal and are timed against. Never used by an inspection. */

/** Farthest point sampling by its definition: first pick 0, ties to the lowest index, O(count * points). */
export function farthestPointsPlain(pointsMetres: Float32Array, count: number): Uint32Array {
  const total = pointsMetres.length / 3
  const distances = new Float64Array(total).fill(Infinity)
  const picks = new Uint32Array(count)
  for (let picked = 1, pick = 0; picked < count; picked++) {
    let most = -1
    let mostAt = 0
    for (let i = 0; i < total; i++) {
      const distance = squaredDistance(pointsMetres, i, pick)
      if (distance < distances[i]!) distances[i] = distance
      if (distances[i]! > most) {
        most = distances[i]!
        mostAt = i
      }
    }
    pick = mostAt
    picks[picked] = pick
  }
  return picks
}

/** Indices of the `neighbours` nearest points of each centre, ascending, ties to the lowest index: `centres * neighbours`. */
export function nearestPointsPlain(
  pointsMetres: Float32Array,
  centreIndices: Uint32Array,
  neighbours: number,
): Uint32Array {
  const total = pointsMetres.length / 3
  const nearest = new Uint32Array(centreIndices.length * neighbours)
  const distances = new Float64Array(total)
  for (let g = 0; g < centreIndices.length; g++) {
    for (let i = 0; i < total; i++) distances[i] = squaredDistance(pointsMetres, i, centreIndices[g]!)
    const limit = distances.slice().sort()[neighbours - 1]!
    const within: number[] = []
    for (let i = 0; i < total; i++) if (distances[i]! <= limit) within.push(i)
    within.sort((a, b) => distances[a]! - distances[b]! || a - b)
    nearest.set(within.slice(0, neighbours), g * neighbours)
  }
  return nearest
}

function squaredDistance(points: Float32Array, a: number, b: number): number {
  const dx = points[a * 3]! - points[b * 3]!
  const dy = points[a * 3 + 1]! - points[b * 3 + 1]!
  const dz = points[a * 3 + 2]! - points[b * 3 + 2]!
  return dx * dx + dy * dy + dz * dz
}
