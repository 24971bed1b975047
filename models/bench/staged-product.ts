/** A product on the bench: taught, with golden parts, test parts that nobody has seen, and more parts to come along its line. */
import type { Bundle } from '../bundle.ts'
import type { Comparer } from '../comparison.ts'
import { judgeGolden, type GateLimits } from '../gate.ts'
import type { Repository } from '../repository.ts'
import type { TeachProgress } from '../taught-banks.ts'
import { teach } from '../teach.ts'
import { encodedParts, type EncodedPart } from './encoded-parts.ts'
import type { BenchGolden } from './line-updates.ts'
import type { PartSupply, SuppliedPart } from './part-supply.ts'

/** What all measurements on a product share. */
export interface Bench extends Comparer {
  readonly bundle: Bundle
  readonly seed: number
  readonly byteBudget: number
  readonly falseRejectRate: number
  readonly limits: GateLimits
  readonly signal: AbortSignal
  readonly onProgress?: (progress: TeachProgress) => void
}

/** At most so many parts; of defective ones, of each kind. */
export interface PartCounts {
  readonly taught: number
  readonly goldenGood: number
  readonly testGood: number
  readonly lineGood: number
  readonly goldenPerKind: number
  readonly testPerKind: number
  readonly linePerKind: number
}

export interface StagedProduct {
  readonly product: string
  readonly taught: readonly EncodedPart[]
  readonly repository: Repository
  /** With those that the repository judges wrongly the gate would never open: nobody keeps them. */
  readonly goldens: readonly BenchGolden[]
  readonly goldensLeftOut: number
  readonly tests: readonly SuppliedPart[]
  /** As they were taught: under a lamp as good as new. */
  readonly encodedTests: readonly EncodedPart[]
  readonly lineGood: readonly SuppliedPart[]
  readonly lineDefective: readonly SuppliedPart[]
}

/** A supply with fewer good parts has fewer of each use. @throws RepositoryError for too few to teach. */
export async function stageProduct(
  supply: PartSupply,
  counts: PartCounts,
  bench: Bench,
): Promise<StagedProduct> {
  const { product } = supply
  const wanted = counts.taught + counts.goldenGood + counts.lineGood + counts.testGood
  const good = supply.good(wanted)
  const upTo = (count: number): number => Math.floor((count * good.length) / wanted)
  const lineFrom = upTo(counts.taught) + upTo(counts.goldenGood)
  const testFrom = lineFrom + upTo(counts.lineGood)

  const goldenTo = counts.goldenPerKind
  const testTo = goldenTo + counts.testPerKind
  const defective = supply.defective(testTo + counts.linePerKind)
  const ofEachKind = (from: number, to: number): SuppliedPart[] =>
    defective.filter((part, index) => {
      const place = defective.slice(0, index).filter(({ label }) => label === part.label).length
      return from <= place && place < to
    })

  const encode = (parts: readonly SuppliedPart[], what: string) =>
    encodedParts(parts, { ...bench, phase: `${product}: encoding ${what}` })
  const taught = await encode(good.slice(0, upTo(counts.taught)), 'parts to teach')
  const repository = await teach({ ...bench, product, parts: taught, heldOut: [] })
  const offered = [...good.slice(upTo(counts.taught), lineFrom), ...ofEachKind(0, goldenTo)]
  const goldens = await goldenParts(offered, await encode(offered, 'golden parts'))
  const wrong = await wronglyJudged(goldens, repository, bench)
  const tests = [...good.slice(testFrom), ...ofEachKind(goldenTo, testTo)]
  return {
    product,
    taught,
    repository,
    goldens: goldens.filter(({ partId }) => !wrong.has(partId)),
    goldensLeftOut: wrong.size,
    tests,
    encodedTests: await encode(tests, 'test parts'),
    lineGood: good.slice(lineFrom, testFrom),
    lineDefective: ofEachKind(testTo, Infinity),
  }
}

async function goldenParts(
  supplied: readonly SuppliedPart[],
  encoded: readonly EncodedPart[],
): Promise<BenchGolden[]> {
  const goldens: BenchGolden[] = []
  for (const { partId, label, features } of encoded) {
    const defectPatches = await supplied.find((part) => part.partId === partId)?.defectPatches()
    goldens.push(
      label === 'good'
        ? { partId, label, features }
        : { partId, label: 'bad', defect: label, features, ...(defectPatches && { defectPatches }) },
    )
  }
  return goldens
}

async function wronglyJudged(
  goldens: readonly BenchGolden[],
  repository: Repository,
  { search, fuse, signal }: Bench,
): Promise<ReadonlySet<string>> {
  const judged = await judgeGolden(goldens, repository, { comparer: { search, fuse }, signal })
  const wrong = judged.filter(
    ({ isWidest, label, outcome }) => isWidest && (outcome === 'pass') !== (label === 'good'),
  )
  return new Set(wrong.map(({ partId }) => partId))
}
