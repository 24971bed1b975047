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

/**
 * Indices of the `neighbours` nearest points of each centre, ascending, ties to the lowest index: `centres * neighbours`.
 * The cloud has at least that many points.
 */
export function nearestPointsPlain(
  pointsMetres: Float32Array,
  centreIndices: Uint32Array,
  neighbours: number,
): Uint32Array {
  const total = pointsMetres.length / 3
  const nearest = new Uint32Array(centreIndices.length * neighbours)
  const squares = new Float64Array(neighbours)
  for (let g = 0; g < centreIndices.length; g++) {
    const row = nearest.subarray(g * neighbours, (g + 1) * neighbours)
    squares.fill(Infinity)
    for (let i = 0; i < total; i++) {
      const square = squaredDistance(pointsMetres, i, centreIndices[g]!)
      if (square >= squares[neighbours - 1]!) continue
      // Behind its equals: they have lower indices.
      let place = neighbours - 1
      for (; place > 0 && squares[place - 1]! > square; place--) {
        squares[place] = squares[place - 1]!
        row[place] = row[place - 1]!
      }
      squares[place] = square
      row[place] = i
    }
  }
  return nearest
}

function squaredDistance(points: Float32Array, a: number, b: number): number {
  const dx = points[a * 3]! - points[b * 3]!
  const dy = points[a * 3 + 1]! - points[b * 3 + 1]!
  const dz = points[a * 3 + 2]! - points[b * 3 + 2]!
  return dx * dx + dy * dy + dz * dz
}
