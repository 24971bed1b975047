import t from 'tap'
import { makeBank } from '../../models/bank.ts'
import {
  compare,
  findingOf,
  mixedMap,
  patchRows,
  scoreOf,
  votersOf,
  widened,
} from '../../models/comparison.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import { fuseSideBySide as fuse, partFeatures, RGB_WIDTH, XYZ_WIDTH } from '../support/part-features.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const plain = { mean: 0, std: 1 }
const scales = {
  rgb: { mean: 0.1, std: 2 },
  xyz: plain,
  'fused-complete': plain,
  'fused-rgb-only': { mean: 0, std: 4 },
  'fused-xyz-only': plain,
}
const part = partFeatures({ seed: 1 })

t.test('rows are normalised by the scale of their bank, fused ones by that of their condition', async (t) => {
  const rgb = await patchRows(part, 'rgb', scales, fuse)
  t.ok(Math.abs(rgb.values[5]! - (part.rgb!.values[5]! - 0.1) / 2) < 1e-6)
  const complete = await patchRows(part, 'fused', scales, fuse)
  t.equal(complete.width, RGB_WIDTH + XYZ_WIDTH)
  t.equal(complete.values[5], part.rgb!.values[5])
  const rgbOnly = await patchRows(narrowed(part, 'rgb-only'), 'fused', scales, fuse)
  t.equal(rgbOnly.values[5], (2 * part.rgb!.values[5]!) / 4, 'fused under its own instruction')
  await t.rejects(patchRows(narrowed(part, 'rgb-only'), 'xyz', scales, fuse), { code: 'MODEL_MISMATCH' })
  const short = async () => ({ width: 3, values: new Float32Array(3) })
  await t.rejects(patchRows(part, 'fused', scales, short), { code: 'MODEL_MISMATCH' })
})

t.test('a fused part is searched in the bank of its condition only', async (t) => {
  const asked: string[] = []
  for (const condition of ['complete', 'rgb-only', 'xyz-only'] as const) {
    const seen = narrowed(part, condition)
    const rows = await patchRows(seen, 'fused', scales, fuse)
    const bank = makeBank(rows.width, rows.values)
    const finding = await findingOf(seen, 'fused', {
      bankOf: (key) => {
        asked.push(key)
        return bank
      },
      scales,
      foregroundPrior: new Uint8Array(784).fill(1),
      search,
      fuse,
    })
    t.equal(finding.score, 0, 'against its own rows')
    t.equal(finding.distances.length, 784)
  }
  t.same(asked, ['fused-complete', 'fused-rgb-only', 'fused-xyz-only'])
})

t.test('a part against a bank of its own rows is nowhere odd; what is not finite is refused', async (t) => {
  const rows = await patchRows(part, 'xyz', scales, fuse)
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
    t.equal(votersOf('fused', narrowed(part, 'rgb-only'), prior), prior, 'nothing else tells where it lies')
    t.equal(votersOf('fused', narrowed(part, 'xyz-only'), prior), part.foregroundPatches)
  },
)

t.test('the map is dark where no patch votes, and all vote when none does', async (t) => {
  const rows = await patchRows(part, 'rgb', scales, fuse)
  const bank = makeBank(RGB_WIDTH, new Float32Array(RGB_WIDTH))
  const { distances } = (await compare(rows, bank, search)).neighbours
  const corner = mixedMap([{ distances, voters: part.foregroundPatches }], { weights: [1], threshold: 1 })
  t.equal(corner[0], 0)
  t.ok(corner[112 * 224 + 112]! > 0)
  const nobody = new Uint8Array(784)
  t.ok(mixedMap([{ distances, voters: nobody }], { weights: [1], threshold: 1 })[0]! > 0)
  const scaled = mixedMap([{ distances, voters: part.foregroundPatches }], { weights: [2], threshold: 4 })
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
