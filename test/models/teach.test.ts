import t from 'tap'
import type { DecidableCondition } from '../../drivers/sample.ts'
import type { Fuse } from '../../models/fusion.ts'
import { judge } from '../../models/judge.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch, type Search } from '../../models/nearest.ts'
import { repositoryManifestSchema } from '../../models/repository-manifest.ts'
import { teach, teachLesson, type TaughtPart } from '../../models/teach.ts'
import { fuseSideBySide as fuse, partFeatures } from '../support/part-features.ts'
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
  const { rgb, xyz, ...fused } = banks
  t.equal(rgb.rows, xyz.rows)
  for (const bank of Object.values(fused)) t.equal(bank.rows, Math.floor(rgb.rows / 4))
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
      const { normality, threshold } = await judge(narrowed(part, condition), repository, { search, fuse })
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

const narrowedParts = (parts: readonly TaughtPart[], condition: DecidableCondition): TaughtPart[] =>
  parts.map(({ partId, features }) => ({ partId, features: narrowed(features, condition) }))

t.test('too few parts with both modalities and too small a budget are refused', async (t) => {
  await t.rejects(taughtRepository(search, { parts: goodParts(2, 1) }), { code: 'REPOSITORY_REFUSED' })
  await t.rejects(taughtRepository(search, { byteBudget: 1000 }), { code: 'REPOSITORY_REFUSED' })
  const parts = [...goodParts(2, 1), ...narrowedParts(goodParts(4, 11), 'rgb-only')]
  await t.rejects(taughtRepository(search, { parts }), {
    code: 'REPOSITORY_REFUSED',
    message: /from 2 different good parts with both modalities and 4 with one, at least 3/,
  })
  const poisoned = goodParts(4, 1)
  poisoned[2]!.features.rgb!.values[8000] = NaN
  await t.rejects(taughtRepository(search, { parts: poisoned }), { code: 'NOT_FINITE' })
})

t.test(
  'more than twenty parts leave the banks in twenty groups, and each is judged once without itself',
  async (t) => {
    let searches = 0
    const counted: Search = {
      ...search,
      nearest: (request) => {
        searches += request.k === 1 ? 1 : 0
        return search.nearest(request)
      },
    }
    const request = await teachRequest(counted, { parts: goodParts(23, 1), heldOut: [] })
    const { normals, parts } = await teachLesson(request)
    t.equal(normals.complete.length, 23)
    t.equal(searches, 23 * 5, 'one search in each of five banks')
    const whole = await judge(parts[22]!.features, (await teachLesson(request)).repository, request)
    t.ok(
      whole.bankScores.rgb! < normals.complete[22]![0]!.score,
      'judged without itself, in the order it was shown',
    )
  },
)

t.test('a part with one modality teaches and calibrates what it has, and nothing else', async (t) => {
  const parts = [
    ...goodParts(4, 1),
    ...narrowedParts(goodParts(3, 11), 'rgb-only'),
    ...narrowedParts(goodParts(2, 21), 'xyz-only'),
  ]
  const heldOut = [...goodParts(2, 101), ...narrowedParts(goodParts(18, 111), 'rgb-only')]
  const { manifest } = await taughtRepository(search, { parts, heldOut, byteBudget: 1e7 })
  t.equal(manifest.taught.length, 9)
  const { banks, heads } = manifest
  t.ok(banks.rgb.candidates > banks.xyz.candidates, '7 parts against 6')
  t.equal(banks['fused-rgb-only'].candidates, banks.rgb.candidates)
  t.equal(banks['fused-xyz-only'].candidates, banks.xyz.candidates)
  t.ok(banks['fused-complete'].candidates < banks.xyz.candidates, '4 parts')
  t.match(heads, {
    complete: { calibration: { source: 'both', parts: 2 + 4 } },
    'rgb-only': { calibration: { source: 'held-out', parts: 20 } },
    'xyz-only': { calibration: { source: 'both', parts: 2 + 6 } },
  })
  t.match(manifest.warnings.join('\n'), /^complete: calibrated on 6 good parts/m)
  t.match(manifest.warnings.join('\n'), /^xyz-only: calibrated on 8 good parts/m)
})

t.test('the recipe’s mode is that of every head', async (t) => {
  for (const mdmMode of ['one-sided', 'two-sided'] as const) {
    const { manifest } = await taughtRepository(search, { mdmMode })
    for (const { mahalanobis } of Object.values(manifest.heads)) t.equal(mahalanobis.mode, mdmMode)
  }
})

t.test('a part is not fused more often than twice in each condition', async (t) => {
  let asked = 0
  const counted: Fuse = (features) => {
    asked++
    return fuse(features)
  }
  await taughtRepository(search, { fuse: counted })
  // One more tells how wide a row is; 6 parts are in the banks and calibrate, 4 calibrate.
  t.equal(asked, 1 + 3 * (6 + 6 + 4))
})

t.test('progress is told per phase, and an abort ends teaching with its reason', async (t) => {
  const phases = new Set<string>()
  const { signal } = new AbortController()
  await taughtRepository(search, { signal, onProgress: ({ phase }) => phases.add(phase) })
  t.same(
    [...phases],
    [
      'choosing rgb patches',
      'choosing xyz patches',
      'fusing complete patches',
      'choosing fused-complete patches',
      'fusing rgb-only patches',
      'choosing fused-rgb-only patches',
      'fusing xyz-only patches',
      'choosing fused-xyz-only patches',
      'calibrating',
    ],
  )
  const reason = new Error('operator stopped it')
  await t.rejects(taughtRepository(search, { signal: AbortSignal.abort(reason) }), reason)
})
