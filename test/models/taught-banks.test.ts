import t from 'tap'
import { buildBanks } from '../../models/taught-banks.ts'
import { partFeatures } from '../support/part-features.ts'

const parts = [1, 2, 3, 4].map((seed) => partFeatures({ seed }))
const foregroundCount = parts[0]!.foregroundPatches.reduce((sum, flag) => sum + flag, 0)

t.test('foreground enters whole, background by a small share, and only where parts have been', async (t) => {
  const { descriptions, banks, foregroundPrior } = await buildBanks(parts, { byteBudget: 1e7, seed: 1 })
  const { candidates, rows, coveringRadius } = descriptions.rgb
  t.ok(
    candidates >= 4 * foregroundCount && candidates < 4 * foregroundCount * 1.2,
    `${candidates} candidates`,
  )
  t.equal(rows, candidates, 'the budget holds all')
  t.equal(coveringRadius, 0)
  t.equal(banks.rgb.rows, rows)
  t.ok(parts[0]!.foregroundPatches.every((flag, patch) => flag <= foregroundPrior[patch]!))
  t.ok(foregroundPrior.includes(0))
})

t.test('every bank row is a patch of the part that it names', async (t) => {
  const { banks, rowParts, scales } = await buildBanks(parts, { byteBudget: 40_000, seed: 1 })
  for (let row = 0; row < banks.rgb.rows; row += 17) {
    const { width, values } = parts[rowParts.rgb[row]!]!.rgb!
    const first = banks.rgb.values[row * width]! * scales.rgb.std + scales.rgb.mean
    t.ok(values.some((value, i) => i % width === 0 && Math.abs(value - first) < 1e-4))
  }
  t.same([...new Set(rowParts.fused)].sort(), [0, 1, 2, 3])
})

t.test('parts without a foreground enter whole', async (t) => {
  const blind = parts.map((part) => ({ ...part, foregroundPatches: new Uint8Array(784) }))
  const { descriptions } = await buildBanks(blind, { byteBudget: 1e7, seed: 1 })
  t.equal(descriptions.xyz.candidates, 4 * 784)
})

t.test('parts of different widths make no bank, nor does a budget without room', async (t) => {
  const wide = { ...parts[1]!, xyz: { width: 16, values: new Float32Array(784 * 16) } }
  await t.rejects(buildBanks([parts[0]!, wide], { byteBudget: 1e6, seed: 1 }), { code: 'MODEL_MISMATCH' })
  await t.rejects(buildBanks(parts, { byteBudget: 100, seed: 1 }), { code: 'REPOSITORY_REFUSED' })
})
