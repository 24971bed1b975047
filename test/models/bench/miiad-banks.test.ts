import t from 'tap'
import { buildOtherBank, sideBySide } from '../../../models/bench/miiad-banks.ts'
import { compare, scoreOf, votersOf } from '../../../models/comparison.ts'
import { narrowed } from '../../../models/narrow.ts'
import { openSearch } from '../../../models/nearest.ts'
import { normalised } from '../../../models/feature-scale.ts'
import { buildBanks } from '../../../models/taught-banks.ts'
import { fuseSideBySide, partFeatures, RGB_WIDTH, XYZ_WIDTH } from '../../support/part-features.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const parts = [1, 2, 3, 4].map((seed) => partFeatures({ seed }))
const other = partFeatures({ seed: 9 })

t.test('on the product’s rows it is the product’s bank', async (t) => {
  const own = await buildBanks(parts, { byteBudget: 60_000, seed: 1, fuse: fuseSideBySide })
  const { rows } = own.descriptions.rgb
  const bank = await buildOtherBank({ name: 'rgb', parts, rowsOf: ({ rgb }) => rgb, rows, seed: 1, search })
  const found = await bank.findingOf(other)
  const asked = { width: RGB_WIDTH, values: normalised(other.rgb!.values, own.scales.rgb) }
  const comparison = await compare(asked, own.banks.rgb, search)
  const voters = votersOf('rgb', other, own.foregroundPrior)
  t.same(found.distances, comparison.neighbours.distances)
  t.equal(found.score, await scoreOf(comparison, voters, search))
})

t.test('a part that is left out is not near its own rows', async (t) => {
  const rows = 100_000
  const bank = await buildOtherBank({ name: 'xyz', parts, rowsOf: ({ xyz }) => xyz, rows, seed: 1, search })
  const inside = [...parts[2]!.foregroundPatches.keys()].filter(
    (patch) => parts[2]!.foregroundPatches[patch] === 1,
  )
  const own = await bank.findingOf(parts[2]!)
  const without = await bank.findingOf(parts[2]!, 2)
  t.ok(inside.every((patch) => own.distances[patch]! < 1e-3))
  t.ok(inside.every((patch) => without.distances[patch]! > 0.01))
})

t.test(
  'parts that give no rows are passed over; when none gives any, or one is asked without, that is said',
  async (t) => {
    const some = [narrowed(parts[0]!, 'rgb-only'), parts[1]!, parts[2]!]
    const request = { name: 'xyz', parts: some, rows: 500, seed: 1, search } as const
    const bank = await buildOtherBank({ ...request, rowsOf: ({ xyz }) => xyz })
    t.ok((await bank.findingOf(other)).score > 0)
    await t.rejects(bank.findingOf(some[0]!), /a rgb-only part has no rows for the xyz bank/)
    await t.rejects(buildOtherBank({ ...request, rowsOf: () => undefined }), /no part gives rows/)
  },
)

t.test('side by side both encoders weigh the same, however wide they are', async (t) => {
  const of = (width: number, value: number) => ({ width, values: new Float32Array(784 * width).fill(value) })
  const scales = { rgb: { mean: 1, std: 2 }, xyz: { mean: 0, std: 1 } }
  const { width, values } = sideBySide(of(RGB_WIDTH, 3), of(XYZ_WIDTH, 1), scales)
  t.equal(width, RGB_WIDTH + XYZ_WIDTH)
  const row = values.subarray(0, width)
  const sum = (part: Float32Array) => part.reduce((total, value) => total + value ** 2, 0)
  t.ok(Math.abs(sum(row.subarray(0, RGB_WIDTH)) - sum(row.subarray(RGB_WIDTH))) < 1e-5)
  t.ok(Math.abs(sum(row) - width) < 1e-4, 'an entry has unit variance')
})
