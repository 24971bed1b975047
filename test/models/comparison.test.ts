import t from 'tap'
import { makeBank } from '../../models/bank.ts'
import { compare, mixedMap, patchRows, scoreOf, votersOf, widened } from '../../models/comparison.ts'
import { openSearch } from '../../models/nearest.ts'
import { narrowed, partFeatures, RGB_WIDTH, XYZ_WIDTH } from '../support/part-features.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const scales = { rgb: { mean: 0.1, std: 2 }, xyz: { mean: 0, std: 1 } }
const part = partFeatures({ seed: 1 })

t.test('rows are normalised per modality, fused ones hold both', async (t) => {
  const rgb = patchRows(part, 'rgb', scales)
  t.ok(Math.abs(rgb.values[5]! - (part.rgb!.values[5]! - 0.1) / 2) < 1e-6)
  t.equal(patchRows(part, 'fused', scales).width, RGB_WIDTH + XYZ_WIDTH)
  t.throws(() => patchRows(narrowed(part, 'rgb-only'), 'xyz', scales), { code: 'MODEL_MISMATCH' })
})

t.test('a part against a bank of its own rows is nowhere odd; what is not finite is refused', async (t) => {
  const rows = patchRows(part, 'xyz', scales)
  const bank = makeBank(XYZ_WIDTH, rows.values)
  const comparison = await compare(rows, bank, search)
  t.equal(Math.max(...comparison.neighbours.distances), 0)
  t.equal(await scoreOf(comparison, part.foregroundPatches, search), 0)
  for (const poison of [NaN, Infinity, 3e38]) {
    const values = rows.values.slice()
    values.fill(poison, 96, 104)
    await t.rejects(compare({ ...rows, values }, bank, search), { code: 'NOT_FINITE' }, String(poison))
  }
})

t.test(
  'in colour the prior votes, so that a part without returns is still looked at; in 3D the part itself',
  async (t) => {
    const prior = new Uint8Array(784).fill(1)
    t.equal(votersOf('rgb', part, prior), prior)
    t.equal(votersOf('xyz', part, prior), part.foregroundPatches)
    t.equal(votersOf('fused', part, prior), part.foregroundPatches)
  },
)

t.test('the map is dark where no patch votes, and all vote when none does', async (t) => {
  const rows = patchRows(part, 'rgb', scales)
  const bank = makeBank(RGB_WIDTH, new Float32Array(RGB_WIDTH))
  const comparisons = [await compare(rows, bank, search)]
  const corner = mixedMap(comparisons, { weights: [1], threshold: 1 }, [part.foregroundPatches])
  t.equal(corner[0], 0)
  t.ok(corner[112 * 224 + 112]! > 0)
  t.ok(mixedMap(comparisons, { weights: [1], threshold: 1 }, [new Uint8Array(784)])[0]! > 0)
  const scaled = mixedMap(comparisons, { weights: [2], threshold: 4 }, [part.foregroundPatches])
  t.ok(Math.abs(scaled[112 * 224 + 112]! - corner[112 * 224 + 112]! / 2) < 1e-5)
})

t.test('widening adds the 8 neighbours and stops at the border', async (t) => {
  const marked = (...patches: number[]): Uint8Array =>
    Uint8Array.from({ length: 784 }, (_, i) => (patches.includes(i) ? 1 : 0))
  t.same(widened(marked(0)), marked(0, 1, 28, 29))
  t.equal(
    widened(marked(5 * 28 + 5)).reduce((sum, flag) => sum + flag, 0),
    9,
  )
  t.same(widened(marked(783)), marked(783, 782, 755, 754))
})
