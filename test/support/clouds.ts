import fc from 'fast-check'

/**
 * Small clouds that break geometric kernels: free ones, ones on a coarse lattice (many equal distances, many
 * duplicates), ones on a line, one point repeated, and ones with a far outlier.
 */
export function awkwardClouds(most: number): fc.Arbitrary<Float32Array> {
  const metre = fc.float({ min: -1, max: 1, noNaN: true })
  const lattice = fc.integer({ min: -2, max: 2 }).map((step) => 0.5 + step * 0.0625)
  const free = fc.array(fc.tuple(metre, metre, metre), { minLength: 1, maxLength: most })
  const onLattice = fc.array(fc.tuple(lattice, lattice, lattice), { minLength: 1, maxLength: most })
  const onLine = fc
    .array(metre, { minLength: 1, maxLength: most })
    .map((all) => all.map((m) => [m, 2 * m, 0.5]))
  const repeated = fc
    .integer({ min: 1, max: most })
    .map((count) => Array.from({ length: count }, () => [0.1, 0.2, 0.5]))
  const stretched = onLattice.map((points) => [...points, [15, -15, 19]])
  return fc
    .oneof(free, onLattice, onLine, repeated, stretched)
    .map((points) => Float32Array.from(points.flat()))
}
