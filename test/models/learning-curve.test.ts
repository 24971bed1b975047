import t from 'tap'
import { startLearningCurve, type CurvePoint, type Learning } from '../../models/learning-curve.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import type { TaughtPart } from '../../models/teach.ts'
import { goodParts } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

async function curveOf(parts: readonly TaughtPart[]): Promise<{ points: CurvePoint[]; learning: Learning }> {
  const curve = startLearningCurve(search)
  const points: CurvePoint[] = []
  for (const part of parts) points.push(await curve.add(part))
  return { points, learning: await curve.measure() }
}

t.test(
  'parts that differ by noise alone are enough early; of a product in many kinds more would help',
  async (t) => {
    for (const firstSeed of [1, 1001, 2001]) {
      const { learning: alike } = await curveOf(goodParts(12, firstSeed))
      t.equal(alike.verdict, 'enough', JSON.stringify(alike.gain))
      const { learning: varied } = await curveOf(goodParts(24, firstSeed, { kinds: 12 }))
      t.equal(varied.verdict, 'more-helps', JSON.stringify(varied.gain))
    }
  },
)

t.test('a part is held against those before it: one of a new kind stands out', async (t) => {
  const parts = [...goodParts(8, 1), ...goodParts(1, 9, { kinds: 1e6 }), ...goodParts(1, 10)]
  const { points } = await curveOf(parts)
  t.same(
    points.map(({ rgb, xyz }) => rgb !== undefined && xyz !== undefined),
    [false, false, ...new Array<boolean>(8).fill(true)],
    'each half of those before needs one',
  )
  const distances = points.map(({ rgb }) => rgb?.toAll ?? 0)
  t.ok(distances[8]! > 1.5 * Math.max(...distances.slice(2, 8), distances[9]!), distances.join())
  for (const { rgb } of points.slice(2)) t.ok(rgb!.toAll <= rgb!.toHalf)
})

t.test('the size of features changes no gain, and distances are in their units', async (t) => {
  const parts = goodParts(10, 1)
  const larger = parts.map(({ partId, features }) => ({
    partId,
    features: {
      ...features,
      rgb: { ...features.rgb!, values: features.rgb!.values.map((value) => 1000 * value + 7) },
    },
  }))
  const [plain, scaled] = [await curveOf(parts), await curveOf(larger)]
  t.ok(Math.abs(plain.learning.gain.rgb! - scaled.learning.gain.rgb!) < 1e-3)
  t.ok(Math.abs(scaled.points[9]!.rgb!.toAll / plain.points[9]!.rgb!.toAll - 1000) < 1)
})

t.test('fewer than ten parts are too few to tell, in each modality by itself', async (t) => {
  t.same((await curveOf(goodParts(9, 1))).learning, { gain: {}, verdict: 'too-few-to-tell' })
  const parts = goodParts(12, 1).map(({ partId, features }, i) => ({
    partId,
    features: i < 4 ? narrowed(features, 'rgb-only') : features,
  }))
  const { learning } = await curveOf(parts)
  t.same(Object.keys(learning.gain), ['rgb'])
  t.equal(learning.verdict, 'enough')
})

t.test('the same capture again changes nothing', async (t) => {
  const parts = goodParts(10, 1)
  const twins = parts.map(({ features }, i) => ({ partId: `twin-${i}`, features }))
  const [once, twice] = [await curveOf(parts), await curveOf([...parts, ...twins])]
  t.same(twice.learning, once.learning)
  t.same(
    twice.points.slice(10),
    twins.map(({ partId }) => ({ partId })),
  )
})

t.test('an abort ends measuring with its reason', async (t) => {
  const curve = startLearningCurve(search)
  for (const part of goodParts(10, 1)) await curve.add(part)
  const reason = new Error('operator stopped it')
  await t.rejects(curve.measure(AbortSignal.abort(reason)), reason)
})
