import t from 'tap'
import { defectBanks, type KnownDefect } from '../../models/admission.ts'
import { BANK_KEYS, type BankKey, type Features } from '../../models/features.ts'
import { makeBank, type Bank } from '../../models/bank.ts'
import type { Fuse, PatchRows } from '../../models/fusion.ts'
import { openSearch } from '../../models/nearest.ts'
import { reviseBanks, type Member, type ReviseBanksOptions } from '../../models/revised-banks.ts'
import type { Repository } from '../../models/repository.ts'
import { seededRandom } from '../../models/random.ts'
import { teachLesson, type TaughtPart } from '../../models/teach.ts'
import { partFeatures } from '../support/part-features.ts'
import { goodParts, taughtRepository, teachRequest } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const taught = goodParts(8, 1)
const { fuse, byteBudget } = await teachRequest(search)
const active = await taughtRepository(search, { parts: taught, heldOut: [] })

const member = ({ features }: TaughtPart, changes: Partial<Member> = {}): Member => ({
  features,
  isNew: false,
  isForgotten: false,
  ...changes,
})
const old = taught.map((part) => member(part))
const fresh = (parts: readonly TaughtPart[]) => parts.map((part) => member(part, { isNew: true }))

/** Good parts under another lamp. */
const drifted = (count: number, firstSeed: number, shift = 1): TaughtPart[] =>
  goodParts(count, firstSeed).map(({ partId, features }) => ({
    partId,
    features: { ...features, rgb: shifted(features, shift) },
  }))

const shifted = ({ rgb }: Features, shift: number) => ({
  ...rgb!,
  values: rgb!.values.map((value) => value + shift),
})

/** Every row beside fixed mixes of its own entries. */
function widenedRows({ values, width }: PatchRows, wanted: number): PatchRows {
  const random = seededRandom(5)
  const mixes = Float32Array.from({ length: width * wanted }, () => random() - 0.5)
  const rows = values.length / width
  const wide = Float32Array.from({ length: rows * wanted }, (_, at) => {
    const row = Math.floor(at / wanted)
    const entry = at % wanted
    if (entry < width) return values[row * width + entry]!
    let sum = 0
    for (let i = 0; i < width; i++) sum += mixes[entry * width + i]! * values[row * width + i]!
    return sum
  })
  return { width: wanted, values: wide }
}

const revise = (members: readonly Member[], changes: Partial<ReviseBanksOptions> = {}) =>
  reviseBanks(active, members, { search, fuse, byteBudget, seed: 1, defects: {}, ...changes })

const bytesOf = (banks: Repository['banks']): number =>
  BANK_KEYS.reduce((sum, key) => sum + banks[key].values.byteLength, 0)

const rowsIn = ({ values, width }: Bank): string[] =>
  Array.from({ length: values.length / width }, (_, row) =>
    values.subarray(row * width, (row + 1) * width).join(),
  )

/** Per row, the distance to the nearest one of the bank. */
async function distancesTo(bank: Bank, { values, width }: Bank): Promise<Float32Array> {
  return (await search.nearest({ queries: values, width, bank, k: 1 })).distances
}

t.test('parts that are covered already change no bank', async (t) => {
  const revised = await revise(old)
  for (const key of BANK_KEYS) {
    t.strictSame(revised.banks[key].values, active.banks[key].values, key)
    t.strictSame(revised.rowParts[key], active.rowParts[key])
    t.match(revised.changes[key], { added: 0, left: 0, barred: 0 })
    t.equal(revised.changes[key].radiusAfter, active.manifest.banks[key].coveringRadius)
  }
})

t.test('an unchanged bank without some members is what teaching has without them', async (t) => {
  // So wide that the coreset is chosen in a projection, in which other rows are nearest.
  const wide: Fuse = async (features) => widenedRows(await fuse(features), 96)
  const asked = await teachRequest(search, { parts: taught, heldOut: [], fuse: wide, byteBudget: 400_000 })
  const lesson = await teachLesson(asked)
  const members = lesson.parts.map((part) => member(part))
  const revised = await reviseBanks(lesson.repository, members, { ...asked, defects: {} })
  for (const key of BANK_KEYS) {
    for (const left of [[0], [2, 5]]) {
      t.same(
        rowsIn(revised.without[key](left)).sort(),
        rowsIn(lesson.built.without[key](left)).sort(),
        `${key} without ${left.join(' and ')}`,
      )
    }
  }
})

