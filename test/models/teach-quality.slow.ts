import t from 'tap'
import { BANK_KEYS } from '../../models/features.ts'
import { startLearningCurve, type CurvePoint } from '../../models/learning-curve.ts'
import { openSearch } from '../../models/nearest.ts'
import { qualityOf, type TeachQuality } from '../../models/teach-quality.ts'
import { teachLesson, type Lesson, type TeachRequest } from '../../models/teach.ts'
import { goodParts, teachRequest } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

async function taught(
  changes: Partial<TeachRequest>,
): Promise<{ lesson: Lesson; quality: TeachQuality; request: TeachRequest }> {
  const request = await teachRequest(search, { heldOut: [], ...changes })
  const curve = startLearningCurve(search)
  const points: CurvePoint[] = []
  for (const part of request.parts) points.push(await curve.add(part))
  const lesson = await teachLesson(request)
  const learning = await curve.measure()
  return { lesson, quality: await qualityOf(lesson, { points, learning }, request), request }
}

t.test('one bad part among 20 good ones is proposed, and it alone', async (t) => {
  const seeds = 20
  let right = 0
  for (let seed = 0; seed < seeds; seed++) {
    const parts = goodParts(20, 5000 + 100 * seed)
    const [bad] = goodParts(1, 9000 + seed, { rgbDefect: 8, xyzDefect: seed % 2 === 0 ? 0 : 8 })
    parts.splice(seed, 0, { ...bad!, partId: 'bad' })
    const { quality } = await taught({ parts })
    const proposed = quality.outliers.map(({ partId }) => partId)
    if (proposed.join() === 'bad') right++
    else t.comment(`seed ${seed}: ${proposed.join()}`)
  }
  t.ok(right >= 0.95 * seeds, `${right} of ${seeds}`)
})

t.test('an outlier comes with its figures and a map that is hot where it is odd', async (t) => {
  const parts = goodParts(20, 1)
  const [bad] = goodParts(1, 900, { rgbDefect: 12 })
  parts[5] = { ...bad!, partId: 'bad' }
  const { quality, request } = await taught({ parts })
  const [outlier] = quality.outliers
  t.match(outlier, { partId: 'bad', condition: /^(complete|rgb-only)$/ })
  t.ok(outlier!.chance < 0.02 && outlier!.normality < request.falseRejectRate)
  t.equal(outlier!.map.length, 224 * 224)
  t.ok(Math.max(...outlier!.map) > 1)
})

t.test(
  'a bad part among many held-out ones is proposed too, and one among those that were taught beside them',
  async (t) => {
    const heldOut = goodParts(21, 101)
    const [bad] = goodParts(1, 900, { rgbDefect: 12 })
    heldOut[4] = { ...bad!, partId: 'bad-held-out' }
    const parts = goodParts(10, 1)
    const [other] = goodParts(1, 901, { rgbDefect: 12 })
    parts[3] = { ...other!, partId: 'bad-taught' }
    const { lesson, quality } = await taught({ parts, heldOut })
    t.equal(lesson.repository.manifest.heads.complete.calibration.source, 'held-out')
    t.same(quality.outliers.map(({ partId }) => partId).sort(), ['bad-held-out', 'bad-taught'])
  },
)

t.test('the figures are those of the repository', async (t) => {
  const { lesson, quality } = await taught({
    parts: [...goodParts(12, 1), { ...goodParts(1, 3)[0]!, partId: 'twin' }],
  })
  const { banks, heads } = lesson.repository.manifest
  for (const key of BANK_KEYS) {
    t.equal(quality.banks[key].coveringRadius, banks[key].coveringRadius)
    t.equal(quality.banks[key].bytes, 4 * banks[key].rows * banks[key].width)
  }
  t.ok(quality.bytes <= 60_000)
  const { lower, upper } = heads.complete.calibration.predictedFalseRejects
  t.match(quality.falseRejects.complete, { lower: 1000 * lower, upper: 1000 * upper, parts: 12 })
  t.ok(quality.searchMs.median > 0 && quality.searchMs.median <= quality.searchMs.worst)
  t.match(quality.learning, { verdict: 'enough' })
  t.same(
    quality.learning.byPart.map(({ partId }) => partId),
    lesson.parts.map(({ partId }) => partId),
    'in the order of capture, without the twin',
  )
  for (const { rgb } of quality.learning.byPart.slice(2)) {
    t.ok(rgb!.gain >= 0 && rgb!.gain < 1 && rgb!.beyondRadius >= 0 && rgb!.beyondRadius <= 1)
  }
  const { quality: roomy } = await taught({ byteBudget: 1e7 })
  t.equal(roomy.banks.rgb.coveringRadius, 0)
  t.equal(roomy.learning.byPart[5]?.rgb?.beyondRadius, 1, 'every patch has a row of its own')
})
