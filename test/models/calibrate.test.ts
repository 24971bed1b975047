import t from 'tap'
import type { DecidableCondition } from '../../drivers/sample.ts'
import { ALLOWANCES, calibrate, type CalibrationPart } from '../../models/calibrate.ts'
import { BANKS_OF, findingOf, type Finding } from '../../models/comparison.ts'
import type { BankKey } from '../../models/features.ts'
import { mahalanobis } from '../../models/mahalanobis.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import { buildBanks } from '../../models/taught-banks.ts'
import { fuseSideBySide as fuse, partFeatures, type PartOptions } from '../support/part-features.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

type Look = Omit<PartOptions, 'seed'>

/** Banks of 10 parts of a product, and a way to put more parts beside them. */
async function product(look: Look) {
  const taught = Array.from({ length: 10 }, (_, i) => partFeatures({ ...look, seed: i + 1 }))
  const built = await buildBanks(taught, { byteBudget: 150_000, seed: 1, fuse })
  const context = { ...built, bankOf: (key: BankKey) => built.banks[key], search, fuse }
  return async (
    count: number,
    { condition, firstSeed, ...options }: Look & { condition: DecidableCondition; firstSeed: number },
  ): Promise<CalibrationPart[]> => {
    const parts: CalibrationPart[] = []
    for (let i = 0; i < count; i++) {
      const seen = narrowed(partFeatures({ ...look, ...options, seed: firstSeed + i }), condition)
      const findings: Finding[] = []
      for (const name of BANKS_OF[condition]) findings.push(await findingOf(seen, name, context))
      parts.push(findings)
    }
    return parts
  }
}

const options = { source: 'held-out', falseRejectRate: 0.1, seed: 1 } as const

t.test(
  'a head describes its calibration parts: banks, weights, and the predicted false rejects',
  async (t) => {
    const beside = await product({})
    for (const [condition, banks] of [
      ['complete', ['rgb', 'xyz', 'fused']],
      ['rgb-only', ['rgb', 'fused']],
      ['xyz-only', ['xyz', 'fused']],
    ] as const) {
      const parts = await beside(30, { condition, firstSeed: 101 })
      const head = calibrate(parts, { ...options, condition })
      t.same(head.banks, banks)
      t.equal(head.map.weights.length, banks.length)
      const drawing = head.map.weights.slice(0, -1)
      t.ok(drawing.every((weight) => weight > 0) && head.map.threshold > 0)
      t.equal(head.map.weights.at(-1), 0, 'the fused bank leaves the map to the others')
      const { rate, lower, upper, parts: rejected } = head.calibration.predictedFalseRejects
      t.equal(rate, rejected / 30)
      t.ok(
        lower <= options.falseRejectRate && options.falseRejectRate <= upper,
        `${condition}: promised within ${lower}..${upper}`,
      )
    }
  },
)

t.test(
  'a 3D that is nothing but noise costs a complete part little; one that sees the defect finds it',
  async (t) => {
    const auroc = (good: number[], bad: number[]): number =>
      good.reduce((sum, g) => sum + bad.filter((b) => b > g).length, 0) / good.length / bad.length
    const measure = async (look: Look, defect: Look) => {
      const beside = await product(look)
      const separation = async (condition: 'complete' | 'rgb-only'): Promise<number> => {
        const normals = await beside(20, { condition, firstSeed: 101 })
        const { mahalanobis: head } = calibrate(normals, { ...options, condition })
        const distances = (parts: CalibrationPart[]): number[] =>
          parts.map((findings) =>
            mahalanobis(
              head,
              findings.map(({ score }) => score),
            ),
          )
        return auroc(
          distances(await beside(30, { condition, firstSeed: 1001 })),
          distances(await beside(30, { condition, ...defect, firstSeed: 2001 })),
        )
      }
      return { complete: await separation('complete'), rgbOnly: await separation('rgb-only') }
    }
    const noise = await measure({ xyzIsNoise: true }, { rgbDefect: 2.2 })
    t.ok(noise.complete >= noise.rgbOnly - 0.02, `complete ${noise.complete}, rgb ${noise.rgbOnly}`)
    const shape = await measure({}, { xyzDefect: 4 })
    t.ok(
      shape.complete >= 0.9 && shape.complete > shape.rgbOnly + 0.3,
      `complete ${shape.complete}, rgb ${shape.rgbOnly}`,
    )
  },
)

t.test('as in the paper, the fused bank can draw the map, too', async (t) => {
  const parts = await (await product({}))(6, { condition: 'xyz-only', firstSeed: 101 })
  const { map } = calibrate(parts, { ...options, condition: 'xyz-only', mapBanks: 'all' })
  t.ok(map.weights.every((weight) => weight > 0))
})

t.test('parts in which no patch votes still make a head', async (t) => {
  const beside = await product({})
  const blind = (await beside(4, { condition: 'complete', firstSeed: 101 })).map((findings) =>
    findings.map((finding) => ({ ...finding, voters: new Uint8Array(784) })),
  )
  const head = calibrate(blind, { ...options, condition: 'complete' })
  t.ok(head.map.threshold > 0 && head.map.weights.every(Number.isFinite))
})

t.test(
  'a bank beside the main one must be plainly odd to be heard, the textbook’s distance hears every one',
  async (t) => {
    const beside = await product({})
    for (const condition of ['complete', 'rgb-only', 'xyz-only'] as const) {
      t.same(Object.keys(ALLOWANCES[condition]), BANKS_OF[condition], 'one for each bank')
      const parts = await beside(20, { condition, firstSeed: 101 })
      const excess = (mode: 'one-sided' | 'two-sided'): number[] => {
        const { origin, covariance } = calibrate(parts, { ...options, condition, mode }).mahalanobis
        return origin.map((value, bank) => {
          const mean = parts.reduce((sum, findings) => sum + findings[bank]!.score, 0) / parts.length
          return Math.round((1e6 * (value - mean)) / Math.sqrt(covariance[bank]![bank]!)) / 1e6
        })
      }
      t.same(excess('one-sided'), Object.values(ALLOWANCES[condition]))
      t.same(
        excess('two-sided').map((value) => value + 0),
        BANKS_OF[condition].map(() => 0),
      )
      t.equal(
        calibrate(parts, { ...options, condition }).mahalanobis.mode,
        'one-sided',
        'unless told otherwise',
      )
    }
  },
)
