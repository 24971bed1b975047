import t from 'tap'
import { gate } from '../../models/gate.ts'
import { BANK_KEYS } from '../../models/features.ts'
import { judge } from '../../models/judge.ts'
import { openSearch } from '../../models/nearest.ts'
import { makeRepository, type Repository } from '../../models/repository.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { update, type UpdateRequest } from '../../models/update.ts'
import type { ConfirmedPart } from '../../models/admission.ts'
import { partFeatures } from '../support/part-features.ts'
import { goodParts, teachRequest } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

const request = await teachRequest(search, { parts: goodParts(12, 1), heldOut: [] })
const active = await teach(request)

/** The same product under another lamp: every rgb feature moves by so many deviations of a good patch. */
function drifted(parts: readonly TaughtPart[], shift: number): TaughtPart[] {
  return parts.map(({ partId, features }) => ({
    partId,
    features: {
      ...features,
      rgb: { ...features.rgb!, values: features.rgb!.values.map((value) => value + shift * 0.5) },
    },
  }))
}

const accepted = (parts: readonly TaughtPart[]): ConfirmedPart[] =>
  parts.map((part) => ({ ...part, origin: 'accepted' }))

const bad = (seed: number) => ({ features: partFeatures({ seed, rgbDefect: 9, xyzDefect: 9 }) })

function asked(changes: Partial<UpdateRequest> = {}): UpdateRequest {
  return { ...request, active, confirmed: [], kept: request.parts, defects: [], ...changes }
}

const bytesOf = ({ manifest }: Repository): number =>
  BANK_KEYS.reduce((sum, key) => sum + 4 * manifest.banks[key].rows * manifest.banks[key].width, 0)

t.test(
  'parts under a new lamp look normal once they were accepted, in every condition with that sensor',
  async (t) => {
    const shown = drifted(goodParts(8, 300), 2)
    const later = drifted(goodParts(6, 400), 2)
    const { repository, admitted, changes } = await update(asked({ confirmed: accepted(shown) }))
    t.equal(admitted.length, 8)
    t.ok(changes!.rgb.added > 0)
    t.ok(
      changes!.rgb.added > 2 * changes!.xyz.added,
      `${changes!.rgb.added} rows of rgb, ${changes!.xyz.added} of xyz`,
    )
    const normality = async (of: Repository, { features }: TaughtPart) =>
      (await judge(features, of, request)).normality
    for (const part of later) {
      t.ok((await normality(active, part)) < 0.05, 'rejected before')
      t.ok((await normality(repository!, part)) > 0.05, 'passes after')
    }
    const { manifest } = repository!
    t.match(manifest, {
      made: 'updated',
      parent: active.id,
      product: 'widget',
      scales: active.manifest.scales,
    })
    t.same(
      manifest.taught.filter(({ origin }) => origin === 'accepted').map(({ id }) => id),
      shown.map(({ partId }) => partId),
    )
    const defect = partFeatures({ seed: 900, rgbDefect: 9, xyzDefect: 9 })
    t.ok((await judge(defect, repository!, request)).normality < 0.05, 'a defect is still one')
  },
)

t.test('how frames may look stays as it was taught', async (t) => {
  const looks = {
    xyz: { frames: 9, returnsShare: { least: 0.4, most: 0.6 }, distanceMetres: { least: 1, most: 2 } },
  }
  const taught = makeRepository({ ...active, manifest: { ...active.manifest, looks } })
  const confirmed = accepted(drifted(goodParts(4, 300), 2))
  const { repository } = await update(asked({ active: taught, confirmed }))
  t.same(repository!.manifest.looks, looks)
})

t.test('the same update twice is the same repository, and its parent is untouched', async (t) => {
  const before = structuredClone(active)
  const confirmed = accepted(drifted(goodParts(4, 300), 2))
  const [first, second] = [await update(asked({ confirmed })), await update(asked({ confirmed }))]
  t.equal(first.repository!.id, second.repository!.id)
  t.same(active, before)
})

t.test(
  'only patches beyond the covering radius enter, each for a reason, and the byte budget holds',
  async (t) => {
    const confirmed = accepted(drifted(goodParts(10, 300), 4))
    const { repository, changes } = await update(asked({ confirmed }))
    t.ok(bytesOf(repository!) <= request.byteBudget)
    for (const key of BANK_KEYS) {
      const change = changes![key]
      t.equal(change.rowsAfter, change.rowsBefore + change.added - change.left, key)
      t.ok(change.added <= change.rowsBefore * 0.26 + 1, 'no update makes a bank another')
    }
    const covered = await update(asked({ confirmed: accepted(goodParts(3, 1000)), byteBudget: 400_000 }))
    const { rowParts } = covered.repository!
    for (const key of BANK_KEYS) {
      const rows = rowParts[key]
      t.ok(rows.every((part) => part < covered.repository!.manifest.taught.length))
    }
  },
)

