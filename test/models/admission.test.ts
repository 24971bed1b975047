import t from 'tap'
import { admit, defectBanks, type ConfirmedPart, type KnownDefect } from '../../models/admission.ts'
import { GRID_PATCHES } from '../../models/features.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import type { TaughtPart } from '../../models/teach.ts'
import { fuseSideBySide as fuse, partFeatures, type PartOptions } from '../support/part-features.ts'
import { goodParts, taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const comparer = { search, fuse }
const taught = goodParts(8, 1)
const heldOut = goodParts(4, 101)
const active = await taughtRepository(search, { parts: taught, heldOut })
const none = await defectBanks([], active, comparer)

const accepted = (part: TaughtPart): ConfirmedPart => ({ ...part, origin: 'accepted' })
const dented = (seed: number, options: Omit<PartOptions, 'seed'> = { rgbDefect: 9, xyzDefect: 9 }) =>
  partFeatures({ seed, ...options })
const bad = (seed: number): ConfirmedPart => accepted({ partId: `bad-${seed}`, features: dented(seed) })

async function admitted(confirmed: readonly ConfirmedPart[], known: readonly KnownDefect[] = []) {
  const defects = known.length === 0 ? none : await defectBanks(known, active, comparer)
  const admission = await admit(confirmed, { active, defects, ...comparer })
  return { ...admission, reasons: admission.refused.map(({ partId, reason }) => `${partId} ${reason}`) }
}

t.test(
  'a good part that somebody has called good is admitted with its hash and where it is from',
  async (t) => {
    const [one, two] = goodParts(2, 300)
    const { admitted: parts, refused } = await admitted([accepted(one!), { ...two!, origin: 'lot' }])
    t.match(parts, [
      { partId: 'part-300', origin: 'accepted', sha256: /^[0-9a-f]{64}$/ },
      { partId: 'part-301', origin: 'lot' },
    ])
    t.same(refused, [])
  },
)

t.test('each refusal names its reason', async (t) => {
  const [one, two, three, four] = goodParts(4, 300)
  const {
    admitted: parts,
    reasons,
    refused,
  } = await admitted([
    { ...one!, origin: undefined },
    { ...accepted(two!), doubt: 'degraded' },
    { ...accepted(three!), doubt: 'frozen' },
    { ...accepted(taught[2]!), partId: 'taught again' },
    { ...accepted(heldOut[2]!), partId: 'held out again' },
    accepted(four!),
    { ...accepted(four!), partId: 'twice' },
    { partId: 'odd', features: dented(700), origin: 'lot' },
  ])
  t.same(
    parts.map(({ partId }) => partId),
    ['part-303'],
  )
  t.same(reasons, [
    'part-300 unconfirmed',
    'part-301 degraded',
    'part-302 frozen',
    'taught again duplicate',
    'held out again duplicate',
    'twice duplicate',
    'odd anomalous',
  ])
  t.match(refused[3], { detail: /same capture as 'part-3'/ })
  t.match(refused[5], { detail: /same capture as 'part-303'/ })
  t.ok(refused.every(({ detail }) => detail.length > 0))
})

t.test('two parts of one exposure are one part, even where their features differ', async (t) => {
  const [one, two, three] = goodParts(3, 300).map((part) => ({ ...accepted(part), framesHash: part.partId }))
  const { reasons } = await admitted([one!, { ...two!, framesHash: one!.framesHash }, three!])
  t.same(reasons, ['part-301 duplicate'])
})

t.test('a reject must be accepted by name: as one of a lot it is not believed', async (t) => {
  const odd = { partId: 'odd', features: dented(700) }
  t.same((await admitted([{ ...odd, origin: 'lot' }])).reasons, ['odd anomalous'])
  t.same((await admitted([{ ...odd, origin: 'accepted' }])).reasons, [])
})

t.test(
  'what looks new in the way of a known defect is refused, in any condition that shows it',
  async (t) => {
    const known = [500, 501, 502].map((seed) => ({ features: dented(seed) }))
    t.same((await admitted([bad(600)], known)).reasons, ['bad-600 resembles-defect'])
    t.same((await admitted([bad(600)])).reasons, [], 'nobody has shown such a defect')
    for (const condition of ['rgb-only', 'xyz-only'] as const) {
      const narrow = { ...bad(600), features: narrowed(dented(600), condition) }
      t.same((await admitted([narrow], known)).reasons, ['bad-600 resembles-defect'], condition)
    }
    const { refused } = await admitted([bad(600)], known)
    t.match(refused[0]!.detail, /^\d+ of its \d+ new rgb patches are nearer to the defect of a golden part/)
    t.same((await admitted(goodParts(6, 300).map(accepted), known)).reasons, [], 'good parts are let in')
  },
)

t.test('a defect that only the other sensor shows stands in nobody’s way', async (t) => {
  const known = [500, 501, 502].map((seed) => ({ features: dented(seed, { xyzDefect: 9 }) }))
  const scratched = accepted({ partId: 'scratched', features: dented(600, { rgbDefect: 9 }) })
  t.same((await admitted([scratched], known)).reasons, [])
  const bent = accepted({ partId: 'bent', features: dented(600, { xyzDefect: 9 }) })
  t.same((await admitted([bent], known)).reasons, ['bent resembles-defect'])
})

t.test('a mask says which patches are the defect: nothing else of the bad part counts', async (t) => {
  const everywhere = new Uint8Array(GRID_PATCHES).fill(1)
  const nowhere = new Uint8Array(GRID_PATCHES)
  const known = (defectPatches: Uint8Array) => [{ features: dented(500), defectPatches }]
  const rowsOf = async (defectPatches: Uint8Array) =>
    (await defectBanks(known(defectPatches), active, comparer)).rgb?.rows ?? 0
  const all = await rowsOf(everywhere)
  t.ok(all >= 9, `${all} patches of the defect`)
  t.equal(await rowsOf(nowhere), 0)
  const unmasked = await defectBanks([{ features: dented(500) }], active, comparer)
  t.equal(unmasked.rgb?.rows, all, 'without a mask all that is new counts')
  t.same((await admitted([bad(600)], known(nowhere))).reasons, [])
  t.same((await admitted([bad(600)], known(everywhere))).reasons, ['bad-600 resembles-defect'])
})

t.test('a bad part gives defects to the banks of its own sensors only', async (t) => {
  const seen = { features: narrowed(dented(500), 'rgb-only') }
  t.same(Object.keys(await defectBanks([seen], active, comparer)).sort(), ['fused-rgb-only', 'rgb'])
  t.same(none, {})
})

t.test('one mistake happens, two that are a tenth of all are suspicious', async (t) => {
  const known = [500, 501, 502].map((seed) => ({ features: dented(seed) }))
  const batch = async (defects: number, good: number) => {
    const confirmed = [
      ...Array.from({ length: defects }, (_, i) => bad(600 + i)),
      ...goodParts(good, 300).map(accepted),
    ]
    const { isSuspicious, refused } = await admitted(confirmed, known)
    t.equal(refused.length, defects, `${defects} of ${confirmed.length}`)
    return isSuspicious
  }
  t.equal(await batch(1, 0), false)
  t.equal(await batch(2, 0), true)
  t.equal(await batch(2, 18), true)
  t.equal(await batch(2, 19), false)
})

t.test('an abort ends it with its reason', async (t) => {
  const signal = AbortSignal.abort(new Error('enough'))
  const admission = admit(goodParts(1, 300).map(accepted), { active, defects: none, ...comparer, signal })
  await t.rejects(admission, { message: 'enough' })
})
