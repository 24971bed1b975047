import t from 'tap'
import { judge } from '../../models/judge.ts'
import { openSearch } from '../../models/nearest.ts'
import { repositoryManifestSchema } from '../../models/repository-manifest.ts'
import { teach } from '../../models/teach.ts'
import { narrowed, partFeatures } from '../support/part-features.ts'
import { goodParts, taughtRepository, teachRequest } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

t.test('the same parts and seed make the same repository', async (t) => {
  const [first, second] = [await taughtRepository(search), await taughtRepository(search)]
  t.equal(first.id, second.id)
  t.not((await taughtRepository(search, { seed: 2 })).id, first.id)
})

t.test(
  'the manifest says what was done with which parts, and where the calibration comes from',
  async (t) => {
    const sources = [
      { heldOut: [], source: 'leave-one-part-out', parts: 6 },
      { heldOut: goodParts(4, 101), source: 'both', parts: 10 },
      { heldOut: goodParts(20, 101), source: 'held-out', parts: 20 },
    ]
    for (const { heldOut, source, parts } of sources) {
      const { manifest } = await taughtRepository(search, { heldOut })
      t.equal(manifest.taught.length, 6)
      t.equal(manifest.heldOut.length, heldOut.length)
      for (const head of Object.values(manifest.heads)) {
        t.equal(head.calibration.source, source)
        t.equal(head.calibration.parts, parts)
        const { rate, lower, upper } = head.calibration.predictedFalseRejects
        t.ok(lower <= rate && rate <= upper)
      }
      t.equal(
        manifest.warnings.some((warning) => /calibrated on \d+ good parts/.test(warning)),
        parts < 20,
      )
    }
  },
)

t.test('the banks stay under the byte budget and hold nothing of held-out parts', async (t) => {
  const byteBudget = 50_000
  const { banks, manifest } = await taughtRepository(search, { byteBudget })
  const bytes = Object.values(banks).reduce((sum, bank) => sum + bank.values.byteLength, 0)
  t.ok(bytes <= byteBudget && bytes > 0.9 * byteBudget, `${bytes} bytes`)
  t.equal(banks.fused.width, banks.rgb.width + banks.xyz.width)
  t.ok(repositoryManifestSchema.safeParse(manifest).success)
})

t.test('measured false rejects keep the promise in every condition', async (t) => {
  const falseRejectRate = 0.1
  const repository = await taughtRepository(search, {
    parts: goodParts(16, 1),
    heldOut: goodParts(40, 1001),
    falseRejectRate,
  })
  for (const condition of ['complete', 'rgb-only', 'xyz-only'] as const) {
    let rejected = 0
    const judged = 50
    for (let seed = 2001; seed < 2001 + judged; seed++) {
      const part = partFeatures({ seed })
      const { normality, threshold } = await judge(
        condition === 'complete' ? part : narrowed(part, condition),
        repository,
        search,
      )
      if (normality < threshold) rejected++
    }
    // 40 calibration parts place the threshold with a spread of its own: beta-binomial(50, 4, 37), 99.9 % up to 17.
    t.ok(rejected <= 17, `${condition}: ${rejected} of ${judged}`)
  }
})

t.test('a part that is given twice is taught once and not used against itself', async (t) => {
  const parts = [...goodParts(4, 1), ...goodParts(1, 2)]
  const heldOut = [...goodParts(3, 101), ...goodParts(1, 1)]
  const { manifest } = await taughtRepository(search, { parts, heldOut })
  t.equal(manifest.taught.length, 4)
  t.equal(manifest.heldOut.length, 3)
  t.equal(manifest.warnings.filter((warning) => /is the same as/.test(warning)).length, 2)
})

t.test('what cannot be promised is said', async (t) => {
  const { manifest: few } = await taughtRepository(search, { falseRejectRate: 0.01 })
  t.match(few.warnings.join(), /extrapolated, 100 parts would measure it/)
  const request = await teachRequest(search)
  const { input } = request.bundle.manifest
  const masked = {
    ...request.bundle.manifest,
    input: { ...input, rgb: { ...input.rgb, masking: 'foreground' as const } },
  }
  const { manifest } = await teach({ ...request, bundle: { id: 'masked', manifest: masked } })
  t.match(manifest.warnings.join(), /blanks the background/)
})

t.test('too few parts, too small a budget and incomplete parts are refused', async (t) => {
  await t.rejects(taughtRepository(search, { parts: goodParts(2, 1) }), { code: 'REPOSITORY_REFUSED' })
  await t.rejects(taughtRepository(search, { byteBudget: 1000 }), { code: 'REPOSITORY_REFUSED' })
  const incomplete = goodParts(4, 1).map(({ partId, features }) => ({
    partId,
    features: narrowed(features, 'rgb-only'),
  }))
  await t.rejects(taughtRepository(search, { parts: incomplete }), { code: 'MODEL_MISMATCH' })
  const parts = goodParts(4, 1)
  parts[2]!.features.rgb!.values[8000] = NaN
  await t.rejects(taughtRepository(search, { parts }), { code: 'NOT_FINITE' })
})

t.test('progress is told per phase, and an abort ends teaching with its reason', async (t) => {
  const phases = new Set<string>()
  const { signal } = new AbortController()
  await taughtRepository(search, { signal, onProgress: ({ phase }) => phases.add(phase) })
  t.same(
    [...phases],
    ['choosing rgb patches', 'choosing xyz patches', 'choosing fused patches', 'calibrating'],
  )
  const reason = new Error('operator stopped it')
  await t.rejects(taughtRepository(search, { signal: AbortSignal.abort(reason) }), reason)
})