t.test('scales stay, so that a distance means what it meant', async (t) => {
  const revised = await revise([...old, ...fresh(drifted(4, 300, 3))])
  t.strictSame(revised.scales, active.manifest.scales)
  t.ok(revised.changes.rgb.added > 0)
})

t.test('only new parts give rows, each of which lay beyond the covering radius', async (t) => {
  const members = [...old, ...fresh(drifted(3, 300))]
  const revised = await revise(members, { byteBudget: 2 * byteBudget })
  for (const key of BANK_KEYS) {
    const { coveringRadius } = active.manifest.banks[key]
    const known = new Set(rowsIn(active.banks[key]))
    const rows = rowsIn(revised.banks[key])
    const added = [...rows.keys()].filter((row) => !known.has(rows[row]!))
    t.equal(added.length, revised.changes[key].added, key)
    t.equal(rows.length - added.length, active.banks[key].rows, 'with room for all none leaves')
    const distances = await distancesTo(active.banks[key], revised.banks[key])
    t.ok(added.every((row) => distances[row]! > coveringRadius))
    t.ok(added.every((row) => revised.rowParts[key][row]! >= old.length))
  }
})

t.test('a part whose features were not kept keeps its rows', async (t) => {
  const members = old.map((part, i) => (i < 4 ? { ...part, features: undefined } : part))
  const revised = await revise(members)
  for (const key of BANK_KEYS) t.strictSame(revised.banks[key].values, active.banks[key].values, key)
})

t.test('the byte budget holds, and no update makes a bank another', async (t) => {
  const members = [...old, ...fresh(drifted(12, 300, 4))]
  const revised = await revise(members)
  t.ok(bytesOf(revised.banks) <= byteBudget)
  for (const key of BANK_KEYS) {
    const { rowsBefore, rowsAfter, added, left } = revised.changes[key]
    t.equal(rowsAfter, rowsBefore + added - left, key)
    t.equal(rowsAfter, revised.banks[key].rows)
    t.equal(revised.descriptions[key].rows, rowsAfter)
    // The bank was full: so many rows are what the budget has room for.
    t.ok(added <= 0.25 * rowsBefore + 1, `${key}: ${added} of ${rowsBefore}`)
  }
  t.ok(revised.changes.rgb.added >= 0.2 * revised.changes.rgb.rowsBefore, 'there was more to add')
  const small = await revise(old, { byteBudget: byteBudget / 1.3 })
  t.ok(bytesOf(small.banks) <= byteBudget / 1.3)
  for (const key of BANK_KEYS) t.ok(small.changes[key].radiusAfter > small.changes[key].radiusBefore, key)
  await t.rejects(revise(old, { byteBudget: 100 }), { code: 'REPOSITORY_REFUSED' })
})

t.test(
  'what is nearer to a known defect than to anything good never enters, and fills no hole',
  async (t) => {
    const bad: KnownDefect[] = [500, 501, 502].map((seed) => ({
      features: partFeatures({ seed, rgbDefect: 12, xyzDefect: 12 }),
    }))
    const defects = await defectBanks(bad, active, { search, fuse })
    const poison = [600, 601, 602].map((seed) => ({
      partId: `poison-${seed}`,
      features: partFeatures({ seed, rgbDefect: 12, xyzDefect: 12 }),
    }))
    const members = [...old, ...fresh(poison)]
    const roomy = { byteBudget: 2 * byteBudget }
    const open = await revise(members, roomy)
    const guarded = await revise(members, { ...roomy, defects })
    /** Rows of the bank that no good row covers and that lie nearer to a defect. */
    const badIn = async (bank: Bank, key: BankKey): Promise<number> => {
      const toGood = await distancesTo(active.banks[key], bank)
      const toDefect = await distancesTo(defects[key]!, bank)
      const { coveringRadius } = active.manifest.banks[key]
      return toGood.reduce(
        (count, distance, row) => count + (distance > coveringRadius && toDefect[row]! < distance ? 1 : 0),
        0,
      )
    }
    for (const key of BANK_KEYS) {
      t.ok((await badIn(open.banks[key], key)) > 0, `${key}: unguarded they enter`)
      t.ok(guarded.changes[key].barred > 0)
      t.equal(await badIn(guarded.banks[key], key), 0, `${key}: none enters`)
      // Without the first old parts there are holes to fill, and patches of the poison to fill them with.
      t.equal(await badIn(guarded.without[key]([0, 1, 2]), key), 0, `${key}: none fills a hole`)
    }
  },
)

