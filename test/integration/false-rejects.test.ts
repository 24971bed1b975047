/** The promise: in every condition, the promised share of good parts fails, and no more. On the shipped bundle. */
import t from 'tap'
import {
  conditionOf,
  DECIDABLE_CONDITIONS,
  type DecidableCondition,
  type Sample,
} from '../../drivers/sample.ts'
import { renderPart } from '../../drivers/synthetic/render.ts'
import { inEveryCondition } from '../../models/bench/bench-parts.ts'
import { openBundle } from '../../models/bundle.ts'
import type { Features } from '../../models/features.ts'
import { fuseWith } from '../../models/fusion.ts'
import { judge } from '../../models/judge.ts'
import { openSearch } from '../../models/nearest.ts'
import { teach } from '../../models/teach.ts'
import { bundleFolder } from '../../runtime/bundle-folder.ts'

const PROMISED = 0.1
const TAUGHT = 40
const JUDGED = 80
const SIDE = 160
const SEED = 1

/** Good parts only; no two alike. */
function goodPart(number: number): Sample {
  const { rgb, pointsMetres } = renderPart({
    category: 'gear',
    width: SIDE,
    height: SIDE,
    seed: 5000 + number,
  })
  const header = { sequence: number, exposedAtMs: 0, width: SIDE, height: SIDE }
  const frames: Sample['frames'] = {
    rgb: { modality: 'rgb', sensor: 'camera', pixels: rgb, ...header },
    xyz: { modality: 'xyz', sensor: 'scanner', pointsMetres, ...header },
  }
  const trigger = { id: `part-${number}`, atMs: 0, source: 'bench' } as const
  return { trigger, frames, absent: {}, condition: conditionOf(frames) }
}

t.test(
  'the share of good parts that fail is the promised one, with both sensors and with either alone',
  async (t) => {
    const bundle = await openBundle(bundleFolder('radar-lite'), { threads: 1 })
    const search = await openSearch({ threads: 1 })
    const fuse = fuseWith(bundle)
    t.teardown(async () => {
      await search.release()
      await bundle.release()
    })
    const featuresOf = async (number: number): Promise<Map<DecidableCondition, Features>> => {
      const extracted = await inEveryCondition(goodPart(number), { bundle, seed: SEED })
      return new Map(
        extracted.map(({ condition, features, why }) => {
          if (features === undefined) throw new Error(`part ${number} cannot be ${condition}: ${why}`)
          return [condition, features]
        }),
      )
    }
    const parts = []
    for (let number = 0; number < TAUGHT; number++) {
      parts.push({ partId: `part-${number}`, features: (await featuresOf(number)).get('complete')! })
    }
    const repository = await teach({
      product: 'gear',
      bundle,
      parts,
      heldOut: [],
      search,
      fuse,
      byteBudget: 2 ** 20,
      falseRejectRate: PROMISED,
      seed: SEED,
    })

    const rejected = { complete: 0, 'rgb-only': 0, 'xyz-only': 0 }
    for (let number = TAUGHT; number < TAUGHT + JUDGED; number++) {
      for (const [condition, features] of await featuresOf(number)) {
        const { normality, threshold } = await judge(features, repository, { search, fuse })
        t.equal(threshold, PROMISED)
        if (normality < threshold) rejected[condition]++
      }
    }
    const { least, most } = expectedRejects()
    t.comment(JSON.stringify({ ...rejected, of: JUDGED, promised: PROMISED, least, most }))
    t.ok(rejected.complete + rejected['rgb-only'] + rejected['xyz-only'] > 0, 'not by passing everything')
    for (const condition of DECIDABLE_CONDITIONS) {
      const count = rejected[condition]
      t.ok(least <= count && count <= most, `${condition}: ${count} rejected, expected ${least} to ${most}`)
    }
  },
)

t.test('the interval that this test trusts is that of the beta-binomial distribution', async (t) => {
  // Beta(1, 1) is flat: every count is equally likely (a textbook case).
  for (const count of [0, 3, 10]) t.ok(Math.abs(betaBinomial(count, 10, [1, 1]) - 1 / 11) < 1e-12)
  const shape = [4, 37] as const
  const counts = Array.from({ length: JUDGED + 1 }, (_, count) => count)
  const mean = counts.reduce((sum, count) => sum + count * betaBinomial(count, JUDGED, shape), 0)
  t.ok(Math.abs(mean - (JUDGED * 4) / 41) < 1e-9)
})

/**
 * How many of the judged parts may fail. The threshold lies between the k-th and the (k+1)-th largest of the n calibration
 * distances, k = floor((n + 1) x promise). The share of good parts beyond the k-th largest of n exchangeable ones is itself
 * random, Beta(k, n + 1 - k): that is the calibration's own uncertainty. The number rejected is therefore
 * BetaBinomial(judged; k, n + 1 - k), which is wider than the binomial of the promise. The lower end is taken for k and the
 * upper end for k + 1; 95 % for the three conditions together (Bonferroni). Leave-one-part-out errs to the safe side: each
 * calibration distance is measured against banks with one part less than a new part's is.
 */
function expectedRejects(): { least: number; most: number } {
  const k = Math.floor((TAUGHT + 1) * PROMISED)
  const tail = 0.05 / DECIDABLE_CONDITIONS.length / 2
  const quantile = (share: number, rank: number): number => {
    let below = 0
    for (let count = 0; count <= JUDGED; count++) {
      below += betaBinomial(count, JUDGED, [rank, TAUGHT + 1 - rank])
      if (below >= share) return count
    }
    return JUDGED
  }
  return { least: quantile(tail, k), most: quantile(1 - tail, k + 1) }
}

/** P(count of `trials`), by the ratio of neighbouring terms. */
function betaBinomial(count: number, trials: number, [a, b]: readonly [number, number]): number {
  let term = 1
  for (let i = 0; i < trials; i++) term *= (b + i) / (a + b + i)
  for (let i = 0; i < count; i++) term *= ((trials - i) * (a + i)) / ((i + 1) * (trials - i - 1 + b))
  return term
}
