import t from 'tap'
import { normalised, scaleOf } from '../../models/feature-scale.ts'

t.test('normalised features have mean 0 and deviation 1 over all entries', async (t) => {
  const values = Float32Array.from([1, 2, 3, 4, 5, 9])
  const { mean, std } = scaleOf(normalised(values, scaleOf(values)))
  t.ok(Math.abs(mean) < 1e-6 && Math.abs(std - 1) < 1e-6)
})

t.test('constant features stay finite', async (t) => {
  const values = new Float32Array(8).fill(7)
  t.ok(normalised(values, scaleOf(values)).every((value) => Math.abs(value) < 1e-6))
})
