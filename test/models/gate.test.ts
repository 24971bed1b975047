import fc from 'fast-check'
import t from 'tap'
import { byBankKey, type Features } from '../../models/features.ts'
import { gate, judgeGolden, type GateCheckName, type GateReport, type GoldenPart } from '../../models/gate.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import { seededRandom } from '../../models/random.ts'
import type { Repository } from '../../models/repository.ts'
import type { RepositoryManifest } from '../../models/repository-manifest.ts'
import { featuresHash } from '../../models/teach.ts'
import { fuseSideBySide as fuse, partFeatures } from '../support/part-features.ts'
import { goodParts, taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const comparer = { search, fuse }
const taught = goodParts(10, 1)
const heldOut = goodParts(20, 101)
const active = await taughtRepository(search, { parts: taught, heldOut, byteBudget: 120_000 })

const bad: GoldenPart = {
  partId: 'dent-7',
  label: 'bad',
  defect: 'dent',
  features: partFeatures({ seed: 901, rgbDefect: 12, xyzDefect: 12 }),
}
const scratched: GoldenPart = {
  partId: 'scratch-3',
  label: 'bad',
  features: partFeatures({ seed: 902, rgbDefect: 12 }),
}
const good: GoldenPart = { partId: 'good-1', label: 'good', features: partFeatures({ seed: 903 }) }
const goldens = [bad, scratched, good]
const limits = { leastDetection: 0.9, mostFlips: 0 }

/** Another capture of the same part: its features differ by the sensor's noise. */
function recaptured(features: Features, seed: number): Features {
  const random = seededRandom(seed)
  const noisy = (tokens: Features['rgb']) =>
    tokens && { ...tokens, values: tokens.values.map((value) => value + 0.01 * (random() - 0.5)) }
  const { rgb, xyz } = features
  return { ...features, ...(rgb && { rgb: noisy(rgb)! }), ...(xyz && { xyz: noisy(xyz)! }) }
}

function withManifest(repository: Repository, changes: Partial<RepositoryManifest>): Repository {
  return { ...repository, manifest: { ...repository.manifest, ...changes } }
}

const check = (report: GateReport, name: GateCheckName) => report.checks.find((one) => one.name === name)!
const failed = ({ checks }: GateReport) => checks.filter(({ passed }) => !passed).map(({ name }) => name)

t.test('the repository in use passes as its own successor, without drift', async (t) => {
  const report = await gate(active, { active, goldens, comparer, limits, knownParts: new Set() })
  t.same(failed(report), [])
  t.ok(report.passed && !report.unguarded)
  t.equal(report.golden.length, 9, 'every part in every condition')
  t.ok(report.golden.every(({ drift }) => drift?.distance === 0 && drift.normality === 0))
  t.match(check(report, 'golden-detection').detail, '2 of 2 bad golden parts are found')
})

t.test(
  'a candidate whose banks hold a golden bad part’s defect is refused, and the report says which',
  async (t) => {
    const poison = [1, 2, 3].map((seed) => ({
      partId: `confirmed-${seed}`,
      features: recaptured(bad.features, seed),
    }))
    const candidate = await taughtRepository(search, {
      parts: [...taught, ...poison],
      heldOut,
      byteBudget: 120_000,
    })
    const report = await gate(candidate, { active, goldens, comparer, limits })
    t.notOk(report.passed)
    t.strictSame(failed(report), ['golden-verdicts', 'golden-detection'])
    const found = report.golden.find(
      ({ partId, condition }) => partId === 'dent-7' && condition === 'complete',
    )
    t.match(found, {
      label: 'bad',
      defect: 'dent',
      isWidest: true,
      before: { outcome: 'fail' },
      after: { outcome: 'pass' },
    })
    t.ok(found!.drift!.distance < 0 && found!.drift!.normality > 0, 'it looks more normal than it did')
    t.match(
      check(report, 'golden-verdicts').detail,
      /'dent-7' \(bad, dent\) as complete: fail at \S+ before, pass at \S+ now/,
    )
  },
)

t.test(
  'verdicts: so many may turn wrong as the recipe allows, and one that was wrong may stay so',
  async (t) => {
    // A defect that no sensor shows was always missed.
    const unseen: GoldenPart = { ...good, partId: 'unseen', label: 'bad' }
    const kept = await gate(active, {
      active,
      goldens: [...goldens, unseen],
      comparer,
      limits: { ...limits, leastDetection: 0.5 },
    })
    t.same(failed(kept), [])
    const strict = withManifest(active, { falseRejectRate: 0.9999 })
    const verdicts = async (mostFlips: number) =>
      check(
        await gate(strict, { active, goldens: [good], comparer, limits: { ...limits, mostFlips } }),
        'golden-verdicts',
      )
    t.match(await verdicts(2), { passed: false, detail: '3 became wrong, at most 2 may' })
    t.match(await verdicts(3), { passed: true })
  },
)

t.test(
  'the first repository of a product must pass the good golden parts and find the bad ones',
  async (t) => {
    const first = (repository: Repository) => gate(repository, { goldens, comparer, limits })
    const report = await first(active)
    t.same(failed(report), [])
    t.ok(report.golden.every(({ before, drift }) => before === undefined && drift === undefined))
    t.same(failed(await first(withManifest(active, { falseRejectRate: 0.9999 }))), ['golden-verdicts'])
    t.same(failed(await first(withManifest(active, { falseRejectRate: 1e-300 }))), [
      'golden-detection',
      'false-rejects',
    ])
  },
)

t.test('detection counts each bad part once, seen with all that it was captured with', async (t) => {
  const blind: GoldenPart = {
    partId: 'colour-only',
    label: 'bad',
    features: narrowed(scratched.features, 'rgb-only'),
  }
  const unseen: GoldenPart = { ...good, partId: 'unseen', label: 'bad' }
  const report = (leastDetection: number) =>
    gate(active, {
      active,
      goldens: [bad, scratched, blind, unseen],
      comparer,
      limits: { leastDetection, mostFlips: 0 },
    })
  const refused = check(await report(0.76), 'golden-detection')
  t.match(refused, {
    passed: false,
    detail: "3 of 4 bad golden parts are found (0.75), at least 0.76 must be: 'unseen'",
  })
  t.ok(check(await report(0.75), 'golden-detection').passed)
})

t.test('a bad golden part is found among the parts, with fewer sensors, too', async (t) => {
  const { heldOut, taught } = active.manifest
  const sha256 = featuresHash(narrowed(bad.features, 'xyz-only'))
  const part = { id: 'part-9', sha256, origin: 'lot' } as const
  for (const changed of [{ heldOut: [...heldOut, part] }, { taught: [...taught, part] }]) {
    const report = await gate(withManifest(active, changed), { active, goldens, comparer, limits })
    t.same(failed(report), ['golden-apart'])
    t.match(check(report, 'golden-apart').detail, "'part-9' is golden part 'dent-7'")
  }
})

t.test(
  'false rejects: refused where the promise lies below what was measured, in one condition already',
  async (t) => {
    const { heads } = active.manifest
    const calibration = {
      ...heads['rgb-only'].calibration,
      predictedFalseRejects: { parts: 6, rate: 0.3, lower: 0.12, upper: 0.54 },
    }
    const candidate = withManifest(active, {
      heads: { ...heads, 'rgb-only': { ...heads['rgb-only'], calibration } },
    })
    const report = await gate(candidate, { active, goldens, comparer, limits })
    t.same(failed(report), ['false-rejects'])
    t.match(check(report, 'false-rejects').detail, '300.0 (120.0 to 540.0) as rgb-only')
    t.match(check(report, 'false-rejects').detail, 'more than promised as rgb-only')
    const promised = withManifest(candidate, { falseRejectRate: 0.12 })
    t.ok(check(await gate(promised, { active, goldens, comparer, limits }), 'false-rejects').passed)
  },
)

t.test('the byte budget counts what is there, not what the manifest says of it', async (t) => {
  const bytes = Object.values(active.banks).reduce((sum, { values }) => sum + values.byteLength, 0)
  const budget = (byteBudget: number) =>
    gate(withManifest(active, { byteBudget }), { active, goldens, comparer, limits })
  t.same(failed(await budget(bytes - 1)), ['byte-budget'])
  t.same(failed(await budget(bytes)), [])
})

t.test(
  'rows: all are of a part that was taught, no part is there twice, somebody vouches for each',
  async (t) => {
    const { taught, heldOut } = active.manifest
    const rows = async (candidate: Repository, knownParts?: ReadonlySet<string>) => {
      const report = await gate(candidate, { active, goldens: [], comparer, limits, knownParts })
      t.ok(failed(report).every((name) => name === 'rows'))
      return check(report, 'rows')
    }
    const strays = {
      ...active,
      rowParts: { ...active.rowParts, rgb: active.rowParts.rgb.map((part, row) => (row < 2 ? 99 : part)) },
    }
    t.match(await rows(strays), {
      passed: false,
      detail: "2 rows of bank 'rgb' are of no part that was taught",
    })
    const short = { ...active, rowParts: { ...active.rowParts, xyz: active.rowParts.xyz.slice(1) } }
    t.match(await rows(short), { passed: false, detail: "bank 'xyz' has" })
    const twin = { ...taught[0]!, id: 'twin' }
    t.match(await rows(withManifest(active, { heldOut: [...heldOut, twin] })), {
      passed: false,
      detail: "'twin' is the same as part 'part-1'",
    })
    const added = { id: 'found', sha256: 'f'.repeat(64), origin: 'lot' } as const
    const larger = withManifest(active, { taught: [...taught, added] })
    t.match(await rows(larger, new Set()), { passed: false, detail: "nobody vouches for part 'found'" })
    t.match(await rows(larger, new Set([added.sha256])), { passed: true })
    t.match(await rows(larger), { passed: true }, 'at teaching the technician vouches for all')
  },
)

t.test('without golden parts nothing is checked, and the report says so', async (t) => {
  const report = await gate(active, { active, goldens: [], comparer, limits })
  t.ok(report.passed && report.unguarded)
  t.match(check(report, 'golden-verdicts').detail, 'no verdict was checked')
  t.match(check(report, 'golden-detection').detail, 'detection was not checked')
  const onlyGood = await gate(active, { active, goldens: [good], comparer, limits })
  t.ok(onlyGood.passed && onlyGood.unguarded, 'good parts do not guard what defects look like')
})

t.test('whatever the candidate: passed is all checks passed, and a pass keeps the detection', async (t) => {
  const { heads } = active.manifest
  const candidate = fc.record({
    falseRejectRate: fc.constantFrom(1e-300, 1e-6, 0.01, 0.05, 0.3, 0.9),
    lower: fc.constantFrom(0, 0, 0.02, 0.2),
    stretch: fc.constantFrom(0.2, 1, 5, 1e3),
    byteBudget: fc.constantFrom(1, 1e9, 1e9, 1e9),
    stray: fc.constantFrom(true, false, false, false),
    isBad: fc.subarray(goldens),
    leastDetection: fc.double({ min: 0, max: 1, noNaN: true }),
    mostFlips: fc.nat(4),
    isFirst: fc.boolean(),
  })
  const seen = { passed: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(candidate, async ({ lower, stretch, stray, isBad, isFirst, ...numbers }) => {
      const { falseRejectRate, byteBudget, leastDetection, mostFlips } = numbers
      const head = (condition: keyof typeof heads) => {
        const { normality, calibration, ...rest } = heads[condition]
        const { distances, upperTail } = normality
        const predictedFalseRejects = { ...calibration.predictedFalseRejects, lower }
        return {
          ...rest,
          normality: {
            ...normality,
            distances: distances.map((distance) => distance * stretch),
            upperTail: upperTail * stretch,
          },
          calibration: { ...calibration, predictedFalseRejects },
        }
      }
      const changed = withManifest(active, {
        falseRejectRate,
        byteBudget,
        heads: { complete: head('complete'), 'rgb-only': head('rgb-only'), 'xyz-only': head('xyz-only') },
      })
      const rowParts = stray ? byBankKey((key) => active.rowParts[key].map(() => -1)) : active.rowParts
      const parts = goldens.map((part) => ({
        ...part,
        label: isBad.includes(part) ? ('bad' as const) : ('good' as const),
      }))
      const report = await gate(
        { ...changed, rowParts },
        {
          active: isFirst ? undefined : active,
          goldens: parts,
          comparer,
          limits: { leastDetection, mostFlips },
        },
      )
      seen[report.passed ? 'passed' : 'refused']++
      if (report.passed !== report.checks.every(({ passed }) => passed)) return false
      if (!report.passed || isBad.length === 0) return true
      const judged = await judgeGolden(parts, changed, { comparer })
      const found = judged.filter(
        ({ label, isWidest, outcome }) => label === 'bad' && isWidest && outcome === 'fail',
      )
      return found.length / isBad.length >= leastDetection
    }),
    { seed: 4, numRuns: 60 },
  )
  t.ok(seen.passed > 3 && seen.refused > 3, JSON.stringify(seen))
})

t.test('a golden part that cannot be judged is an error that names it, and a gate can be left', async (t) => {
  const odd = { ...good.features, rgb: { width: 3, values: new Float32Array(784 * 3) } }
  await t.rejects(gate(active, { goldens: [{ ...good, features: odd }], comparer, limits }), {
    code: 'MODEL_MISMATCH',
    message: /golden part 'good-1'/,
  })
  const left = AbortSignal.abort(new Error('stop'))
  await t.rejects(gate(active, { goldens, comparer, limits, signal: left }), { message: 'stop' })
})

t.test(
  'verdicts of a condition that finds too few bad parts are luck and bind nobody; where it finds them they do',
  async (t) => {
    const { heads } = active.manifest
    const curve = heads['xyz-only'].normality
    // Everything fails that the 3D sensor sees alone.
    const shifted = { ...curve, distances: curve.distances.map((value) => value - 1000) }
    const blind = { ...heads['xyz-only'], normality: shifted }
    const candidate = withManifest(active, { heads: { ...heads, 'xyz-only': blind } })
    const checked = async (xyzDefect: number) => {
      const parts: GoldenPart[] = [
        good,
        { partId: 'bad-1', label: 'bad', features: partFeatures({ seed: 911, rgbDefect: 9, xyzDefect }) },
      ]
      return check(await gate(candidate, { active, goldens: parts, comparer, limits }), 'golden-verdicts')
    }
    t.match(await checked(0), {
      passed: true,
      detail: /not counted: xyz-only, where too few bad ones are found/,
    })
    t.match(await checked(9), { passed: false, detail: /'good-1' \(good\) as xyz-only/ })
  },
)
