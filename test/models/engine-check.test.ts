import t from 'tap'
import { engineShift, withEngine } from '../../models/engine-check.ts'
import type { Features } from '../../models/features.ts'
import { openSearch } from '../../models/nearest.ts'
import { partFeatures } from '../support/part-features.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const repository = await taughtRepository(search)
await search.release()

/** What another engine makes of the same frame: every entry off by a share of itself, or one patch by a lot. */
function moved({ rgb, ...rest }: Features, { share = 0, onePatch = 0 }): Features {
  const values = rgb!.values.map((value, i) => value * (1 + share * (i % 2 === 0 ? 1 : -1)))
  for (let i = 0; i < rgb!.width; i++) values[300 * rgb!.width + i]! += onePatch
  return { ...rest, rgb: { width: rgb!.width, values } }
}

const parts = [1, 2, 3].map((seed) => partFeatures({ seed }))
const shiftOf = (how: Parameters<typeof moved>[1]) =>
  engineShift(
    repository,
    parts.map((before) => ({ before, after: moved(before, how) })),
  )

t.test(
  'the same features have not moved, rounding is small, another precision that bends them is not',
  async (t) => {
    t.match(shiftOf({}), { parts: 3, worst: 0, isSmall: true })
    t.match(shiftOf({ share: 1e-4 }), { isSmall: true })
    t.match(shiftOf({ share: 0.1 }), { isSmall: false })
  },
)

t.test('one patch of one part is enough', async (t) => {
  const shift = shiftOf({ onePatch: 3 })
  t.equal(shift.median, 0)
  t.notOk(shift.isSmall)
  t.notOk(shiftOf({ onePatch: Number.NaN }).isSmall, 'nor is a NaN small')
})

t.test('nothing to compare, or features that do not fit, are no proof', async (t) => {
  t.throws(() => engineShift(repository, []), { code: 'MODEL_MISMATCH' })
  const [before] = parts
  const { rgb, ...without } = before!
  t.throws(() => engineShift(repository, [{ before: before!, after: without }]), { code: 'MODEL_MISMATCH' })
  t.ok(rgb)
})

t.test('a repository under another engine’s name is another repository with the same rows', async (t) => {
  const other = withEngine(repository, 'tensorrt/fp16')
  t.not(other.id, repository.id)
  t.equal(other.manifest.parent, repository.id)
  t.same(other.banks, repository.banks)
})
