import fc from 'fast-check'
import t from 'tap'
import { signedDistanceMetres } from '../../calibration/plane.ts'
import { seededRandom } from '../../calibration/random.ts'
import { fitPlane } from '../../calibration/ransac.ts'

const search = { inlierMetres: 0.004, iterations: 1000, seed: 1, minimumPoints: 50 }

/** Points on z = 0.6 + 0.1 x - 0.2 y with noise, and a share of clutter anywhere above it. */
function scene(count: number, clutter: number, noiseMetres: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  const points = new Float32Array(count * 3)
  for (let i = 0; i < count; i++) {
    const x = random() * 0.2 - 0.1
    const y = random() * 0.2 - 0.1
    const onPlane = 0.6 + 0.1 * x - 0.2 * y
    const z = random() < clutter ? onPlane - 0.01 - 0.1 * random() : onPlane + noiseMetres * (random() - 0.5)
    points.set([x, y, z], i * 3)
  }
  return points
}

t.test('the plane is found under 40 % clutter and refitted to its inliers', async (t) => {
  const fit = fitPlane(scene(4000, 0.4, 0.001, 3), search)
  t.ok(fit)
  if (!fit) return
  const length = Math.hypot(0.1, -0.2, -1)
  for (const [axis, expected] of [0.1, -0.2, -1].entries()) {
    t.ok(Math.abs(fit.normal[axis]! - expected / length) < 5e-4, `axis ${axis}: ${fit.normal[axis]}`)
  }
  t.ok(Math.abs(fit.offsetMetres - 0.6 / length) < 5e-5, `offset ${fit.offsetMetres}`)
  t.ok(Math.abs(fit.inlierRatio - 0.6) < 0.03)
  // Uniform noise of 1 mm has a standard deviation of 1 / sqrt(12) mm, seen along the normal.
  t.ok(Math.abs(fit.rmsMetres - 0.001 / Math.sqrt(12) / length) < 2e-5, `rms ${fit.rmsMetres}`)
})

t.test('the same seed gives the same plane to the bit', async (t) => {
  const points = scene(2000, 0.3, 0.002, 5)
  t.same(fitPlane(points, search), fitPlane(points, search))
})

t.test('turning and shifting the scene turns and shifts the plane', async () => {
  fc.assert(
    fc.property(
      fc.double({ min: -0.6, max: 0.6, noNaN: true }),
      fc.double({ min: -0.2, max: 0.2, noNaN: true }),
      fc.integer(),
      (angle, shift, seed) => {
        const points = scene(600, 0.2, 0.0005, seed)
        for (let at = 0; at < points.length; at += 3) {
          const y = points[at + 1]!
          const z = points[at + 2]! - 0.6
          points[at + 1] = Math.cos(angle) * y - Math.sin(angle) * z
          points[at + 2] = Math.sin(angle) * y + Math.cos(angle) * z + 0.6 + shift
        }
        const fit = fitPlane(points, { ...search, seed })
        if (!fit || !(Math.abs(fit.inlierRatio - 0.8) < 0.08)) return false
        let onPlane = 0
        for (let i = 0; i < 600; i++) if (Math.abs(signedDistanceMetres(fit, points, i)) < 0.001) onPlane++
        return onPlane === fit.inlierCount && fit.offsetMetres > 0
      },
    ),
    { numRuns: 60 },
  )
})

t.test('no plane is made up', async (t) => {
  t.equal(fitPlane(scene(49, 0, 0, 1), search), undefined, 'too few points')
  t.equal(fitPlane(new Float32Array(0), search), undefined, 'none at all')
  t.equal(fitPlane(new Float32Array(300).fill(0.5), search), undefined, 'one point a hundred times')
  const line = new Float32Array(300)
  for (let i = 0; i < 100; i++) line.set([i * 0.001, i * 0.002, 0.5 + i * 0.001], i * 3)
  t.equal(fitPlane(line, search), undefined, 'one line')
})
