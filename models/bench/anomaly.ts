/**
 * Teaches each class of a data set from its good parts and measures, per condition, how well defects are told from good parts.
 * Drivers, preprocessing, encoders, teaching and judging are the product's own; only the figures are made here.
 */
import { indexDataset, type DatasetItem } from '../../drivers/dataset.ts'
import { replayStation, type ReplayStation } from '../../drivers/replay.ts'
import type { DecidableCondition } from '../../drivers/sample.ts'
import { openBundle, verifyGolden, type Bundle } from '../bundle.ts'
import { extractFeatures } from '../extract.ts'
import { fuseTimed, fuseWith } from '../fusion.ts'
import { judge } from '../judge.ts'
import type { DefectMask } from '../metrics.ts'
import { openSearch, type Search } from '../nearest.ts'
import type { Repository } from '../repository.ts'
import { squareMask } from '../square-mask.ts'
import { startStepClock } from '../step-clock.ts'
import { teach, type TaughtPart, type TeachRequest } from '../teach.ts'
import { figuresOf, meanOf, median, type ConditionFigures, type Outcome } from './anomaly-figures.ts'
import { inEveryCondition, sampleOf, triggerOf } from './bench-parts.ts'

export interface AnomalyBenchOptions {
  readonly bundleFolder: string
  /** MVTec 3D-AD's layout: one class, or a folder of classes. */
  readonly dataFolder: string
  /** All of them when absent. */
  readonly classes?: readonly string[]
  /** At most so many parts, the first in the data set's order; all when absent. */
  readonly most?: { readonly train?: number; readonly validation?: number; readonly testPerLabel?: number }
  /** Seeds plane fits, teaching and the bootstrap. */
  readonly seed: number
  readonly threads: number
  readonly byteBudget: number
  readonly falseRejectRate: number
  readonly bootstrapResamples?: number
  readonly signal?: AbortSignal
  readonly onProgress?: TeachRequest['onProgress']
}

export interface ClassReport {
  readonly category: string
  readonly repositoryId: string
  readonly taught: number
  readonly heldOut: number
  readonly banks: Readonly<
    Record<string, { readonly rows: number; readonly width: number; readonly bytes: number }>
  >
  readonly teachMs: number
  readonly conditions: Readonly<Record<DecidableCondition, ConditionFigures>>
  /** Medians over the test parts, milliseconds: the steps of features, and judging per condition. */
  readonly timingMs: Readonly<Record<string, number>>
  /** The repository's own, and every part that could not be used. */
  readonly warnings: readonly string[]
}

export interface AnomalyReport {
  readonly schema: 'radar-edge/bench-anomaly@1'
  readonly bundle: { readonly id: string; readonly name: string; readonly version: string }
  readonly seed: number
  readonly byteBudget: number
  readonly promisedFalseRejectRate: number
  /** What pixel figures are measured on; MVTec's own are at the frames' native size and not comparable. */
  readonly resolution: string
  readonly classes: readonly ClassReport[]
  /** Mean over the classes that have the figure. */
  readonly mean: Readonly<Record<DecidableCondition, ReturnType<typeof meanOf>>>
}

interface Tools {
  readonly bundle: Bundle
  readonly search: Search
  readonly station: ReplayStation
  readonly options: AnomalyBenchOptions
}

/** @throws DatasetError, ModelError, RepositoryError (too few good parts); rejects with the signal's reason. */
export async function benchAnomaly(options: AnomalyBenchOptions): Promise<AnomalyReport> {
  const {
    bundleFolder,
    dataFolder,
    threads,
    seed,
    byteBudget,
    signal = new AbortController().signal,
  } = options
  const { items } = await indexDataset(dataFolder)
  const categories = [...new Set(items.map((item) => item.category))]
  const wanted = options.classes ?? categories
  const unknown = wanted.find((name) => !categories.includes(name))
  if (unknown !== undefined) {
    throw new RangeError(`${dataFolder} has no class '${unknown}', only ${categories.join(', ')}`)
  }
  const bundle = await openBundle(bundleFolder, { threads })
  const search = await openSearch({ threads })
  const station = replayStation({ root: dataFolder })
  try {
    await verifyGolden(bundle)
    await Promise.all([station.rgb.open(signal), station.xyz.open(signal)])
    const classes: ClassReport[] = []
    for (const category of wanted) {
      const parts = items.filter((item) => item.category === category)
      classes.push(await benchClass(category, parts, { bundle, search, station, options }))
    }
    const meanIn = (condition: DecidableCondition) =>
      meanOf(classes.map((report) => report.conditions[condition]))
    return {
      schema: 'radar-edge/bench-anomaly@1',
      bundle: { id: bundle.id, name: bundle.manifest.name, version: bundle.manifest.version },
      seed,
      byteBudget,
      promisedFalseRejectRate: options.falseRejectRate,
      resolution: '224 x 224 of the zero-padded square, masks resized nearest, as M3DM does',
      classes,
      mean: { complete: meanIn('complete'), 'rgb-only': meanIn('rgb-only'), 'xyz-only': meanIn('xyz-only') },
    }
  } finally {
    await Promise.all([station.rgb.close(), station.xyz.close()])
    await search.release()
    await bundle.release()
  }
}

