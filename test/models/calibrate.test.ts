import t from 'tap'
import { calibrate, type CalibrationPart } from '../../models/calibrate.ts'
import { compare, patchRows, scoreOf } from '../../models/comparison.ts'
import { mahalanobis } from '../../models/mahalanobis.ts'
import { openSearch } from '../../models/nearest.ts'
import { buildBanks } from '../../models/taught-banks.ts'
import { partFeatures, type PartOptions } from '../support/part-features.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

type Look = Omit<PartOptions, 'seed'>

/** Banks of 10 parts of a product, and a way to put more parts beside them. */
async function product(look: Look) {
  const taught = Array.from({ length: 10 }, (_, i) => partFeatures({ ...look, seed: i + 1 }))
  const { banks, scales, foregroundPrior } = await buildBanks(taught, { byteBudget: 60_000, seed: 1 })
  const beside = async (count: number, options: Look & { firstSeed: number }): Promise<CalibrationPart[]> => {
    const parts: CalibrationPart[] = []
    for (let i = 0; i < count; i++) {
      const features = partFeatures({ ...look, ...options, seed: options.firstSeed + i })
      const compareWith = (name: 'rgb' | 'xyz' | 'fused') =>
        compare(patchRows(features, name, scales), banks[name], search)
      const comparisons = {
        rgb: await compareWith('rgb'),
        xyz: await compareWith('xyz'),
        fused: await compareWith('fused'),
      }
      parts.push({ features, comparisons })
    }
    return parts
  }
  return { beside, foregroundPrior }
}

const options = { source: 'held-out', falseRejectRate: 0.1, seed: 1, search } as const

t.test(
  'a head describes its calibration parts: banks, weights, and the predicted false rejects',
  async (t) => {
    const { beside, foregroundPrior } = await product({})
    const parts = await beside(30, { firstSeed: 101 })
    for (const [condition, banks] of [
      ['complete', ['rgb', 'xyz', 'fused']],
      ['rgb-only', ['rgb']],
      ['xyz-only', ['xyz']],
    ] as const) {
      const head = await calibrate(parts, { ...options, condition, foregroundPrior })
      t.same(head.banks, banks)
      t.equal(head.map.weights.length, banks.length)
      t.ok(head.map.weights.every((weight) => weight > 0) && head.map.threshold > 0)
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
      const { beside, foregroundPrior } = await product(look)
      const normals = await beside(20, { firstSeed: 101 })
      const good = await beside(30, { firstSeed: 1001 })
      const bad = await beside(30, { ...defect, firstSeed: 2001 })
      const separation = async (condition: 'complete' | 'rgb-only'): Promise<number> => {
        const { mahalanobis: head, banks } = await calibrate(normals, {
          ...options,
          condition,
          foregroundPrior,
        })
        const distances = (parts: CalibrationPart[]): Promise<number[]> =>
          Promise.all(
            parts.map(async ({ features, comparisons }) => {
              const scores: number[] = []
              for (const name of banks)
                scores.push(await scoreOf(comparisons[name], features.foregroundPatches, search))
              return mahalanobis(head, scores)
            }),
          )
        return auroc(await distances(good), await distances(bad))
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

t.test('parts in which no patch votes still make a head', async (t) => {
  const { beside, foregroundPrior } = await product({})
  const blind = (await beside(4, { firstSeed: 101 })).map(({ features, comparisons }) => ({
    features: { ...features, foregroundPatches: new Uint8Array(784) },
    comparisons,
  }))
  const head = await calibrate(blind, { ...options, condition: 'complete', foregroundPrior })
  t.ok(head.map.threshold > 0 && head.map.weights.every(Number.isFinite))
})
