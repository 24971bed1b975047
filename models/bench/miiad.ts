/**
 * MIIAD Bench: how well defects are told from good parts when parts lack a modality, in teaching and in testing. RADAR, baselines and
 * ablations get the same parts, features and patches, and baselines as many rows per bank as RADAR's banks of one modality. Features are
 * extracted and fused once per class, whatever the number of splits.
 */
import { indexDataset, type DatasetItem } from '../../drivers/dataset.ts'
import { replayStation, type ReplayStation } from '../../drivers/replay.ts'
import type { DecidableCondition } from '../../drivers/sample.ts'
import { openBundle, verifyGolden, type Bundle } from '../bundle.ts'
import { contentId } from '../content-id.ts'
import type { Features, Placement } from '../features.ts'
import { fuseWith, type Fuse } from '../fusion.ts'
import type { DefectMask } from '../metrics.ts'
import { canNarrow } from '../narrow.ts'
import { openSearch, type Search } from '../nearest.ts'
import { squareMask } from '../square-mask.ts'
import { inEveryCondition, sampleOf, triggerOf } from './bench-parts.ts'
import { settingName } from './miiad-bars.ts'
import { decisionsOf, figuresOf, isIn } from './miiad-figures.ts'
import { ablationMethod, METHODS, SINGLE_METHOD } from './miiad-methods.ts'
import { POPULATIONS, type MiiadCell, type MiiadMeasured } from './miiad-report.ts'
import { checkSplit, type SplitFile } from './miiad-split-file.ts'
import { fullPartId, SPLIT_RULE, splitByRule, type MissingPlace, type SplitRequest } from './miiad-split.ts'
import { answerSplit, type SplitParts } from './miiad-answers.ts'

export interface MiiadOptions {
  readonly bundleFolder: string
  /** The same encoders with another fusion each. */
  readonly ablations?: readonly { readonly name: string; readonly folder: string }[]
  /** MVTec 3D-AD's or Eyecandies' layout: one class, or a folder of classes. */
  readonly dataFolder: string
  /** All of them when absent. */
  readonly classes?: readonly string[]
  /** All of METHODS, and the ablations, when absent. */
  readonly methods?: readonly string[]
  /** By the rule, or as a file says. */
  readonly splits: readonly SplitRequest[] | SplitFile
  readonly threads: number
  readonly byteBudget: number
  readonly falseRejectRate: number
  readonly bootstrapResamples?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: {
    readonly phase: string
    readonly done: number
    readonly total: number
  }) => void
}

/** Seeds plane fits, which are of the part and not of the split. */
const EXTRACTION_SEED = 1

/** Every kind at every rate; a rate of 0 is asked for once, as kind `none`. */
export function splitRequests(asked: {
  readonly kinds: readonly SplitRequest['kind'][]
  readonly rates: readonly number[]
  readonly where: MissingPlace
  readonly seeds: readonly number[]
}): SplitRequest[] {
  const { kinds, rates, where, seeds } = asked
  return [...new Set(seeds)].flatMap((seed) =>
    [...new Set(rates)].flatMap((rate): SplitRequest[] =>
      rate === 0
        ? [{ kind: 'none', rate, where: 'both', seed }]
        : [...new Set(kinds)].map((kind) => ({ kind, rate, where, seed })),
    ),
  )
}

interface Tools {
  readonly bundle: Bundle
  readonly search: Search
  readonly station: ReplayStation
  readonly options: MiiadOptions
}

/** One part, encoded once; its features in every condition that it can be seen in. */
interface EncodedPart {
  readonly item: DatasetItem
  readonly seen: ReadonlyMap<
    DecidableCondition,
    { readonly features: Features; readonly placement: Placement }
  >
  readonly mask: Awaited<ReturnType<ReplayStation['truthOf']>>['mask']
}

/**
 * @throws DatasetError, ModelError, SplitError; RangeError for an unknown class or method, or an ablation of other encoders. Rejects
 * with the signal's reason. What cannot be taught is no error but a gap in the report.
 */
