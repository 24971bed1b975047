import t from 'tap'
import type { Features } from '../../models/features.ts'
import { judge } from '../../models/judge.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import { fuseSideBySide as fuse, partFeatures } from '../support/part-features.ts'
import { goodParts, taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const comparer = { search, fuse }
const repository = await taughtRepository(search, { parts: goodParts(12, 1), heldOut: goodParts(8, 101) })
const conditions = ['complete', 'rgb-only', 'xyz-only'] as const
t.test('each condition uses its own banks and sees a defect that it can see', async (t) => {
  const banks = {
    complete: ['rgb', 'xyz', 'fused'],
    'rgb-only': ['rgb', 'fused'],
    'xyz-only': ['xyz', 'fused'],
  }
  for (const condition of conditions) {
    const good = await judge(narrowed(partFeatures({ seed: 501 }), condition), repository, comparer)
    const bad = await judge(
      narrowed(partFeatures({ seed: 501, rgbDefect: 12, xyzDefect: 12 }), condition),
      repository,
      comparer,
    )
    t.equal(good.condition, condition)
    t.same(Object.keys(bad.bankScores), banks[condition])
    t.ok(bad.distance > good.distance && bad.normality < good.normality, condition)
    t.ok(bad.normality < bad.threshold, `${condition}: a gross defect is rejected`)
    t.equal(bad.map.length, 224 * 224)
    const peak = (map: Float32Array): number => map.reduce((a, b) => Math.max(a, b), 0)
    t.ok(peak(bad.map) > 1 && peak(bad.map) > peak(good.map), 'its map is over the map threshold')
  }
})

t.test('a defect in one modality is invisible to the other and found by both together', async (t) => {
  const colourOnly = partFeatures({ seed: 502, rgbDefect: 12 })
  const sound = partFeatures({ seed: 502 })
  const [xyzBad, xyzGood] = await Promise.all(
    [colourOnly, sound].map((part) => judge(narrowed(part, 'xyz-only'), repository, comparer)),
  )
  t.equal(xyzBad!.distance, xyzGood!.distance)
  const complete = await judge(colourOnly, repository, comparer)
  t.ok(complete.normality < complete.threshold)
})

t.test('distance goes on rising where normality is long at zero', async (t) => {
  const [far, farther] = await Promise.all(
    [200, 400].map((rgbDefect) => judge(partFeatures({ seed: 503, rgbDefect }), repository, comparer)),
  )
  t.ok(farther!.distance > far!.distance)
})

t.test('the same part gives the same judgement to the bit', async (t) => {
  const part = partFeatures({ seed: 504 })
  t.same(await judge(part, repository, comparer), await judge(part, repository, comparer))
})

t.test('NaN and infinity are an error, never a judgement', async (t) => {
  for (const poison of [NaN, Infinity, -Infinity]) {
    for (const modality of ['rgb', 'xyz'] as const) {
      const part = partFeatures({ seed: 505 })
      part[modality]!.values[4321] = poison
      await t.rejects(judge(part, repository, comparer), { code: 'NOT_FINITE' }, `${poison} in ${modality}`)
    }
  }
})

t.test('an absurd but finite feature is an error or a rejection, never a pass', async (t) => {
  for (const absurd of [1e10, 1e18, 1e19, 1e20, 3e38, -3e38]) {
    const part = partFeatures({ seed: 505 })
    part.rgb!.values[8 * 12 * 28] = absurd
    part.foregroundPatches.fill(1)
    const outcome = await judge(part, repository, comparer).then(
      ({ normality, threshold }) => (normality < threshold ? 'rejected' : 'passed'),
      (error: { code?: unknown }) => error.code,
    )
    t.ok(outcome === 'rejected' || outcome === 'NOT_FINITE', `${absurd}: ${String(outcome)}`)
  }
})

t.test('a head that overflows gives an error, not a map of infinities', async (t) => {
  const { manifest } = repository
  const { complete } = manifest.heads
  const absurd = { ...complete, map: { ...complete.map, weights: [1e300, 1e300, 1e300], threshold: 1e-300 } }
  const broken = { ...repository, manifest: { ...manifest, heads: { ...manifest.heads, complete: absurd } } }
  await t.rejects(judge(partFeatures({ seed: 508 }), broken, comparer), { code: 'NOT_FINITE' })
})

t.test('features of another width or without their modality are refused', async (t) => {
  const part = partFeatures({ seed: 506 })
  const withoutXyz: Features = { ...narrowed(part, 'rgb-only'), condition: 'complete' }
  await t.rejects(judge(withoutXyz, repository, comparer), { code: 'MODEL_MISMATCH' })
  const wide = { width: 24, values: new Float32Array(784 * 24) }
  await t.rejects(judge({ ...part, rgb: wide }, repository, comparer), { code: 'MODEL_MISMATCH' })
})

t.test('a part without a foreground patch is judged by all of them', async (t) => {
  const part = partFeatures({ seed: 507, rgbDefect: 12 })
  const judged = await judge({ ...part, foregroundPatches: new Uint8Array(784) }, repository, comparer)
  t.ok(judged.normality < judged.threshold)
})