t.test('whoever is not good, not whole or not new is refused with the reason', async (t) => {
  const [one, two, three, four] = goodParts(4, 300)
  const { admitted, refused } = await update(
    asked({
      confirmed: [
        { ...one!, origin: undefined },
        { ...two!, origin: 'lot', doubt: 'degraded' },
        { ...three!, origin: 'accepted', doubt: 'frozen' },
        { ...four!, origin: 'accepted' },
        { ...four!, partId: 'again', origin: 'accepted' },
        { ...request.parts[0]!, partId: 'taught before', origin: 'accepted' },
        { partId: 'odd', features: bad(700).features, origin: 'lot' },
      ],
    }),
  )
  t.same(admitted, [four!.partId])
  t.same(
    refused.map(({ partId, reason }) => [partId, reason]),
    [
      [one!.partId, 'unconfirmed'],
      [two!.partId, 'degraded'],
      [three!.partId, 'frozen'],
      ['again', 'duplicate'],
      ['taught before', 'duplicate'],
      ['odd', 'anomalous'],
    ],
  )
})

t.test('nothing admitted makes no repository', async (t) => {
  const { repository } = await update(asked({ confirmed: [{ ...request.parts[0]!, origin: 'lot' }] }))
  t.equal(repository, undefined)
})

t.test(
  'defects that are called good do not get in: the batch is stopped, or the gate stops it',
  async (t) => {
    const golden = Array.from({ length: 6 }, (_, i) => ({
      partId: `bad-${i}`,
      label: 'bad' as const,
      ...bad(500 + i),
    }))
    const poison = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        partId: `poison-${i}`,
        ...bad(600 + i),
        origin: 'accepted' as const,
      }))
    const good = accepted(goodParts(16, 300))
    const known = await update(asked({ confirmed: [...good, ...poison(4)], defects: golden }))
    t.ok(known.isSuspicious)
    t.equal(known.repository, undefined)
    t.same(new Set(known.refused.map(({ reason }) => reason)), new Set(['resembles-defect']))

    // Nobody has shown such a defect as bad: it gets in, and the gate, which knows one, keeps it from the line.
    const unknown = await update(asked({ confirmed: [...good, ...poison(4)] }))
    t.ok(unknown.repository)
    const { passed, checks } = await gate(unknown.repository!, {
      active,
      goldens: golden,
      comparer: request,
      limits: { leastDetection: 0.9, mostFlips: 0 },
    })
    t.notOk(passed)
    t.match(
      checks.filter((check) => !check.passed),
      [
        { name: 'golden-verdicts', detail: /'bad-0' \(bad\) as complete: fail at .* before, pass at .* now/ },
        { name: 'golden-detection', detail: /0 of 6 bad golden parts are found/ },
      ],
    )
  },
)

t.test('a part that should never have been taught is forgotten, and the others fill its place', async (t) => {
  const { repository } = await update(asked({ forget: ['part-3'] }))
  t.notOk(repository!.manifest.taught.some(({ id }) => id === 'part-3'))
  t.equal(repository!.manifest.made, 'compacted')
  t.ok(repository!.manifest.banks.rgb.rows >= active.manifest.banks.rgb.rows * 0.95)
  await t.rejects(update(asked({ forget: ['nobody'] })), { code: 'REPOSITORY_REFUSED', message: /'nobody'/ })
})

t.test('a smaller budget makes a smaller repository that still tells defects', async (t) => {
  const { repository } = await update(asked({ byteBudget: 40_000 }))
  t.ok(bytesOf(repository!) <= 40_000)
  t.ok(repository!.manifest.banks.rgb.coveringRadius > active.manifest.banks.rgb.coveringRadius)
  t.ok((await judge(bad(800).features, repository!, request)).normality < 0.05)
})

t.test('compacting drops rows that others stand for, and then finds nothing more to do', async (t) => {
  const grown = await update(asked({ confirmed: accepted(drifted(goodParts(8, 300), 2)) }))
  const kept = [...request.parts, ...drifted(goodParts(8, 300), 2)]
  const compact = (of: Repository) => update(asked({ active: of, kept }))
  const first = await compact(grown.repository!)
  if (first.repository !== undefined) {
    for (const key of BANK_KEYS) t.ok(first.changes![key].rowsAfter <= first.changes![key].rowsBefore, key)
  }
  const second = await compact(first.repository ?? grown.repository!)
  t.equal(second.repository, undefined)
})

t.test('without kept parts there is nothing to calibrate with', async (t) => {
  await t.rejects(update(asked({ kept: [] })), { code: 'REPOSITORY_REFUSED', message: /0 good parts/ })
})

t.test('an abort ends an update with its reason', async (t) => {
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(update(asked({ confirmed: accepted(goodParts(2, 300)), signal })), { message: 'enough' })
})