export async function benchMiiad(
  options: MiiadOptions,
): Promise<{ readonly measured: MiiadMeasured; readonly splitFile: SplitFile }> {
  const { bundleFolder, dataFolder, threads, signal = new AbortController().signal } = options
  const dataset = await indexDataset(dataFolder)
  const { wanted, items } = wantedItems(dataset.items, options)
  const splitFile = splitFileFor(items, options)
  const opened: { release(): Promise<unknown> }[] = []
  const keep = <T extends { release(): Promise<unknown> }>(one: T): T => {
    opened.push(one)
    return one
  }
  const station = replayStation({ root: dataFolder })
  try {
    const bundle = keep(await openBundle(bundleFolder, { threads }))
    await verifyGolden(bundle)
    const ablations: { name: string; bundle: Bundle }[] = []
    for (const { name, folder } of options.ablations ?? []) {
      const other = keep(await openBundle(folder, { threads }))
      checkAblation(name, other, bundle)
      await verifyGolden(other)
      ablations.push({ name, bundle: other })
    }
    const methods = methodsOf(options)
    const search = keep(await openSearch({ threads }))
    await Promise.all([station.rgb.open(signal), station.xyz.open(signal)])
    const cells: MiiadCell[] = []
    const gaps: MiiadMeasured['gaps'] = []
    const warnings = new Set(dataset.remarks)
    for (const category of wanted) {
      const tools = { bundle, search, station, options }
      const parts = await encodeClass(
        items.filter((item) => item.category === category),
        tools,
        warnings,
      )
      const fuse = remembered(fuseWith(bundle))
      const others = ablations.map((one) => ({
        method: ablationMethod(one.name),
        bundle: one.bundle,
        fuse: remembered(fuseWith(one.bundle)),
      }))
      for (const [index, split] of splitFile.splits.entries()) {
        signal.throwIfAborted()
        const { kind, rate, where, seed } = split
        const about = { kind, rate, where, seed, category }
        const {
          answers,
          gaps: found,
          warnings: said,
        } = await answerSplit({
          ...options,
          parts: partsOf(parts, split.conditions),
          product: category,
          seed,
          methods,
          bundle,
          search,
          fuse,
          others,
          onStep: (done, total) =>
            options.onProgress?.({
              phase: `${category}, split ${index + 1} of ${splitFile.splits.length}: ${settingName(split)}, seed ${seed}`,
              done,
              total,
            }),
        })
        gaps.push(...found.map((gap) => ({ ...about, ...gap })))
        for (const warning of said) warnings.add(`${category}: ${warning}`)
        for (const [method, of] of answers) {
          for (const on of POPULATIONS) {
            // A method of one modality has no answer to the other parts; what others say of some parts only that comparison needs.
            const isSingle = Object.values<string>(SINGLE_METHOD).includes(method)
            if (
              isSingle ? method !== (on !== 'all' && SINGLE_METHOD[on]) : on !== 'all' && method !== 'radar'
            )
              continue
            const asked = of.filter(({ condition }) => isIn(on, condition))
            if (asked.length === 0) continue
            const decisions = on === 'all' ? decisionsOf(asked) : undefined
            cells.push({
              ...about,
              method,
              on,
              figures: figuresOf(asked, {
                seed,
                withPixelAuroc: on === 'all' || isSingle,
                resamples: options.bootstrapResamples,
              }),
              ...(decisions && { decisions }),
            })
          }
        }
      }
    }
    return {
      splitFile,
      measured: {
        schema: 'radar-edge/bench-miiad@1',
        bundle: { id: bundle.id, name: bundle.manifest.name, version: bundle.manifest.version },
        ablations: ablations.map(({ name, bundle: { id } }) => ({ name, bundle: id })),
        dataset: splitFile.dataset,
        byteBudget: options.byteBudget,
        promisedFalseRejectRate: options.falseRejectRate,
        resolution: '224 x 224 of the zero-padded square, masks resized nearest, as M3DM does',
        splits: wanted.flatMap((category) =>
          splitFile.splits.map((split) => countsOf(category, items, split)),
        ),
        cells,
        gaps,
        warnings: [...warnings],
      },
    }
  } finally {
    await Promise.all([station.rgb.close(), station.xyz.close()])
    for (const one of opened) await one.release()
  }
}

function wantedItems(
  all: readonly DatasetItem[],
  { dataFolder, classes }: MiiadOptions,
): { wanted: readonly string[]; items: readonly DatasetItem[] } {
  const categories = [...new Set(all.map((item) => item.category))]
  const wanted = classes ?? categories
  const unknown = wanted.find((name) => !categories.includes(name))
  if (unknown !== undefined) {
    throw new RangeError(`${dataFolder} has no class '${unknown}', only ${categories.join(', ')}`)
  }
  // Defective parts teach nothing.
  const items = all.filter(
    ({ category, split, label }) => wanted.includes(category) && (split === 'test' || label === 'good'),
  )
  return { wanted, items }
}

function splitFileFor(items: readonly DatasetItem[], { splits, dataFolder }: MiiadOptions): SplitFile {
  if ('schema' in splits) {
    for (const split of splits.splits) checkSplit(split, items)
    return splits
  }
  const [name = ''] = dataFolder.split(/[\\/]/).filter(Boolean).slice(-1)
  return {
    schema: 'radar-edge/miiad-splits@1',
    rule: SPLIT_RULE,
    dataset: name,
    splits: splits.map((request) => ({ ...splitByRule(items, request) })),
  }
}

