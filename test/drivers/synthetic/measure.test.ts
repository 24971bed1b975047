import t from 'tap'
import { createCamera, viewRelief } from '../../../drivers/synthetic/camera.ts'
import { measurePoints } from '../../../drivers/synthetic/measure.ts'
import { createRelief } from '../../../drivers/synthetic/relief.ts'

const side = 120

/** A flat grey plate that fills the picture, lit evenly. */
function plate() {
  const camera = createCamera({
    width: side,
    height: side,
    distanceMetres: 0.5,
    fieldMetres: 0.12,
    tiltAcross: 0,
    tiltDown: 0,
  })
  const relief = createRelief(side + 4, side + 4, 0.001)
  relief.part.fill(1)
  for (const map of [relief.red, relief.green, relief.blue]) map.fill(0.5)
  const texels = relief.columns * relief.rows
  const dark = new Float32Array(texels)
  const radiance = {
    red: dark,
    green: dark,
    blue: dark,
    gloss: dark,
    facing: new Float32Array(texels).fill(1),
  }
  return { camera, relief, radiance, view: viewRelief(relief, camera) }
}

const missing = (points: Float32Array): number => {
  let count = 0
  for (let index = 2; index < points.length; index += 3) if (points[index] === 0) count++
  return count / (points.length / 3)
}

t.test('a loss of so many percent takes about so many percent of the pixels', async (t) => {
  const scene = plate()
  for (const loss of [0.02, 0.1, 0.3, 0.6]) {
    // The projector's shadow is the one loss that a test can set freely: 90 % of it counts, on top of 0.4 % at random.
    const projected = new Float32Array(scene.relief.part.length).fill(1 - (loss - 0.004) / 0.9)
    let share = 0
    for (const noiseSeed of [1, 2, 3])
      share += missing(measurePoints(scene, { projected, matLoss: 0, noiseSeed })) / 3
    t.ok(Math.abs(share - loss) < 0.25 * loss + 0.005, `${loss}: ${share.toFixed(4)}`)
  }
})

t.test('noise grows where the surface turns away', async (t) => {
  const scene = plate()
  const projected = new Float32Array(scene.relief.part.length).fill(1)
  const sigma = (facing: number): number => {
    scene.radiance.facing.fill(facing)
    const points = measurePoints(scene, { projected, matLoss: 0, noiseSeed: 5 })
    let [squares, count] = [0, 0]
    for (let index = 2; index < points.length; index += 3) {
      if (points[index] === 0) continue
      squares += (points[index]! - 0.5) ** 2
      count++
    }
    return Math.sqrt(squares / count)
  }
  const headOn = sigma(1)
  t.ok(headOn > 0.00004 && headOn < 0.00008, `${headOn} m`)
  t.ok(Math.abs(sigma(0.5) / headOn - 2) < 0.1)
})

t.test('a surface without a seed for its noise is complete and exact', async (t) => {
  const scene = plate()
  const points = measurePoints(scene, { projected: new Float32Array(scene.relief.part.length), matLoss: 1 })
  t.equal(missing(points), 0)
  t.ok(points.every((value, index) => index % 3 !== 2 || Math.abs(value - 0.5) < 1e-6))
})
