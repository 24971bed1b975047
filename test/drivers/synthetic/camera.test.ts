import t from 'tap'
import { bilinear, cameraOverPlane, createCamera, viewRelief } from '../../../drivers/synthetic/camera.ts'
import { createRelief } from '../../../drivers/synthetic/relief.ts'

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0)

const tilted = createCamera({
  width: 61,
  height: 41,
  distanceMetres: 0.4,
  fieldMetres: 0.1,
  tiltAcross: 0.05,
  tiltDown: -0.03,
})

t.test('the plane’s axes are orthonormal and its normal looks at the camera', async (t) => {
  const axes = [tilted.across, tilted.down, tilted.normal]
  for (const [i, a] of axes.entries()) {
    for (const [j, b] of axes.entries()) t.ok(Math.abs(dot(a, b) - (i === j ? 1 : 0)) < 1e-12)
  }
  t.ok(tilted.normal[2] < 0)
  t.ok(Math.abs(Math.hypot(...cameraOverPlane(tilted)) - 0.4) < 1e-12)
})

t.test('an empty tilted plane is seen where geometry puts it', async (t) => {
  const relief = createRelief(80, 60, 0.1 / 41)
  const view = viewRelief(relief, tilted)
  let worst = 0
  for (const [index, depth] of view.depthMetres.entries()) {
    const u = ((index % 61) + 0.5 - 30.5) / tilted.focalPixels
    const v = (Math.floor(index / 61) + 0.5 - 20.5) / tilted.focalPixels
    // Ray (u, v, 1) * depth meets the plane through (0, 0, distance): a closed form, no marching.
    const expected = (0.4 * tilted.normal[2]) / dot([u, v, 1], tilted.normal)
    worst = Math.max(worst, Math.abs(depth - expected))
  }
  t.ok(worst < 1e-6, `off by ${worst} m`)
})

t.test('a tall block hides the ground behind it', async (t) => {
  const camera = createCamera({
    width: 80,
    height: 80,
    distanceMetres: 0.3,
    fieldMetres: 0.08,
    tiltAcross: 0,
    tiltDown: 0,
  })
  const relief = createRelief(84, 84, 0.001)
  for (let row = 0; row < 84; row++) relief.heightMetres.fill(0.03, row * 84 + 60, row * 84 + 66)
  const view = viewRelief(relief, camera)
  const seen = new Set(Array.from(view.column.subarray(40 * 80, 41 * 80), Math.round))
  t.ok(seen.has(62), 'the top is seen')
  t.notOk(seen.has(67), 'the ground just behind is hidden by perspective')
  t.ok(seen.has(58), 'the ground before it is seen')
})

t.test('bilinear interpolation is exact on a slope', async (t) => {
  const map = Float32Array.from({ length: 12 }, (_, index) => (index % 4) * 2 + Math.floor(index / 4) * 10)
  t.equal(bilinear(map, 4, 1.5, 0.25), 5.5)
})
