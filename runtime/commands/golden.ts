/**
 * `radar-edge golden add | list | remove`: reference parts, good and bad, of which somebody knows what they are. They gate every change of
 * a product's repository and are shown to the running model every shift, so none is taught.
 */
import { resolve } from 'node:path'
import { monotonicClock } from '../../drivers/clock.ts'
import { DatasetError, indexDataset, type DatasetItem } from '../../drivers/dataset.ts'
import type { Trigger, Truth } from '../../drivers/driver.ts'
import { readMask } from '../../drivers/formats/mask.ts'
import { readWholeFile } from '../../drivers/formats/read-whole-file.ts'
import { replayStation } from '../../drivers/replay.ts'
import { openRig } from '../../drivers/rig.ts'
import type { Sample } from '../../drivers/sample.ts'
import { reduceMask } from '../../models/reduce.ts'
import { PartError, sampleOfStored, type PartRecord, type StoredPart } from '../../models/stored-part.ts'
import { productOf, type Config } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { encodeSample } from '../encoded-sample.ts'
import { openPartArchive } from '../part-archive.ts'
import { progressLine, type ProgressLine } from '../progress.ts'
import { RuntimeError } from '../runtime-error.ts'
import { openSensors } from '../sensors.ts'
import { archiveOf, goldenShelf } from '../shelves.ts'
import { oneLine, textTable } from '../text-table.ts'
import { userName } from '../user-name.ts'
import { openWorkshop, type Workshop } from '../workshop.ts'
import { PLANE_SEED } from '../plane-seed.ts'
import { printJson, withRepositories, type RepositoryOptions } from './repository.ts'

export interface GoldenReasons extends RepositoryOptions {
  /** Default: the user of this process. */
  readonly who?: string
  readonly why?: string
}

export interface GoldenAddOptions extends GoldenReasons {
  /** Of an inspected part; where the truth is known, only parts of this label are added. */
  readonly label?: Label
  /** What is wrong with an inspected part. */
  readonly defect?: string
  /** From one of these places: parts that were inspected, by trigger id ... */
  readonly trigger?: readonly string[]
  /** ... recorded ones with labels ... */
  readonly data?: string
  /** ... at most so many of each label ... */
  readonly perLabel?: number
  /** ... or so many from the station's own sensors, if they are synthetic or replayed. */
  readonly parts?: number
  readonly signal: AbortSignal
}

type Label = 'good' | 'bad'

/** A part and what is known of it. */
interface KnownPart {
  readonly partId: string
  readonly label: Label
  readonly defect?: string
  readonly mask?: Truth['mask']
  readonly sample: Sample
  readonly capturedAt: string
  readonly origin: string
}

/** So that golden parts of the synthetic station are neither those that were taught nor those that are inspected. */
const GOLDEN_SEED_OFFSET = 2_000_003
/** So many parts of a station are looked at for one of the label that was asked for. */
const LOOKED_AT_PER_PART = 100
const MOST_NAMED = 200
const CLOSE_MS = 1000

export async function goldenAdd(options: GoldenAddOptions): Promise<void> {
  const written = await readConfig(options.config)
  const config = { ...written, product: productOf(options.product ?? written.product) }
  const source = sourceOf(config, options)
  const line = progressLine()
  const shop = await openWorkshop(config)
  const added: PartRecord[] = []
  try {
    for await (const part of source) {
      const record = await addPart(part, shop, line)
      if (record !== undefined) added.push(record)
      line.update({ phase: 'adding golden parts', done: added.length, total: 0, note: `${added.length}` })
      options.signal.throwIfAborted()
    }
  } finally {
    line.finish()
    // Those that were added are there, also when it ended early.
    if (added.length > 0) recordAdded(shop, added, options)
    await shop.close()
  }
  if (added.length === 0) throw new RuntimeError('GOLDEN_REFUSED', 'no part could be added')
  if (options.json) added.forEach((record) => printJson(jsonOf(record)))
  else process.stdout.write(`${config.product}: ${countsOf(added)} added\n${tableOf(added)}`)
}

export async function goldenList(options: RepositoryOptions): Promise<void> {
  await withRepositories(options, async ({ config, product }) => {
    const { parts, damaged } = await goldenShelf(config, product).list()
    if (options.json) {
      parts.forEach((record) => printJson(jsonOf(record)))
      damaged.forEach((part) => printJson({ ...part, damaged: true }))
      return
    }
    const bad = damaged.map(({ partId, detail }) => `  damaged: ${partId}: ${detail}\n`)
    process.stdout.write(`${product}: ${countsOf(parts)}\n${tableOf(parts)}${bad.join('')}`)
  })
}

