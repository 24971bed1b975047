import t from 'tap'
import type { Bank } from '../../models/bank.ts'
import { normalised } from '../../models/feature-scale.ts'
import { BANK_KEYS } from '../../models/features.ts'
import { narrowed } from '../../models/narrow.ts'
import { buildBanks, type TeachProgress } from '../../models/taught-banks.ts'
import { fuseSideBySide as fuse, partFeatures } from '../support/part-features.ts'

const parts = [1, 2, 3, 4].map((seed) => partFeatures({ seed }))
const foregroundCount = parts[0]!.foregroundPatches.reduce((sum, flag) => sum + flag, 0)

t.test('foreground enters whole, background by a small share, and only where parts have been', async (t) => {
  const { descriptions, banks, foregroundPrior } = await buildBanks(parts, { byteBudget: 1e7, seed: 1, fuse })
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

t.test('the fused banks hold every part as each condition sees it', async (t) => {
  const { banks, scales, descriptions } = await buildBanks(parts, { byteBudget: 1e7, seed: 1, fuse })
  for (const condition of ['complete', 'rgb-only', 'xyz-only'] as const) {
    const key = `fused-${condition}` as const
    t.equal(descriptions[key].candidates, descriptions.rgb.candidates, 'the same patches')
    const { width, values } = await fuse(narrowed(parts[0]!, condition))
    const patch = parts[0]!.foregroundPatches.indexOf(1)
    const row = normalised(values.subarray(patch * width, (patch + 1) * width), scales[key])
    t.same(banks[key].values.subarray(0, width), row, key)
  }
})

t.test(
  'a part with one modality is in its banks only; without 3D it enters where others have lain',
  async (t) => {
    const some = [
      ...parts.slice(0, 3),
      narrowed(partFeatures({ seed: 8 }), 'rgb-only'),
      narrowed(partFeatures({ seed: 9 }), 'xyz-only'),
    ]
    const options = { byteBudget: 1e7, seed: 1, fuse }
    const { descriptions, foregroundPrior, without, banks } = await buildBanks(some, options)
    const alone = await buildBanks(parts.slice(0, 3), options)
    t.same(foregroundPrior, alone.foregroundPrior, 'it does not tell where parts lie')
    const inPrior = foregroundPrior.reduce((sum, flag) => sum + flag, 0)
    const added = (key: 'rgb' | 'xyz' | 'fused-complete' | 'fused-rgb-only' | 'fused-xyz-only'): number =>
      descriptions[key].candidates - alone.descriptions[key].candidates
    t.equal(added('rgb'), inPrior)
    t.equal(added('fused-rgb-only'), inPrior)
    t.ok(added('xyz') >= foregroundCount && added('xyz') < 1.4 * foregroundCount)
    t.equal(added('fused-xyz-only'), added('xyz'))
    t.equal(added('fused-complete'), 0)
    for (const [part, keys] of [
      [3, ['rgb', 'fused-rgb-only']],
      [4, ['xyz', 'fused-xyz-only']],
    ] as const) {
      for (const key of BANK_KEYS) {
        const gone = banks[key].rows - without[key]([part]).rows
        t.equal(gone, (keys as readonly string[]).includes(key) ? added(key) : 0, `${key} without ${part}`)
      }
    }
  },
)

t.test('a bank without a part holds none of its patches and as many rows as before', async (t) => {
  const { banks, without, scales } = await buildBanks(parts, { byteBudget: 100_000, seed: 1, fuse })
  const { width, values } = parts[2]!.rgb!
  const keyAt = (rows: Float32Array, row: number): string => rows.slice(row * width, row * width + 3).join()
  const ownPatches = normalised(values, scales.rgb)
  const own = new Set(Array.from({ length: 784 }, (_, patch) => keyAt(ownPatches, patch)))
  const ownRows = ({ rows, values }: Bank): number =>
    Array.from({ length: rows }, (_, row) => keyAt(values, row)).filter((key) => own.has(key)).length
  t.ok(ownRows(banks.rgb) > 0)
  t.equal(ownRows(without.rgb([2])), 0)
  t.equal(ownRows(without.rgb([0, 2])), 0, 'nor one without two')
  t.equal(without.rgb([2]).rows, banks.rgb.rows)
  for (const key of BANK_KEYS) t.equal(without[key]([0]).rows, banks[key].rows, key)
})

t.test('progress is told for each bank, and an abort ends the work', async (t) => {
  const phases: string[] = []
  const options = { byteBudget: 100_000, seed: 1, fuse }
  const onProgress = ({ phase, done, total }: TeachProgress): void =>
    void (done === total && phases.push(phase))
  await buildBanks(parts, { ...options, signal: new AbortController().signal, onProgress })
  const fusedPhases = ['complete', 'rgb-only', 'xyz-only'].flatMap((condition) => [
    `fusing ${condition} patches`,
    `choosing fused-${condition} patches`,
  ])
  t.same(phases, ['choosing rgb patches', 'choosing xyz patches', ...fusedPhases])
  await t.rejects(buildBanks(parts, { ...options, signal: AbortSignal.abort(new Error('enough')) }), {
    message: 'enough',
  })
})

t.test('parts without a foreground enter whole', async (t) => {
  const blind = parts.map((part) => ({ ...part, foregroundPatches: new Uint8Array(784) }))
  const { descriptions } = await buildBanks(blind, { byteBudget: 1e7, seed: 1, fuse })
  t.equal(descriptions.xyz.candidates, 4 * 784)
})

t.test(
  'parts of different widths, none with both modalities, or a budget without room make no bank',
  async (t) => {
    const wide = { ...parts[1]!, xyz: { width: 16, values: new Float32Array(784 * 16) } }
    const options = { byteBudget: 1e6, seed: 1, fuse }
    await t.rejects(buildBanks([parts[0]!, wide], options), { code: 'MODEL_MISMATCH' })
    const single = [narrowed(parts[0]!, 'rgb-only'), narrowed(parts[1]!, 'xyz-only')]
    await t.rejects(buildBanks(single, options), { code: 'REPOSITORY_REFUSED' })
    await t.rejects(buildBanks(parts, { ...options, byteBudget: 100 }), { code: 'REPOSITORY_REFUSED' })
  },
)