t.test('where parts have lain is only ever added to', async (t) => {
  const aside = partFeatures({ seed: 300 })
  const corner = aside.foregroundPatches.map((_, patch) => (patch < 28 ? 1 : 0))
  const part = { partId: 'aside', features: { ...aside, foregroundPatches: corner } }
  const { foregroundPrior } = await revise([...old, ...fresh([part])])
  t.ok(active.foregroundPrior.every((was, patch) => was <= foregroundPrior[patch]!))
  t.equal(active.foregroundPrior[3], 0)
  t.equal(foregroundPrior[3], 1)
  // Where only such parts are left to look at, what lay elsewhere is remembered all the same.
  const forgetful = await revise([...old.map((one) => ({ ...one, features: undefined })), ...fresh([part])])
  t.strictSame(forgetful.foregroundPrior, foregroundPrior)
})

t.test('rows of forgotten parts leave, and patches of the others take their place', async (t) => {
  const members = old.map((part, i) => ({ ...part, isForgotten: i === 2 }))
  const revised = await revise(members)
  for (const key of BANK_KEYS) {
    t.notOk(revised.rowParts[key].includes(2), key)
    const gone = active.rowParts[key].filter((part) => part === 2).length
    t.ok(gone > 0)
    t.ok(revised.changes[key].added <= gone + 0.25 * revised.changes[key].rowsBefore)
    t.ok(revised.changes[key].left >= gone)
  }
  await t.rejects(revise(old.map((part) => ({ ...part, isForgotten: true }))), {
    code: 'REPOSITORY_REFUSED',
    message: /all \d+ rows of bank 'rgb' would be forgotten/,
  })
})

t.test('a bank without some members holds nothing of them', async (t) => {
  const members = [...old, ...fresh(drifted(2, 300))]
  const revised = await revise(members)
  for (const key of BANK_KEYS) {
    const without = revised.without[key]([0, 9])
    const own = new Set(
      rowsIn(revised.banks[key]).filter((_, row) => [0, 9].includes(revised.rowParts[key][row]!)),
    )
    t.ok(own.size > 0, key)
    t.notOk(rowsIn(without).some((row) => own.has(row)))
    t.ok(without.rows >= 0.9 * revised.banks[key].rows, 'others fill the holes')
  }
})

t.test('compacting drops what others stand for, and rows stay as far apart as they must', async (t) => {
  const { rgb } = active.banks
  // Every row twice, a hair apart.
  const doubled = new Float32Array(2 * rgb.values.length)
  doubled.set(rgb.values)
  doubled.set(
    rgb.values.map((value) => value + 1e-4),
    rgb.values.length,
  )
  const fat: Repository = {
    ...active,
    banks: { ...active.banks, rgb: makeBank(rgb.width, doubled) },
    rowParts: { ...active.rowParts, rgb: Int32Array.from([...active.rowParts.rgb, ...active.rowParts.rgb]) },
  }
  const options = { search, fuse, byteBudget: 4 * byteBudget, seed: 1, defects: {} }
  const before = await reviseBanks(fat, old, options)
  t.equal(before.banks.rgb.rows, 2 * rgb.rows, 'an update drops none of them')
  const after = await reviseBanks(fat, old, { ...options, compacts: true })
  t.ok(after.banks.rgb.rows <= rgb.rows)
  t.ok(after.banks.rgb.rows >= 0.8 * rgb.rows)
  t.equal(after.changes.rgb.radiusAfter, active.manifest.banks.rgb.coveringRadius)
})

t.test('the same members make the same banks; an abort ends it with its reason', async (t) => {
  const members = [...old, ...fresh(drifted(3, 300))]
  const [first, second] = [await revise(members), await revise(members)]
  t.strictSame(first.banks, second.banks)
  t.strictSame(first.rowParts, second.rowParts)
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(revise(members, { signal }), { message: 'enough' })
})