/** @throws PartError PART_UNKNOWN when one is not there; the others are removed all the same. */
export async function goldenRemove(partIds: readonly string[], options: GoldenReasons): Promise<void> {
  await withRepositories(options, async ({ config, product, ledger }) => {
    const shelf = goldenShelf(config, product)
    const removed: string[] = []
    for (const partId of partIds) if (await shelf.remove(partId)) removed.push(partId)
    if (removed.length > 0) {
      const { who = userName(), why = 'golden parts removed' } = options
      const figures = { removed: removed.slice(0, MOST_NAMED), count: removed.length }
      ledger.record({ product, action: 'golden', who, why, figures })
    }
    if (options.json) printJson({ product, removed })
    else process.stdout.write(`${product}: ${removed.length} golden parts removed\n`)
    const unknown = partIds.filter((partId) => !removed.includes(partId))
    if (unknown.length > 0) {
      throw new PartError('PART_UNKNOWN', `${product} has no golden part ${unknown.join(', ')}`)
    }
  })
}

async function addPart(
  { partId, label, defect, mask, sample, capturedAt, origin }: KnownPart,
  { bundle, golden, product }: Workshop,
  line: ProgressLine,
): Promise<PartRecord | undefined> {
  const { features, step, ...encoded } = await encodeSample(sample, { bundle, seed: PLANE_SEED })
  if (features === undefined) {
    const why = Object.values(encoded.absent).map(({ detail }) => detail)
    line.finish()
    process.stderr.write(`${partId} is not added: ${why.join('; ') || 'it has no frames'}\n`)
    return undefined
  }
  const { rgb, xyz } = sample.frames
  const frame = rgb ?? xyz
  if (mask !== undefined && (mask.width !== frame?.width || mask.height !== frame.height)) {
    throw new RuntimeError(
      'GOLDEN_REFUSED',
      `the mask of ${partId} has ${mask.width}x${mask.height} pixels, its frames ${frame?.width}x${frame?.height}`,
    )
  }
  const part: StoredPart = {
    partId,
    product,
    capturedAt,
    label,
    ...(defect !== undefined && { defect }),
    ...encoded,
    features,
    ...(mask !== undefined && { mask: reduceMask(mask, step) }),
    note: { origin, hasMask: mask !== undefined },
  }
  return (await golden.add(part)).record
}

function recordAdded(
  { ledger, product }: Workshop,
  added: readonly PartRecord[],
  options: GoldenReasons,
): void {
  const { who = userName(), why = 'golden parts added' } = options
  const named = added.slice(0, MOST_NAMED).map(({ partId, label, defect }) => ({ partId, label, defect }))
  ledger.record({ product, action: 'golden', who, why, figures: { added: named, count: added.length } })
}

/** @throws RuntimeError GOLDEN_REFUSED for a question that leaves open what the parts are. */
function sourceOf(config: Config, options: GoldenAddOptions): AsyncIterable<KnownPart> {
  const { trigger, data, parts } = options
  const places = [trigger, data, parts].filter((place) => place !== undefined)
  if (places.length !== 1) {
    throw new RuntimeError('GOLDEN_REFUSED', 'golden parts come from one place: --trigger, --data or --parts')
  }
  if (trigger !== undefined) return inspectedParts(trigger, config, options)
  return data === undefined ? shownParts(parts!, config, options) : recordedParts(resolve(data), options)
}

/** Parts whose frames are in the archive; a person says what they are. */
async function* inspectedParts(
  triggerIds: readonly string[],
  config: Config,
  { label, defect }: GoldenAddOptions,
): AsyncGenerator<KnownPart> {
  if (label === undefined) {
    throw new RuntimeError('GOLDEN_REFUSED', 'nobody has said what these parts are: --label good or bad')
  }
  const archive = await openPartArchive({ ...archiveOf(config), role: 'guest', clock: monotonicClock })
  try {
    for (const triggerId of triggerIds) {
      const stored = await archive.load(triggerId, 'all')
      if (stored.product !== config.product) {
        throw new RuntimeError(
          'GOLDEN_REFUSED',
          `${triggerId} is a ${stored.product}, not a ${config.product}`,
        )
      }
      if (stored.frames.rgb === undefined && stored.frames.xyz === undefined) {
        const why = 'only its features are kept: frames are kept of parts that did not pass'
        throw new RuntimeError('GOLDEN_REFUSED', `${triggerId} cannot be shown again, ${why}`)
      }
      yield {
        partId: triggerId,
        label,
        ...(label === 'bad' && defect !== undefined && { defect }),
        sample: sampleOfStored(stored),
        capturedAt: stored.capturedAt,
        origin: 'inspected',
      }
    }
  } finally {
    await archive.close(AbortSignal.timeout(CLOSE_MS))
  }
}

