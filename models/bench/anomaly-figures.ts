/** From judged test parts to the figures of one condition (numerics 6). */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { binomialInterval, type BinomialInterval } from '../binomial-interval.ts'
import { INPUT_SIZE } from '../features.ts'
import { auroc, aupro, bootstrapInterval, pixelAuroc, type DefectMask } from '../metrics.ts'

/** What came of one test part in one condition. */
export type Outcome = {
  readonly condition: DecidableCondition
  readonly partId: string
  readonly label: string
} & (
  | {
      readonly judged: {
        readonly distance: number
        readonly normality: number
        readonly threshold: number
        /** 224 x 224. */
        readonly map: Float32Array
        readonly mask: DefectMask
      }
    }
  /** Why there is no answer in this condition, e.g. a point map without a part in it. */
  | { readonly judged?: undefined; readonly missing: string }
)

type Share = { readonly parts: number; readonly count: number; readonly rate: number } & BinomialInterval

/** `null` where a figure is not defined: no defective part, no good one, no region. */
export interface ConditionFigures {
  readonly good: number
  readonly defective: number
  /** Of the raw distance; the bootstrap's 95 % interval beside it. */
  readonly imageAuroc: number | null
  readonly imageAurocInterval: BinomialInterval | null
  readonly pixelAuroc: number | null
  /** Up to a false-positive rate of 0.3, every score a threshold. */
  readonly aupro: number | null
  /** The same with M3DM's 100 thresholds at equidistant ranks. */
  readonly auproRanks100: number | null
  /** Good test parts that would be rejected: counted, with the exact 95 % interval, beside what was promised and predicted. */
  readonly falseRejects: Share & {
    readonly promised: number
    readonly predicted: number
    readonly promiseWithinInterval: boolean
  }
  /** Defective parts that would be rejected. */
  readonly detected: Share
  /** Each kind of defect against all good parts. */
  readonly defects: Readonly<
    Record<string, { readonly parts: number; readonly detected: number; readonly imageAuroc: number | null }>
  >
  /** Parts without an answer in this condition; they are in none of the figures. */
  readonly missing: readonly { readonly partId: string; readonly why: string }[]
}

export function figuresOf(
  outcomes: readonly Outcome[],
  {
    promised,
    predicted,
    seed,
    resamples,
  }: { promised: number; predicted: { readonly rate: number }; seed: number; resamples?: number },
): ConditionFigures {
  const answered = outcomes.flatMap(({ judged, label }) =>
    judged ? [{ ...judged, label, isDefective: label !== 'good' }] : [],
  )
  const good = answered.filter((part) => !part.isDefective)
  const defective = answered.filter((part) => part.isDefective)
  const scores = answered.map((part) => part.distance)
  const labels = answered.map((part) => part.isDefective)
  // A defective part without a mask cannot say which of its pixels are good.
  const located = answered.filter((part) => !part.isDefective || part.mask)
  const maps = located.map(({ map }) => ({ width: INPUT_SIZE, height: INPUT_SIZE, scores: map }))
  const masks = located.map(({ mask }) => mask)
  const falseRejects = shareOf(good.filter(isRejected).length, good.length)
  const kinds = [...new Set(defective.map(({ label }) => label))]
  return {
    good: good.length,
    defective: defective.length,
    imageAuroc: auroc(scores, labels),
    imageAurocInterval: bootstrapInterval({
      scores,
      labels,
      seed,
      ...(resamples !== undefined && { resamples }),
    }),
    pixelAuroc: pixelAuroc(maps, masks),
    aupro: aupro({ maps, masks, limit: 0.3, mode: 'exact' }),
    auproRanks100: aupro({ maps, masks, limit: 0.3, mode: { ranks: 100 } }),
    falseRejects: {
      ...falseRejects,
      promised,
      predicted: predicted.rate,
      promiseWithinInterval: falseRejects.lower <= promised && promised <= falseRejects.upper,
    },
    detected: shareOf(defective.filter(isRejected).length, defective.length),
    defects: Object.fromEntries(
      kinds.map((kind) => {
        const parts = defective.filter(({ label }) => label === kind)
        const beside = [...good, ...parts]
        const imageAuroc = auroc(
          beside.map((part) => part.distance),
          beside.map((part) => part.isDefective),
        )
        return [kind, { parts: parts.length, detected: parts.filter(isRejected).length, imageAuroc }]
      }),
    ),
    missing: outcomes.flatMap((outcome) =>
      outcome.judged ? [] : [{ partId: outcome.partId, why: outcome.missing }],
    ),
  }
}

/** Mean over classes; a class without the figure does not count. */
export function meanOf(classes: readonly ConditionFigures[]) {
  const mean = (figure: (figures: ConditionFigures) => number | null): number | null => {
    const values = classes.flatMap((figures) => figure(figures) ?? [])
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
  }
  return {
    imageAuroc: mean((figures) => figures.imageAuroc),
    pixelAuroc: mean((figures) => figures.pixelAuroc),
    aupro: mean((figures) => figures.aupro),
    auproRanks100: mean((figures) => figures.auproRanks100),
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

const isRejected = ({ normality, threshold }: { normality: number; threshold: number }) =>
  !(normality >= threshold)

function shareOf(count: number, parts: number): Share {
  return { parts, count, rate: parts === 0 ? 0 : count / parts, ...binomialInterval(count, parts) }
}
