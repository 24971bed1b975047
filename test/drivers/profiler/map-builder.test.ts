import fc from 'fast-check'
import t from 'tap'
import { MapBuilder, type MapGeometry } from '../../../drivers/profiler/map-builder.ts'

const geometry: MapGeometry = {
  profiles: 4,
  samples: 2,
  countsPerProfile: 10,
  millimetresPerCount: 0.1,
  startMillimetres: -1,
  pitchMillimetres: 2,
  millimetresPerPositionCode: 1,
  millimetresPerHeightCode: 0.001,
  heightOffsetMillimetres: 100,
}
const profile = (...heights: number[]) => ({ heights: Float64Array.from(heights) })
const millimetres = (points: Float32Array) => [...points].map((value) => Math.round(value * 1e6) / 1000)

t.test('x from start and pitch, y from the counter, z from the code; missing is (0,0,0)', async (t) => {
  const builder = new MapBuilder(geometry, 50)
  t.ok(builder.place(profile(1000, NaN), 50))
  t.ok(builder.place(profile(2000, 3000), 82), 'an encoder is off by a count or two')
  t.ok(builder.place(profile(4000, 5000), 60))
  t.notOk(builder.place(profile(7000, 7000), 61), 'the row is there')
  t.notOk(builder.place(profile(7000, 7000), 30), 'before the part')
  t.notOk(builder.place(profile(7000, 7000), 90), 'after the part')
  t.same(builder.counts, { missing: 1, repeated: 1, outOfOrder: 1 })
  t.equal(builder.placesBeyond, 1)
  t.notOk(builder.isFull)
  t.same(millimetres(builder.take()), [
    ...[-1, 0, 101, 0, 0, 0],
    ...[-1, 1, 104, 1, 1, 105],
    ...[0, 0, 0, 0, 0, 0],
    ...[-1, 3.2, 102, 1, 3.2, 103],
  ])
})

t.test('positions that were sent are taken', async (t) => {
  const builder = new MapBuilder({ ...geometry, profiles: 1 }, 0)
  builder.place({ ...profile(0, 1000), positions: Float64Array.of(-7, 9) }, 0)
  t.ok(builder.isFull)
  t.same(millimetres(builder.take()), [-7, 0, 100, 9, 0, 101])
})

t.test('any numbers: a map of finite metres', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.double(), fc.double(), fc.double(), fc.integer({ min: -50, max: 100 }))),
      (rows) => {
        const builder = new MapBuilder(geometry, 0)
        for (const [a, b, x, position] of rows) {
          builder.place({ ...profile(a, b), positions: Float64Array.of(x, 0) }, position)
        }
        const { missing } = builder.counts
        return builder.take().every(Number.isFinite) && missing >= 0 && missing <= 4
      },
    ),
  )
  t.pass()
})