/** The test parts of a class; of loose pairs, all of them. The others are taught. */
async function* recordedParts(root: string, options: GoldenAddOptions): AsyncGenerator<KnownPart> {
  const { label: asked, perLabel = Infinity, signal } = options
  const items = (await indexDataset(root)).items.filter(({ split }) => split === 'test' || split === 'loose')
  if (items.length === 0) throw new DatasetError('DATASET_EMPTY', `${root} holds no parts in test/`)
  const station = replayStation({ root })
  const supervision = { deadlineMs: 30_000 }
  const rig = await openRig(
    {
      rgb: { make: () => station.rgb, supervision, freezeCheck: false },
      xyz: { make: () => station.xyz, supervision, freezeCheck: false },
      skewToleranceMs: 60_000,
    },
    signal,
  )
  const counts = new Map<string, number>()
  try {
    for (const item of items) {
      const label = labelOf(item.label) ?? asked
      if (label === undefined) {
        throw new RuntimeError(
          'GOLDEN_REFUSED',
          `${root} does not say what its parts are: --label good or bad`,
        )
      }
      const count = counts.get(item.label) ?? 0
      if ((asked !== undefined && label !== asked) || count >= perLabel) continue
      counts.set(item.label, count + 1)
      const { partId } = item
      const trigger = { id: `golden-${partId}`, atMs: performance.now(), source: 'bench' as const, partId }
      const mask = await maskOf(item)
      yield {
        partId,
        ...known(label, { defect: labelOf(item.label) === undefined ? options.defect : item.label, mask }),
        sample: await rig.capture(trigger, signal),
        capturedAt: new Date().toISOString(),
        origin: 'recorded',
      }
    }
  } finally {
    await rig.close()
  }
}

/** What the sensors show, where they know what it is. */
async function* shownParts(
  wanted: number,
  config: Config,
  { label: asked, signal }: GoldenAddOptions,
): AsyncGenerator<KnownPart> {
  const { synthetic } = config
  const seed = (synthetic.seed + GOLDEN_SEED_OFFSET) % 2 ** 31
  const { rig, truthOf } = await openSensors({ ...config, synthetic: { ...synthetic, seed } }, {}, signal)
  try {
    let added = 0
    for (let shown = 1; added < wanted && shown <= wanted * LOOKED_AT_PER_PART; shown++) {
      const trigger: Trigger = { id: `golden-${shown}`, atMs: performance.now(), source: 'bench' }
      const truth = await truthOf?.(trigger)
      const label = truth && labelOf(truth.label)
      if (truth === undefined || label === undefined) {
        const advice = 'add parts that were inspected, with --trigger and --label'
        throw new RuntimeError('GOLDEN_REFUSED', `nobody knows what these sensors show: ${advice}`)
      }
      if (asked !== undefined && label !== asked) continue
      added++
      yield {
        partId: truth.partId,
        ...known(label, { defect: truth.label, mask: truth.mask }),
        sample: await rig.capture(trigger, signal),
        capturedAt: new Date().toISOString(),
        origin: 'shown',
      }
    }
  } finally {
    await rig.close()
  }
}

function known(
  label: Label,
  { defect, mask }: { readonly defect: string | undefined; readonly mask: Truth['mask'] },
): Pick<KnownPart, 'label' | 'defect' | 'mask'> {
  if (label === 'good') return { label }
  return { label, ...(defect !== undefined && { defect }), ...(mask !== undefined && { mask }) }
}

function labelOf(text: string): Label | undefined {
  return text === 'unlabelled' ? undefined : text === 'good' ? 'good' : 'bad'
}

async function maskOf({ maskPath }: DatasetItem): Promise<Truth['mask']> {
  return maskPath === undefined ? undefined : readMask(maskPath, await readWholeFile(maskPath))
}

function jsonOf({ features, framesSha256, ...record }: PartRecord) {
  return { ...record, bundleId: features?.bundleId, engine: features?.engine, framesSha256 }
}

function countsOf(parts: readonly PartRecord[]): string {
  const good = parts.filter(({ label }) => label === 'good').length
  return `${good} good and ${parts.length - good} bad golden parts`
}

function tableOf(parts: readonly PartRecord[]): string {
  if (parts.length === 0) return ''
  const rows = parts.map(({ partId, label, defect, condition, note, bytes, capturedAt }) => [
    oneLine(partId, 60),
    label,
    oneLine(defect ?? '', 30),
    condition,
    note?.['hasMask'] === true ? 'mask' : '',
    `${(bytes / 2 ** 20).toFixed(1)} MiB`,
    capturedAt.slice(0, 16).replace('T', ' '),
  ])
  const head = ['part', 'label', 'defect', 'condition', '', 'size', 'captured']
  return textTable([head, ...rows], { right: [5], indent: '  ' })
}
