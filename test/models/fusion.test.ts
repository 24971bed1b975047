import t from 'tap'
import { fuse } from '../../models/fusion.ts'

t.test('a fused row is both rows side by side, neither outweighing the other by its width', async (t) => {
  const rgb = { width: 4, values: Float32Array.from([1, 1, 1, 1, 2, 2, 2, 2]) }
  const xyz = { width: 1, values: Float32Array.from([1, 2]) }
  const { width, values } = fuse(rgb, xyz)
  t.equal(width, 5)
  const energy = (from: number, to: number): number =>
    values.subarray(from, to).reduce((sum, value) => sum + value ** 2, 0)
  t.ok(Math.abs(energy(0, 4) - energy(4, 5)) < 1e-5, 'equal energy')
  t.ok(Math.abs(energy(0, 5) - 5) < 1e-5, 'unit variance per entry, as in the other banks')
  t.ok(Math.abs(energy(5, 9) - energy(9, 10)) < 1e-5)
})