async function benchClass(
  category: string,
  items: readonly DatasetItem[],
  tools: Tools,
): Promise<ClassReport> {
  const { bundle, search, options } = tools
  const { most = {}, seed, byteBudget, falseRejectRate, signal, onProgress } = options
  const warnings: string[] = []
  const good = (split: DatasetItem['split']) =>
    items.filter((item) => item.split === split && item.label === 'good')
  const parts = await completeParts(good('train').slice(0, most.train), tools, warnings)
  const heldOut = await completeParts(good('validation').slice(0, most.validation), tools, warnings)

  const startedMs = performance.now()
  const repository = await teach({
    product: category,
    bundle,
    parts,
    heldOut,
    search,
    fuse: fuseWith(bundle),
    byteBudget,
    falseRejectRate,
    seed,
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  })
  const teachMs = performance.now() - startedMs

  const tests = firstOfEachLabel(
    items.filter((item) => item.split === 'test'),
    most.testPerLabel,
  )
  const outcomes: Outcome[] = []
  const timings: Readonly<Record<string, number>>[] = []
  for (const [index, item] of tests.entries()) {
    signal?.throwIfAborted()
    const tested = await testPart(item, repository, tools)
    outcomes.push(...tested.outcomes)
    timings.push(tested.timingMs)
    onProgress?.({ phase: `${category}: judging`, done: index + 1, total: tests.length })
  }
  const figures = (condition: DecidableCondition) =>
    figuresOf(
      outcomes.filter((outcome) => outcome.condition === condition),
      {
        promised: falseRejectRate,
        predicted: repository.manifest.heads[condition].calibration.predictedFalseRejects,
        seed,
        ...(options.bootstrapResamples !== undefined && { resamples: options.bootstrapResamples }),
      },
    )
  return {
    category,
    repositoryId: repository.id,
    taught: repository.manifest.taught.length,
    heldOut: repository.manifest.heldOut.length,
    banks: Object.fromEntries(
      Object.entries(repository.manifest.banks).map(([name, { rows, width }]) => [
        name,
        { rows, width, bytes: rows * width * 4 },
      ]),
    ),
    teachMs,
    conditions: {
      complete: figures('complete'),
      'rgb-only': figures('rgb-only'),
      'xyz-only': figures('xyz-only'),
    },
    timingMs: medians(timings),
    warnings: [...warnings, ...repository.manifest.warnings],
  }
}

async function completeParts(
  items: readonly DatasetItem[],
  tools: Tools,
  warnings: string[],
): Promise<TaughtPart[]> {
  const { bundle, options } = tools
  const parts: TaughtPart[] = []
  for (const [index, item] of items.entries()) {
    options.signal?.throwIfAborted()
    const extracted = await extractFeatures(
      await sampleOf(item, { station: tools.station, signal: options.signal }),
      { bundle, seed: options.seed },
    )
    if (extracted.condition === 'complete') parts.push({ partId: item.partId, features: extracted.features })
    else warnings.push(`'${item.partId}' came as ${extracted.condition} and was not taught`)
    options.onProgress?.({
      phase: `${item.category}: encoding ${item.split}`,
      done: index + 1,
      total: items.length,
    })
  }
  return parts
}

/** One part in all three conditions. */
async function testPart(
  item: DatasetItem,
  repository: Repository,
  tools: Tools,
): Promise<{ outcomes: Outcome[]; timingMs: Readonly<Record<string, number>> }> {
  const { bundle, search, station, options } = tools
  const clock = startStepClock()
  const sample = await sampleOf(item, { station, signal: options.signal })
  const truth = await station.truthOf(triggerOf(item))
  const outcomes: Outcome[] = []
  for (const { condition, features, placement, why } of await inEveryCondition(sample, {
    bundle,
    seed: options.seed,
    clock,
  })) {
    const known = { condition, partId: item.partId, label: item.label }
    if (!features) {
      outcomes.push({ ...known, missing: why })
      continue
    }
    const step = `judge ${condition}`
    clock.enter(step)
    const fuse = fuseTimed(fuseWith(bundle), clock, step)
    const { distance, normality, threshold, map } = await judge(features, repository, { search, fuse })
    const mask: DefectMask =
      item.label === 'good' || !truth.mask ? undefined : squareMask(truth.mask, placement)
    outcomes.push({ ...known, judged: { distance, normality, threshold, map, mask } })
  }
  return { outcomes, timingMs: clock.stop() }
}

function firstOfEachLabel(items: readonly DatasetItem[], most = Infinity): DatasetItem[] {
  const seen = new Map<string, number>()
  return items.filter(({ label }) => {
    const count = (seen.get(label) ?? 0) + 1
    seen.set(label, count)
    return count <= most
  })
}

function medians(timings: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const steps = new Set(timings.flatMap((timing) => Object.keys(timing)))
  steps.delete('total')
  return Object.fromEntries(
    [...steps].map((step) => [step, median(timings.flatMap((timing) => timing[step] ?? []))]),
  )
}
