/** From a method's answers on the test parts of one class and split to a cell's figures (numerics 6). */
import { modalitiesOf, type DecidableCondition } from '../../drivers/sample.ts'
import { INPUT_SIZE } from '../features.ts'
import { auroc, aupro, bootstrapInterval, pixelAuroc, type DefectMask } from '../metrics.ts'
import type { Decisions, MiiadCell, MiiadFigures, Population } from './miiad-report.ts'

/** What a method said of one test part. */
export interface Answer {
  readonly condition: DecidableCondition
  readonly isDefective: boolean
  /** Higher is odder, on one scale for the parts of all conditions. */
  readonly score: number
  /** 224 x 224, on one scale for all parts. */
  readonly map: Float32Array
  /** Undefined for a good part, and for a defective one whose mask is not known. */
  readonly mask: DefectMask
  /** Of a method with a promise. */
  readonly decision?: { readonly isRejected: boolean; readonly oddness: number }
}

export function isIn(population: Population, condition: DecidableCondition): boolean {
  return population === 'all' || modalitiesOf(condition).includes(population)
}

/** @param options.withPixelAuroc sorting all pixels once more costs as much as AUPRO, and only one table shows it. */
export function figuresOf(
  answers: readonly Answer[],
  options: {
    readonly seed: number
    readonly withPixelAuroc: boolean
    readonly resamples?: number | undefined
  },
): MiiadFigures {
  const { seed, withPixelAuroc, resamples } = options
  const scores = answers.map(({ score }) => score)
  const labels = answers.map(({ isDefective }) => isDefective)
  // A defective part without a mask cannot say which of its pixels are good.
  const located = answers.filter(({ isDefective, mask }) => !isDefective || mask)
  const maps = located.map(({ map }) => ({ width: INPUT_SIZE, height: INPUT_SIZE, scores: map }))
  const masks = located.map(({ mask }) => mask)
  return {
    good: labels.filter((isDefective) => !isDefective).length,
    defective: labels.filter(Boolean).length,
    imageAuroc: auroc(scores, labels),
    imageAurocInterval: bootstrapInterval({
      scores,
      labels,
      seed,
      ...(resamples !== undefined && { resamples }),
    }),
    pixelAuroc: withPixelAuroc ? pixelAuroc(maps, masks) : null,
    aupro: aupro({ maps, masks, limit: 0.3, mode: 'exact' }),
  }
}

/** Per condition that any answer is of; undefined for a method without a promise. */
export function decisionsOf(answers: readonly Answer[]): MiiadCell['decisions'] {
  const decided = answers.flatMap(({ condition, isDefective, decision }) =>
    decision ? [{ condition, isDefective, ...decision }] : [],
  )
  if (decided.length === 0) return undefined
  const countOf = (of: typeof decided): Decisions['good'] => ({
    parts: of.length,
    rejected: of.filter(({ isRejected }) => isRejected).length,
    scores: of.map(({ oddness }) => Number((oddness / Math.LN10).toPrecision(4))),
  })
  return Object.fromEntries(
    [...new Set(decided.map(({ condition }) => condition))].map((condition) => {
      const of = decided.filter((one) => one.condition === condition)
      return [
        condition,
        {
          good: countOf(of.filter(({ isDefective }) => !isDefective)),
          defective: countOf(of.filter(({ isDefective }) => isDefective)),
        },
      ]
    }),
  )
}
