import t from 'tap'
import { makeBank } from '../../models/bank.ts'
import { openSearch } from '../../models/nearest.ts'
import { distanceAt } from '../../models/normality.ts'
import { repositoryDiff } from '../../models/repository-diff.ts'
import { makeRepository, type Repository } from '../../models/repository.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const before = await taughtRepository(search)
await search.release()

/** The RGB bank without its first `dropped` rows and with `added` new ones, `twice` of them equal to a row that is there. */
function changed({ dropped, added, twice }: { dropped: number; added: number; twice: number }): Repository {
  const { width, values } = before.banks.rgb
  const kept = values.subarray(dropped * width)
  const fresh = Float32Array.from({ length: added * width }, (_, i) => 100 + i)
  const repeated = Array.from({ length: twice }, () => [...kept.subarray(0, width)]).flat()
  const bank = makeBank(width, Float32Array.from([...fresh, ...kept, ...repeated]))
  const rowParts = { ...before.rowParts, rgb: new Int32Array(bank.rows) }
  const { manifest } = before
  const { complete } = manifest.heads
  const [first, ...others] = manifest.taught
  return makeRepository({
    ...before,
    banks: { ...before.banks, rgb: bank },
    rowParts,
    manifest: {
      ...manifest,
      made: 'updated',
      parent: before.id,
      engine: 'tensorrt/fp16',
      banks: { ...manifest.banks, rgb: { ...manifest.banks.rgb, rows: bank.rows, coveringRadius: 0.25 } },
      taught: [...others, { id: 'new', sha256: 'f'.repeat(64), origin: 'accepted' }],
      heldOut: [...manifest.heldOut, first!],
      heads: { ...manifest.heads, complete: { ...complete, map: { ...complete.map, threshold: 2 } } },
    },
  })
}

t.test('a repository does not differ from itself', async (t) => {
  const diff = repositoryDiff(before, before)
  t.match(diff, { sameScales: true, madeWith: [], taught: { added: [], dropped: [] } })
  t.equal(diff.taught.kept, before.manifest.taught.length)
  for (const [key, bank] of Object.entries(diff.banks)) {
    t.match(bank, { added: 0, dropped: 0, kept: before.banks[key as 'rgb'].rows }, key)
  }
})

t.test('rows are compared by their values, wherever they stand and however often', async (t) => {
  const { rows } = before.banks.rgb
  const { rgb, xyz } = repositoryDiff(before, changed({ dropped: 5, added: 3, twice: 2 })).banks
  t.match(rgb, { kept: rows - 5, added: 5, dropped: 5 })
  t.match(xyz, { added: 0, dropped: 0 })
  t.equal(rgb.coveringRadius.after, 0.25)
})

t.test('parts that came and went, and what else is not the same', async (t) => {
  const { manifest } = before
  const diff = repositoryDiff(before, changed({ dropped: 1, added: 0, twice: 0 }))
  t.match(diff.taught, { kept: 5, added: [{ id: 'new', origin: 'accepted' }], dropped: [{ id: 'part-1' }] })
  t.match(diff.heldOut, { kept: 4, added: [{ id: 'part-1' }], dropped: [] })
  t.same(diff.madeWith, [{ what: 'engine', before: manifest.engine, after: 'tensorrt/fp16' }])
  const { complete } = manifest.heads
  t.same(diff.heads.complete.mapThreshold, { before: complete.map.threshold, after: 2 })
  const limit = distanceAt(complete.normality, manifest.falseRejectRate)
  t.same(diff.heads.complete.distance, { before: limit, after: limit })
})
