/** What becomes of a repository when some of the parts that are confirmed as good are defective. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { encodedPart } from './encoded-parts.ts'
import { runLine, type BenchGolden, type LinePart, type LineReport } from './line-updates.ts'
import { countsOf, type DriftReport } from './repository-drift.ts'
import { detectionOf, type DetectionByCondition } from './repository-figures.ts'
import type { Bench, StagedProduct } from './staged-product.ts'

/** Whether bad golden parts show the kinds of defect that are smuggled in. */
export type Guard = 'same-kinds' | 'other-kinds'

export interface PoisoningReport {
  readonly product: string
  readonly guard: Guard
  readonly goldens: Pick<DriftReport['goldens'], 'good' | 'bad'>
  /** Kinds of defect that were confirmed as good. */
  readonly kinds: readonly string[]
  readonly updates: number
  readonly partsPerUpdate: number
  readonly defectivePerUpdate: number
  readonly before: DetectionByCondition
  readonly after: DetectionByCondition
  /** Of image AUROC; at most 0.01 is asked for. Negative: it got better. */
  readonly fall: Readonly<Record<DecidableCondition, number | null>>
  readonly line: LineReport
}

export interface PoisoningOptions extends Bench {
  readonly guard: Guard
  readonly updates: number
  readonly partsPerUpdate: number
  /** Of those. */
  readonly defectivePerUpdate: number
}

/** @throws RangeError for a product without parts to come along. Rejects with the signal's reason. */
export async function benchPoisoning(
  staged: StagedProduct,
  { guard, updates, partsPerUpdate, defectivePerUpdate, onProgress, ...bench }: PoisoningOptions,
): Promise<PoisoningReport> {
  const { product, repository, taught, encodedTests, lineGood } = staged
  const kinds = kindsOf(staged, guard)
  const poison = staged.lineDefective.filter(({ label }) => kinds.includes(label))
  if (lineGood.length === 0 || poison.length === 0) {
    throw new RangeError(`${product} has ${lineGood.length} good and ${poison.length} defective parts left`)
  }
  const goldens = staged.goldens.filter((golden) => guards(golden, guard, kinds))
  const { search, fuse, seed, signal } = bench
  const figures = { comparer: { search, fuse }, seed, signal }
  let shown = 0
  const partsBefore = async (turn: number): Promise<LinePart[]> => {
    const parts: LinePart[] = []
    for (let i = 0; i < partsPerUpdate; i++) {
      const [from, at] =
        i < defectivePerUpdate
          ? [poison, turn * defectivePerUpdate + i]
          : [lineGood, turn * (partsPerUpdate - defectivePerUpdate) + i - defectivePerUpdate]
      const part = await encodedPart(from[at % from.length]!, 0, bench)
      if (part) parts.push({ ...part, partId: `${part.partId}, shown ${++shown}` })
    }
    onProgress?.({
      phase: `${product}: defective parts among the confirmed, golden parts of ${guard}`,
      done: turn + 1,
      total: updates,
    })
    return parts
  }
  const before = await detectionOf(encodedTests, repository, figures)
  const line = await runLine({ ...bench, repository, taught, goldens, updates, partsBefore })
  const after = await detectionOf(encodedTests, line.repository, figures)
  const fall = (condition: DecidableCondition): number | null => {
    const [was, is] = [before[condition].imageAuroc, after[condition].imageAuroc]
    return was === null || is === null ? null : was - is
  }
  const { good, bad } = countsOf({ ...staged, goldens })
  return {
    product,
    guard,
    goldens: { good, bad },
    kinds,
    updates,
    partsPerUpdate,
    defectivePerUpdate,
    before,
    after,
    fall: { complete: fall('complete'), 'rgb-only': fall('rgb-only'), 'xyz-only': fall('xyz-only') },
    line: line.report,
  }
}

/** Every other kind is smuggled in where the golden parts are to show others. */
function kindsOf({ lineDefective }: StagedProduct, guard: Guard): string[] {
  const kinds = [...new Set(lineDefective.map(({ label }) => label))]
  return guard === 'other-kinds' ? kinds.filter((_, index) => index % 2 === 0) : kinds
}

function guards({ label, defect }: BenchGolden, guard: Guard, kinds: readonly string[]): boolean {
  return label === 'good' || guard === 'same-kinds' || !kinds.includes(defect ?? '')
}
