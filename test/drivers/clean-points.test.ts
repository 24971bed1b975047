import t from 'tap'
import { cleanPoints } from '../../drivers/clean-points.ts'

t.test(
  'a point that is not finite, or all zero, becomes exactly (0,0,0); others are left alone',
  async (t) => {
    const points = Float32Array.of(
      1,
      2,
      3,
      NaN,
      2,
      3,
      1,
      Infinity,
      3,
      1,
      2,
      -Infinity,
      -0,
      0,
      -0,
      0,
      0,
      1e-30,
    )
    t.same(cleanPoints(points), { valid: 2, missing: 4, notFinite: 3 })
    t.same([...points.subarray(0, 3)], [1, 2, 3])
    t.ok(
      points.subarray(3, 15).every((value) => Object.is(value, 0)),
      'no NaN, no negative zero',
    )
    t.same(points.subarray(15), Float32Array.of(0, 0, 1e-30))
  },
)
