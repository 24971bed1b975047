/** Teaching a product, from parts to a repository in use: for the command line, and for a job of the running station. */
import { learnLooks } from '../drivers/look-limits.ts'
import { startLearningCurve } from '../models/learning-curve.ts'
import { RepositoryError } from '../models/repository.ts'
import { qualityOf } from '../models/teach-quality.ts'
import { teachLesson, type TaughtPart, type TeachRequest } from '../models/teach.ts'
import { encodeParts } from './encoded-parts.ts'
import type { GoodParts } from './good-parts.ts'
import { saveOutlierHeatmaps } from './outlier-heatmaps.ts'
import type { ProgressLine } from './progress.ts'
import { letThrough, promote, type Candidate, type Reasons } from './repository-work.ts'
import { RuntimeError } from './runtime-error.ts'
import { figuresOf, summaryOf, type TeachReport } from './teach-report.ts'
import type { Teaching } from './teaching.ts'
import type { Workshop } from './workshop.ts'
import { loadGolden } from './workshop-parts.ts'

export interface TeachWork extends Reasons {
  readonly teaching: Teaching
  /** Where the parts come from. */
  open(): Promise<GoodParts>
  readonly line: ProgressLine
  /** Ids of parts to leave out. */
  readonly exclude: readonly string[]
  readonly seed: number
  /** Folder for heatmaps of the parts that are proposed for exclusion. */
  readonly save?: string
  readonly signal: AbortSignal
}

/**
 * Captures or loads the parts, teaches them, asks the gate and puts the repository into use. The parts become good parts.
 * @throws RuntimeError TEACHING_FAILED, RepositoryError, ModelError. Rejects with the signal's reason; the parts so far are kept.
 */
export async function teachInShop(shop: Workshop, work: TeachWork): Promise<TeachReport> {
  const { bundle, comparer, recipe, product } = shop
  const { teaching, line, exclude, seed, signal, who, why } = work
  // A ledger that is damaged says so before the first part is captured.
  const expectedActive = shop.ledger.active(product)
  const curve = startLearningCurve(comparer.search)
  const source = await work.open()
  const { parts, points } = await encodeFrom(source, {
    bundle,
    teaching,
    curve,
    exclude: new Set(exclude),
    seed,
    line,
    signal,
  }).finally(() => source.close())
  const request: TeachRequest = {
    product,
    bundle,
    parts: parts.filter((part) => !part.heldOut),
    heldOut: parts.filter((part) => part.heldOut),
    looks: learnLooks(parts.map((part) => part.looks)),
    ...comparer,
    byteBudget: Math.round(recipe.bankMebibytes * 2 ** 20),
    falseRejectRate: recipe.falseRejectRate,
    mdmMode: recipe.mdm.mode,
    seed,
    signal,
    onProgress: (progress) => line.update(progress),
  }
  const lesson = await teachLesson(request)
  const learning = await curve.measure(signal)
  const quality = await qualityOf(lesson, { points, learning }, request)
  const { repository } = lesson
  const pictures =
    work.save === undefined ? [] : await saveOutlierHeatmaps(quality.outliers, teaching, work.save)
  const reasons = { who, why }
  const golden = await loadGolden(shop, signal)
  const candidate = await letThrough(shop, repository, {
    active: await believedActive(shop),
    golden: golden.parts,
    figures: figuresOf(repository, quality),
    ...reasons,
    signal,
  })
  mustHavePassed(candidate)
  promote(shop, candidate, { ...reasons, expectedActive })
  const idsOf = (list: readonly TaughtPart[]): string[] => list.map(({ partId }) => partId)
  const remarks = await teaching.finish({
    repositoryId: repository.id,
    taught: idsOf(lesson.parts),
    heldOut: idsOf(lesson.heldOut),
    excluded: exclude,
  })
  const { passed, unguarded, checks } = candidate.report
  return {
    ...summaryOf(repository, quality),
    excluded: exclude,
    pictures,
    gate: { passed, unguarded, checks },
    remarks: [...golden.left, ...remarks],
  }
}

function encodeFrom(source: GoodParts, options: Parameters<typeof encodeParts>[1]) {
  const stranger = [...options.exclude].find((id) => source.items.every(({ partId }) => partId !== id))
  if (stranger === undefined) return encodeParts(source, options)
  const known = source.items.slice(0, 3).map(({ partId }) => partId)
  const detail = `there is no part '${stranger}' to leave out, only such as ${known.join(', ')}`
  return Promise.reject(new RuntimeError('TEACHING_FAILED', detail))
}

/** One of another bundle or engine has no verdicts to keep: it is taught anew because of that. */
async function believedActive(shop: Workshop) {
  return shop.active().catch((error: unknown) => {
    if (error instanceof RepositoryError) return undefined
    throw error
  })
}

function mustHavePassed({ id, report }: Candidate): void {
  if (report.passed) return
  const failed = report.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name}: ${detail}`)
  throw new RuntimeError(
    'TEACHING_FAILED',
    `the gate refused repository ${id.slice(0, 12)}, and the one before stays (${failed.join('; ')}). The parts are kept: the same command tries again with them`,
  )
}
