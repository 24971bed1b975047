import t from 'tap'
import { planeFacingCamera, signedDistanceMetres } from '../../calibration/plane.ts'

t.test('the normal points at the camera and has length one', async (t) => {
  for (const normal of [
    [0, 0, 2],
    [0, 0, -2],
  ] as const) {
    // The plane z = 0.5, written both ways round.
    const plane = planeFacingCamera(normal, -0.5 * normal[2])
    t.same(plane.normal.map(Math.abs), [0, 0, 1])
    t.equal(plane.normal[2], -1)
    t.equal(plane.offsetMetres, 0.5)
  }
})

t.test('a part above the table is at a positive distance', async (t) => {
  const table = planeFacingCamera([0, 0, 1], -0.5)
  const points = Float32Array.of(0, 0, 0.5, 0.1, 0.2, 0.375, 0, 0, 0.625)
  t.equal(signedDistanceMetres(table, points, 0), 0)
  t.equal(signedDistanceMetres(table, points, 1), 0.125)
  t.equal(signedDistanceMetres(table, points, 2), -0.125)
})

t.test('a plane through the camera still has one orientation', async (t) => {
  t.same(planeFacingCamera([0, 0, 1], 0), planeFacingCamera([0, 0, -1], 0))
})