function methodsOf({ methods, ablations = [] }: MiiadOptions): readonly string[] {
  const known = [...METHODS, ...ablations.map(({ name }) => ablationMethod(name))]
  const unknown = methods?.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new RangeError(`no method is called '${unknown}', expected some of ${known.join(', ')}`)
  }
  return methods ?? known
}

/** An ablation is of the fusion: with other encoders nothing else would be the same either. */
function checkAblation(name: string, { manifest }: Bundle, of: Bundle): void {
  for (const encoder of ['rgb', 'xyz'] as const) {
    const found = manifest.encoders[encoder].file.sha256
    const expected = of.manifest.encoders[encoder].file.sha256
    if (found !== expected) {
      throw new RangeError(
        `ablation '${name}' has another ${encoder} encoder (SHA-256 ${found}) than the bundle (${expected}); only the fusion may differ`,
      )
    }
  }
  if (contentId(manifest.input) !== contentId(of.manifest.input)) {
    throw new RangeError(`ablation '${name}' prepares its input in another way than the bundle`)
  }
}

async function encodeClass(
  items: readonly DatasetItem[],
  { bundle, station, options }: Tools,
  warnings: Set<string>,
): Promise<EncodedPart[]> {
  const parts: EncodedPart[] = []
  for (const [index, item] of items.entries()) {
    options.signal?.throwIfAborted()
    const sample = await sampleOf(item, { station, signal: options.signal })
    const seen = new Map<DecidableCondition, { features: Features; placement: Placement }>()
    for (const { condition, features, placement, why } of await inEveryCondition(sample, {
      bundle,
      seed: EXTRACTION_SEED,
    })) {
      if (features) seen.set(condition, { features, placement })
      else if (sample.condition === 'complete')
        warnings.add(`'${item.partId}' cannot be ${condition}: ${why}`)
    }
    const { mask } = item.label === 'good' ? { mask: undefined } : await station.truthOf(triggerOf(item))
    parts.push({ item, seen, mask })
    options.onProgress?.({ phase: `${item.category}: encoding`, done: index + 1, total: items.length })
  }
  return parts
}

/** What the split leaves of every part. A part that cannot be seen so is seen as it can, with no more than the split leaves it. */
function partsOf(
  parts: readonly EncodedPart[],
  conditions: Readonly<Record<string, DecidableCondition>>,
): SplitParts {
  const left = parts.flatMap(({ item, seen, mask }) => {
    const wanted = conditions[fullPartId(item)]!
    const found = seen.get(wanted) ?? [...seen].find(([condition]) => canNarrow(wanted, condition))?.[1]
    if (!found) return []
    const square: DefectMask = mask && squareMask(mask, found.placement)
    return [{ item, partId: item.partId, features: found.features, mask: square }]
  })
  return {
    taught: left.filter(({ item }) => item.split === 'train'),
    heldOut: left.filter(({ item }) => item.split === 'validation'),
    tested: left
      .filter(({ item }) => item.split === 'test')
      .map((part) => ({ ...part, isDefective: part.item.label !== 'good' })),
  }
}

/** Fusing costs more than all else; what it makes of a part does not depend on the split. Forgotten with the part's features. */
function remembered(fuse: Fuse): Fuse {
  const known = new WeakMap<Float32Array, Map<DecidableCondition, ReturnType<Fuse>>>()
  return (features) => {
    const { rgb, xyz, condition } = features
    const values = rgb?.values ?? xyz?.values
    if (!values) return fuse(features)
    const ofPart = known.get(values) ?? new Map<DecidableCondition, ReturnType<Fuse>>()
    known.set(values, ofPart)
    const rows = ofPart.get(condition) ?? fuse(features)
    ofPart.set(condition, rows)
    return rows
  }
}

function countsOf(
  category: string,
  items: readonly DatasetItem[],
  { kind, rate, where, seed, conditions }: SplitFile['splits'][number],
): MiiadMeasured['splits'][number] {
  const count = (isTest: boolean) => {
    const of = items
      .filter((item) => item.category === category && (item.split === 'test') === isTest)
      .map((item) => conditions[fullPartId(item)])
    const how = (condition: DecidableCondition) => of.filter((one) => one === condition).length
    return { complete: how('complete'), 'rgb-only': how('rgb-only'), 'xyz-only': how('xyz-only') }
  }
  return { kind, rate, where, seed, category, taught: count(false), tested: count(true) }
}
