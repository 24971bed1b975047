import t from 'tap'
import type { Bank } from '../../models/bank.ts'
import { normalised } from '../../models/feature-scale.ts'
import { buildBanks, type TeachProgress } from '../../models/taught-banks.ts'
import { narrowed, partFeatures } from '../support/part-features.ts'

const parts = [1, 2, 3, 4].map((seed) => partFeatures({ seed }))
const foregroundCount = parts[0]!.foregroundPatches.reduce((sum, flag) => sum + flag, 0)

t.test('foreground enters whole, background by a small share, and only where parts have been', async (t) => {
  const { descriptions, banks, foregroundPrior } = await buildBanks(parts, { byteBudget: 1e7, seed: 1 })
  const { candidates, rows, coveringRadius } = descriptions.rgb
  t.ok(
    candidates >= 4 * foregroundCount && candidates < 4 * foregroundCount * 1.4,
    `${candidates} candidates`,
  )
  t.equal(rows, candidates, 'the budget holds all')
  t.equal(coveringRadius, 0)
  t.equal(banks.rgb.rows, rows)
  t.ok(parts[0]!.foregroundPatches.every((flag, patch) => flag <= foregroundPrior[patch]!))
  t.ok(foregroundPrior.includes(0))
})

t.test('a bank without a part holds none of its patches and as many rows as before', async (t) => {
  const { banks, without, scales } = await buildBanks(parts, { byteBudget: 40_000, seed: 1 })
  const { width, values } = parts[2]!.rgb!
  const keyAt = (rows: Float32Array, row: number): string => rows.slice(row * width, row * width + 3).join()
  const ownPatches = normalised(values, scales.rgb)
  const own = new Set(Array.from({ length: 784 }, (_, patch) => keyAt(ownPatches, patch)))
  const ownRows = ({ rows, values }: Bank): number =>
    Array.from({ length: rows }, (_, row) => keyAt(values, row)).filter((key) => own.has(key)).length
  t.ok(ownRows(banks.rgb) > 0)
  t.equal(ownRows(without.rgb(2)), 0)
  t.equal(without.rgb(2).rows, banks.rgb.rows)
  t.equal(without.fused(0).rows, banks.fused.rows)
  t.equal(without.xyz(0).rows, banks.xyz.rows)
})

t.test('progress is told for each bank, and an abort ends the work', async (t) => {
  const phases: string[] = []
  const options = { byteBudget: 40_000, seed: 1 }
  const onProgress = ({ phase, done, total }: TeachProgress): void =>
    void (done === total && phases.push(phase))
  await buildBanks(parts, { ...options, signal: new AbortController().signal, onProgress })
  t.same(phases, ['choosing rgb patches', 'choosing xyz patches', 'choosing fused patches'])
  await t.rejects(buildBanks(parts, { ...options, signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  })
})

t.test('parts without a foreground enter whole', async (t) => {
  const blind = parts.map((part) => ({ ...part, foregroundPatches: new Uint8Array(784) }))
  const { descriptions } = await buildBanks(blind, { byteBudget: 1e7, seed: 1 })
  t.equal(descriptions.xyz.candidates, 4 * 784)
})

t.test(
  'parts of different widths or without a modality make no bank, nor does a budget without room',
  async (t) => {
    const wide = { ...parts[1]!, xyz: { width: 16, values: new Float32Array(784 * 16) } }
    await t.rejects(buildBanks([parts[0]!, wide], { byteBudget: 1e6, seed: 1 }), { code: 'MODEL_MISMATCH' })
    const blind = narrowed(parts[1]!, 'xyz-only')
    await t.rejects(buildBanks([parts[0]!, blind], { byteBudget: 1e6, seed: 1 }), { code: 'MODEL_MISMATCH' })
    await t.rejects(buildBanks(parts, { byteBudget: 100, seed: 1 }), { code: 'REPOSITORY_REFUSED' })
  },
)
