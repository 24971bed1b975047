/** `radar-edge teach`: good parts -> features -> repository, with what a person must know to trust it; through the gate and into use. */
import { resolve } from 'node:path'
import { startLearningCurve } from '../../models/learning-curve.ts'
import { RepositoryError } from '../../models/repository.ts'
import { qualityOf } from '../../models/teach-quality.ts'
import { teachLesson, type TaughtPart, type TeachRequest } from '../../models/teach.ts'
import { productOf } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { encodeParts } from '../encoded-parts.ts'
import { openGoodParts, type GoodParts } from '../good-parts.ts'
import { saveOutlierHeatmaps } from '../outlier-heatmaps.ts'
import { progressLine, type ProgressLine } from '../progress.ts'
import { letThrough, promote, type Candidate } from '../repository-work.ts'
import { RuntimeError } from '../runtime-error.ts'
import { figuresOf, summaryOf, teachReport } from '../teach-report.ts'
import { openTeaching, type Teaching, type TeachingPlan } from '../teaching.ts'
import { userName } from '../user-name.ts'
import { loadGolden, openWorkshop, type Workshop } from '../workshop.ts'

export interface TeachOptions {
  readonly config: string
  readonly product?: string
  /** Good parts to capture when they come from the station's own sensors. */
  readonly parts: number
  /** Recorded parts instead. */
  readonly data?: string
  readonly seed: number
  /** Ids of parts to leave out: of the last teaching when that is finished, which is then taught again from its other parts. */
  readonly exclude: readonly string[]
  /** Drops an interrupted teaching instead of going on with it. */
  readonly restart: boolean
  /** Folder for heatmaps of the parts that are proposed for exclusion. */
  readonly save?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

interface Lessons {
  readonly shop: Workshop
  readonly teaching: Teaching
  readonly line: ProgressLine
  readonly options: TeachOptions
}

export async function teachProduct(options: TeachOptions): Promise<void> {
  const written = await readConfig(options.config)
  const config = { ...written, product: productOf(options.product ?? written.product) }
  const { restart, exclude } = options
  const line = progressLine()
  const teaching = await openTeaching(config, planOf(config.product, options), {
    restart,
    again: exclude.length > 0,
  })
  try {
    const shop = await openWorkshop(config)
    try {
      await teachFrom({ shop, teaching, line, options })
    } finally {
      await shop.close()
    }
  } finally {
    line.finish()
    teaching.close()
  }
}

function planOf(product: string, { data, parts, seed }: TeachOptions): TeachingPlan {
  const source =
    data === undefined
      ? { kind: 'sensors' as const, parts }
      : { kind: 'data' as const, folder: resolve(data) }
  return { product, source, seed }
}

async function teachFrom({ shop, teaching, line, options }: Lessons): Promise<void> {
  const { bundle, comparer, recipe, product } = shop
  const { exclude, seed, signal } = options
  // A ledger that is damaged says so before the first part is captured.
  const expectedActive = shop.ledger.active(product)
  const curve = startLearningCurve(comparer.search)
  const source = await openGoodParts(teaching, shop.config, options)
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
    options.save === undefined ? [] : await saveOutlierHeatmaps(quality.outliers, teaching, options.save)
  const reasons = { who: userName(), why: whyOf(exclude) }
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
  const report = {
    ...summaryOf(repository, quality),
    excluded: exclude,
    pictures,
    gate: { passed, unguarded, checks },
    remarks: [...golden.left, ...remarks],
  }
  line.finish()
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : teachReport(report))
}

function encodeFrom(source: GoodParts, options: Parameters<typeof encodeParts>[1]) {
  const stranger = [...options.exclude].find((id) => source.items.every(({ partId }) => partId !== id))
  if (stranger === undefined) return encodeParts(source, options)
  const known = source.items.slice(0, 3).map(({ partId }) => partId)
  const detail = `there is no part '${stranger}' to leave out, only such as ${known.join(', ')}`
  return Promise.reject(new RuntimeError('TEACHING_FAILED', detail))
}

/** The ledger's entries have a bound. */
function whyOf(exclude: readonly string[]): string {
  return exclude.length === 0 ? 'taught' : `taught without ${exclude.join(', ')}`.slice(0, 1000)
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
