import t, { type Test } from 'tap'
import { METRES, MILLIMETRES, pointsFromDepth, pointsFromXyz } from '../../drivers/depth-points.ts'
import { float32Of, uint16Of } from '../../drivers/raw-samples.ts'

const near = (t: Test, points: Float32Array, expected: number[]) =>
  t.ok(
    points.length === expected.length &&
      points.every((value, index) => Math.abs(value - expected[index]!) < 1e-6),
    `${[...points].join()} is ${expected.join()}`,
  )

t.test('a rectified depth map lies on a grid; the invalid code is no point', async (t) => {
  const lateral = {
    kind: 'grid',
    x: { scaleMetres: 0.002, offsetMetres: -0.001 },
    y: { scaleMetres: 0.004, offsetMetres: 0.5 },
  } as const
  const depth = { scaleMetres: 0.00025, offsetMetres: 0.1 }
  const depths = Uint16Array.of(400, 65_535, 0, 4000)
  const points = pointsFromDepth(depths, { width: 2, height: 2, depth, invalid: 65_535, lateral })
  near(t, points, [-0.001, 0.5, 0.2, 0, 0, 0, -0.001, 0.504, 0.1, 0.001, 0.504, 1.1])
})

t.test('a depth map seen through a lens fans out with its depth', async (t) => {
  const lens = {
    kind: 'pinhole',
    focalXPixels: 2,
    focalYPixels: 4,
    principalXPixels: 0.5,
    principalYPixels: 0,
  } as const
  const depths = Float32Array.of(1000, NaN, 2000, Infinity)
  const points = pointsFromDepth(depths, { width: 2, height: 2, depth: MILLIMETRES, lateral: lens })
  near(t, points, [-0.25, 0, 1, 0, 0, 0, -0.5, 0.5, 2, 0, 0, 0])
  const empty = pointsFromDepth(Uint16Array.of(0, 0), {
    width: 2,
    height: 1,
    depth: MILLIMETRES,
    lateral: lens,
  })
  near(t, empty, [0, 0, 0, 0, 0, 0])
})

t.test('points: scale and offset by axis, no point from NaN, zeros or the invalid code', async (t) => {
  const axis = { scaleMetres: 0.001, offsetMetres: 1 }
  const samples = Float32Array.of(1, 2, 3, NaN, 1, 1, 0, 0, 0, 5, 5, -99)
  const points = pointsFromXyz(samples, { x: axis, y: METRES, z: MILLIMETRES, invalid: -99 })
  near(t, points, [1.001, 2, 0.003, 0, 0, 0, 0, 0, 0, 0, 0, 0])
})

t.test('another number of samples than the map has is refused', async (t) => {
  const lateral = { kind: 'grid', x: METRES, y: METRES } as const
  t.throws(
    () => pointsFromDepth(new Uint16Array(3), { width: 2, height: 2, depth: METRES, lateral }),
    RangeError,
  )
  t.throws(() => pointsFromXyz(new Float32Array(4), { x: METRES, y: METRES, z: METRES }), RangeError)
})

t.test('bytes become samples wherever they lie', async (t) => {
  const bytes = Uint8Array.of(9, 1, 0, 2, 1, 7)
  t.same([...uint16Of(bytes.subarray(1))], [1, 258])
  const floats = new Uint8Array(8)
  new DataView(floats.buffer).setFloat32(1, 1.5, true)
  t.same([...float32Of(floats.subarray(1))], [1.5])
  t.equal(float32Of(floats).buffer, floats.buffer, 'aligned bytes are not copied')
})
