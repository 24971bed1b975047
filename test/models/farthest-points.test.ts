import fc from 'fast-check'
import t from 'tap'
import { seededRandom } from '../../calibration/random.ts'
import { farthestPointsPlain } from '../../models/bench/plain.ts'
import { farthestPoints } from '../../models/farthest-points.ts'
import { awkwardClouds } from '../support/clouds.ts'

t.test('pruning changes no pick, whatever the cloud and however many are asked for', async () => {
  fc.assert(
    fc.property(awkwardClouds(120), fc.integer({ min: 0, max: 150 }), (points, count) => {
      fc.pre(points.length > 0)
      const picks = farthestPoints(points, count)
      return (
        Buffer.compare(Buffer.from(picks.buffer), Buffer.from(farthestPointsPlain(points, count).buffer)) ===
        0
      )
    }),
    { numRuns: 400 },
  )
})

t.test("a large rough surface gives the plain loop's picks", async (t) => {
  const random = seededRandom(11)
  const points = new Float32Array(9000 * 3)
  for (let i = 0; i < 9000; i++) {
    const x = random() * 0.1
    const y = random() * 0.1
    points.set([x, y, 0.6 + 0.02 * Math.sin(60 * x) * Math.cos(50 * y) + 0.002 * random()], i * 3)
  }
  t.same(farthestPoints(points, 300), farthestPointsPlain(points, 300))
})

t.test('the first pick is the first point and ties go to the lowest index', async (t) => {
  // A unit square: from corner 0 the opposite corner 3 is farthest, then 1 and 2 are equally far.
  const square = Float32Array.of(0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1)
  t.same([...farthestPoints(square, 4)], [0, 3, 1, 2])
})

t.test('points near the origin are picked like any other', async (t) => {
  t.same([...farthestPoints(Float32Array.of(0.5, 0, 0, 0.001, 0, 0), 2)], [0, 1])
})

t.test('with fewer points than picks the first point repeats', async (t) => {
  t.same([...farthestPoints(Float32Array.of(0, 0, 1, 0, 0, 2), 5)], [0, 1, 0, 0, 0])
  t.same([...farthestPoints(Float32Array.of(0, 0, 1), 0)], [])
})

t.test('an empty cloud is refused', async (t) => {
  t.throws(() => farthestPoints(new Float32Array(0), 4), RangeError)
})
