/** What a lamp that ages costs, and how much of it a repository wins back that learns along. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { encodedPart, encodedParts } from './encoded-parts.ts'
import { runLine, type LinePart, type LineReport } from './line-updates.ts'
import { detectionOf, type Detection, type DetectionByCondition } from './repository-figures.ts'
import type { Bench, StagedProduct } from './staged-product.ts'

export interface DriftReport {
  readonly product: string
  readonly repositoryIds: { readonly taught: string; readonly updated: string }
  readonly taughtParts: number
  readonly goldens: { readonly good: number; readonly bad: number; readonly leftOut: number }
  readonly updates: number
  readonly partsPerUpdate: number
  /** Lamp as good as new, repository as taught. */
  readonly before: DetectionByCondition
  /** Lamp at its full age, repository as taught. */
  readonly drifted: DetectionByCondition
  /** Lamp at its full age, repository after all updates. */
  readonly updated: DetectionByCondition
  /** Lamp as good as new, repository after all updates: whether it has forgotten. */
  readonly updatedUnderNewLamp: DetectionByCondition
  readonly recovery: Readonly<Record<DecidableCondition, Recovery>>
  readonly line: LineReport
}

export interface Recovery {
  /** Image AUROC. */
  readonly cost: number | null
  /** Of the cost, at least 0.8 is asked for; `null` where what was lost may be chance of the test parts. */
  readonly recovered: number | null
}

/** The lamp is at its full age after this share of the updates. */
const AGEING_SHARE = 0.8

/**
 * Every part comes along once, so a small class has fewer updates: parts that came back would resemble each other more than new ones, and
 * heads that are calibrated with them would reject what is new.
 * @throws RangeError for a product without parts to come along. Rejects with the signal's reason.
 */
export async function benchDrift(
  staged: StagedProduct,
  {
    updates: most,
    partsPerUpdate,
    onProgress,
    ...bench
  }: Bench & {
    readonly updates: number
    readonly partsPerUpdate: number
  },
): Promise<DriftReport> {
  const { product, repository, taught, goldens, tests, encodedTests, lineGood } = staged
  const updates = Math.min(most, Math.floor(lineGood.length / partsPerUpdate))
  if (updates === 0) {
    throw new RangeError(
      `${product} has ${lineGood.length} good parts left, an update takes ${partsPerUpdate}`,
    )
  }
  const { search, fuse, seed, signal } = bench
  const figures = { comparer: { search, fuse }, seed, signal }
  const agedTests = await encodedParts(tests, {
    ...bench,
    onProgress,
    age: 1,
    phase: `${product}: encoding test parts under the aged lamp`,
  })
  const before = await detectionOf(encodedTests, repository, figures)
  const drifted = await detectionOf(agedTests, repository, figures)

  const partsBefore = async (turn: number): Promise<LinePart[]> => {
    const age = Math.min(1, (turn + 1) / (AGEING_SHARE * updates))
    const parts: LinePart[] = []
    for (const part of lineGood.slice(turn * partsPerUpdate, (turn + 1) * partsPerUpdate)) {
      const encoded = await encodedPart(part, age, bench)
      if (encoded) parts.push(encoded)
    }
    onProgress?.({ phase: `${product}: updating while the lamp ages`, done: turn + 1, total: updates })
    return parts
  }
  const line = await runLine({ ...bench, repository, taught, goldens, updates, partsBefore })
  const updated = await detectionOf(agedTests, line.repository, figures)
  const recoveryOf = (condition: DecidableCondition): Recovery =>
    recoveryFrom(before[condition], drifted[condition].imageAuroc, updated[condition].imageAuroc)
  return {
    product,
    repositoryIds: { taught: repository.id, updated: line.repository.id },
    taughtParts: taught.length,
    goldens: countsOf(staged),
    updates,
    partsPerUpdate,
    before,
    drifted,
    updated,
    updatedUnderNewLamp: await detectionOf(encodedTests, line.repository, figures),
    recovery: byCondition(recoveryOf),
    line: line.report,
  }
}

export function countsOf({ goldens, goldensLeftOut }: StagedProduct): DriftReport['goldens'] {
  const good = goldens.filter(({ label }) => label === 'good').length
  return { good, bad: goldens.length - good, leftOut: goldensLeftOut }
}

/** What lies within the interval of the first measurement was not surely lost. */
export function recoveryFrom(
  { imageAuroc, imageAurocInterval }: Pick<Detection, 'imageAuroc' | 'imageAurocInterval'>,
  drifted: number | null,
  updated: number | null,
): Recovery {
  if (imageAuroc === null || imageAurocInterval === null || drifted === null || updated === null) {
    return { cost: null, recovered: null }
  }
  const cost = imageAuroc - drifted
  return { cost, recovered: drifted < imageAurocInterval.lower ? (updated - drifted) / cost : null }
}

const byCondition = <T>(of: (condition: DecidableCondition) => T): Record<DecidableCondition, T> => ({
  complete: of('complete'),
  'rgb-only': of('rgb-only'),
  'xyz-only': of('xyz-only'),
})
