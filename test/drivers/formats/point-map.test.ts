import t from 'tap'
import { checkGrid, metresPerCount, toPointMap } from '../../../drivers/formats/point-map.ts'

t.test('a grid has rows and columns, and no more points than the limit', async (t) => {
  t.doesNotThrow(() => checkGrid('f', { width: 2, height: 2 }, {}))
  t.throws(() => checkGrid('f', { width: 0, height: 2 }, {}), { code: 'FORMAT_UNREADABLE' })
  t.throws(() => checkGrid('f', { width: 1.5, height: 2 }, {}), { code: 'FORMAT_UNREADABLE' })
  t.throws(() => checkGrid('f', { width: 9, height: 1 }, {}), { code: 'FORMAT_UNSUPPORTED' })
  t.throws(() => checkGrid('f', { width: 5000, height: 5000 }, {}), { code: 'FORMAT_TOO_LARGE' })
  t.throws(() => checkGrid('f', { width: 3, height: 3 }, { limits: { maxPixels: 8 } }), {
    code: 'FORMAT_TOO_LARGE',
  })
})

t.test('floats are metres unless told otherwise; integers need a step', async (t) => {
  t.equal(metresPerCount('f', 'float', {}), 1)
  t.equal(metresPerCount('f', 'float', { unit: 'millimetres' }), 0.001)
  t.equal(metresPerCount('f', 'integer', { integerStepMetres: 0.00025 }), 0.00025)
  t.throws(() => metresPerCount('f', 'integer', { unit: 'millimetres' }), { code: 'FORMAT_UNSUPPORTED' })
})

t.test('invalid points become zero and do not count in the look at the unit', async (t) => {
  const map = toPointMap(
    'f',
    { width: 2, height: 2 },
    Float32Array.of(NaN, 0, 900, 0, 0, 0, 1, 1, 19, 1, 1, -2),
  )
  t.same(map.pointsMetres, Float32Array.of(0, 0, 0, 0, 0, 0, 1, 1, 19, 1, 1, -2))
  t.throws(() => toPointMap('f', { width: 2, height: 1 }, Float32Array.of(0, 0, 0, 1, 1, -430)), {
    code: 'FORMAT_WRONG_UNIT',
    message: /430.*metres/,
  })
})

t.test('the unit is seen in a map larger than the sample that is looked at', async (t) => {
  const points = new Float32Array(200 * 200 * 3).fill(700)
  t.throws(() => toPointMap('f', { width: 200, height: 200 }, points), { code: 'FORMAT_WRONG_UNIT' })
})
