/** How well a repository tells good parts from defective ones, per condition. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { binomialInterval, type BinomialInterval } from '../binomial-interval.ts'
import { auroc, bootstrapInterval } from '../metrics.ts'
import { judgeGolden } from '../gate.ts'
import type { Comparer } from '../comparison.ts'
import type { Repository } from '../repository.ts'
import type { EncodedPart } from './encoded-parts.ts'

export type Share = {
  readonly parts: number
  readonly count: number
  readonly rate: number
} & BinomialInterval

/** AUROC is `null` where one kind of part is missing. */
export interface Detection {
  /** Of the raw distance, with the bootstrap's 95 % interval. */
  readonly imageAuroc: number | null
  readonly imageAurocInterval: BinomialInterval | null
  /** Good parts that were rejected. */
  readonly falseRejects: Share
  /** Defective parts that were rejected. */
  readonly detected: Share
}

export type DetectionByCondition = Readonly<Record<DecidableCondition, Detection>>

/** @param parts complete ones. Rejects with the signal's reason. */
export async function detectionOf(
  parts: readonly EncodedPart[],
  repository: Repository,
  {
    comparer,
    seed,
    signal,
  }: { readonly comparer: Comparer; readonly seed: number; readonly signal: AbortSignal },
): Promise<DetectionByCondition> {
  const judged = await judgeGolden(
    parts.map(({ partId, label, features }) => ({
      partId,
      label: label === 'good' ? ('good' as const) : ('bad' as const),
      features,
    })),
    repository,
    { comparer, signal },
  )
  const of = (condition: DecidableCondition): Detection => {
    const seen = judged.filter((judgement) => judgement.condition === condition)
    const scores = seen.map(({ distance }) => distance)
    const labels = seen.map(({ label }) => label === 'bad')
    const share = (label: 'good' | 'bad'): Share => {
      const those = seen.filter((judgement) => judgement.label === label)
      const count = those.filter(({ outcome }) => outcome === 'fail').length
      return {
        parts: those.length,
        count,
        rate: count / Math.max(1, those.length),
        ...binomialInterval(count, those.length),
      }
    }
    return {
      imageAuroc: auroc(scores, labels),
      imageAurocInterval: bootstrapInterval({ scores, labels, seed }),
      falseRejects: share('good'),
      detected: share('bad'),
    }
  }
  return { complete: of('complete'), 'rgb-only': of('rgb-only'), 'xyz-only': of('xyz-only') }
}
