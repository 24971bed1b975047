/** `radar-edge teach`: good parts -> features -> repository, checked and put into use. */
import { join } from 'node:path'
import { DatasetError, indexDataset } from '../../drivers/dataset.ts'
import { replayStation } from '../../drivers/replay.ts'
import { openRig } from '../../drivers/rig.ts'
import type { Sample } from '../../drivers/sample.ts'
import { openBundle, verifyGolden, type Bundle } from '../../models/bundle.ts'
import { extractFeatures } from '../../models/extract.ts'
import { fuseWith } from '../../models/fusion.ts'
import { openSearch } from '../../models/nearest.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { saveRepository, type Repository } from '../../models/repository.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { trustedBundleFolder } from '../bundle-folder.ts'
import { productOf, recipeOf, type Config } from '../config-schema.ts'
import { readConfig } from '../config.ts'
import { openLedger } from '../ledger.ts'
import { progressLine, type ProgressLine } from '../progress.ts'
import { RuntimeError } from '../runtime-error.ts'
import { openSensors } from '../sensors.ts'
import { userName } from '../user-name.ts'

export interface TeachOptions {
  readonly config: string
  readonly product?: string
  /** Good parts to capture when they come from the station's own sensors. */
  readonly parts: number
  /** Recorded parts instead. */
  readonly data?: string
  readonly seed: number
  readonly json: boolean
  readonly signal: AbortSignal
}

interface GoodPart {
  readonly partId: string
  readonly heldOut: boolean
  readonly sample: Sample
}

/** Where taught parts come from, how many there are, and which of them stay out of the banks. */
interface GoodParts {
  readonly total: number
  /** So many parts in a row may lack a sensor: live, it is broken; recorded, that is how they were recorded. */
  readonly mostIncompleteInARow: number
  samples(): AsyncIterable<GoodPart>
  close(): Promise<void>
}

/** After this many parts in a row that lack a sensor something is wrong with the station. */
const MAX_INCOMPLETE_IN_A_ROW = 5

export async function teachProduct(options: TeachOptions): Promise<void> {
  const written = await readConfig(options.config)
  const config = { ...written, product: productOf(options.product ?? written.product) }
  const recipe = recipeOf(config)
  const line = progressLine()
  const root = join(config.stateDirectory, 'repositories')
  const ledger = openLedger(root)
  const bundle = await openBundle(await trustedBundleFolder(config), config.inference)
  try {
    // A ledger that is damaged says so before the first part is captured.
    ledger.active(config.product)
    await verifyGolden(bundle)
    const parts =
      options.data === undefined
        ? await fromSensors(config, options)
        : await fromDataset(options.data, options)
    const extracted = await extractParts(parts, { bundle, line, ...options }).finally(() => parts.close())
    const search = await openSearch(config.inference)
    try {
      const repository = await teach({
        product: config.product,
        bundle,
        parts: extracted.filter((part) => !part.heldOut),
        heldOut: extracted.filter((part) => part.heldOut),
        search,
        fuse: fuseWith(bundle),
        byteBudget: Math.round(recipe.bankMebibytes * 2 ** 20),
        falseRejectRate: recipe.falseRejectRate,
        mdmMode: recipe.mdm.mode,
        seed: options.seed,
        signal: options.signal,
        onProgress: (progress) => line.update(progress),
      })
      const { product } = config
      const about = { product, repositoryId: repository.id, figures: summaryOf(repository) }
      const by = { who: userName(), why: 'taught' }
      // First, or whoever prunes meanwhile would not know whose folder this is.
      ledger.record({ ...about, ...by, action: 'candidate' })
      await saveRepository(repositoryFolder(root, product, repository.id), repository)
      ledger.promote({ ...about, ...by, expectedActive: ledger.active(product) })
      line.finish()
      process.stdout.write(options.json ? `${JSON.stringify(summaryOf(repository))}\n` : report(repository))
    } finally {
      await search.release()
    }
  } finally {
    line.finish()
    ledger.close()
    await bundle.release()
  }
}

async function extractParts(
  parts: GoodParts,
  options: { bundle: Bundle; seed: number; line: ProgressLine; signal: AbortSignal },
): Promise<(TaughtPart & { readonly heldOut: boolean })[]> {
  const taught: (TaughtPart & { readonly heldOut: boolean })[] = []
  let incompleteInARow = 0
  for await (const { partId, heldOut, sample } of parts.samples()) {
    options.signal.throwIfAborted()
    const extracted = await extractFeatures(sample, options)
    const { condition } = extracted
    if (condition !== 'none') taught.push({ partId, heldOut, features: extracted.features })
    incompleteInARow = condition === 'complete' ? 0 : incompleteInARow + 1
    if (condition !== 'complete') {
      const absent = Object.values(condition === 'none' ? extracted.absent : extracted.input.absent)
      const what = condition === 'none' ? 'is not taught' : `is taught as ${condition}`
      options.line.finish()
      process.stderr.write(`${partId} ${what}: ${absent.map(({ detail }) => detail).join('; ')}\n`)
    }
    if (incompleteInARow >= parts.mostIncompleteInARow) {
      const detail = `${incompleteInARow} parts in a row lacked a sensor; see \`radar-edge doctor\``
      throw new RuntimeError('TEACHING_FAILED', detail)
    }
    options.line.update({ phase: 'encoding parts', done: taught.length, total: parts.total })
  }
  return taught
}

async function fromSensors(config: Config, options: TeachOptions): Promise<GoodParts> {
  const { rig } = await openSensors(config, { goodPartsOnly: true }, options.signal)
  return {
    total: options.parts,
    mostIncompleteInARow: MAX_INCOMPLETE_IN_A_ROW,
    samples() {
      const triggers = Array.from({ length: options.parts }, (_, index) => ({
        id: `teach-${index + 1}`,
        source: 'teach' as const,
      }))
      return capturedAhead(triggers, async (trigger) => ({
        partId: trigger.id,
        heldOut: false,
        sample: await rig.capture({ ...trigger, atMs: performance.now() }, options.signal),
      }))
    },
    close: () => rig.close(),
  }
}

/** MVTec 3D-AD's layout: train/good is taught, validation/good is held out. Loose pairs are all taught. */
async function fromDataset(root: string, options: TeachOptions): Promise<GoodParts> {
  const { items } = await indexDataset(root)
  const good = items.filter(({ split, label }) => split === 'loose' || (split !== 'test' && label === 'good'))
  if (good.length === 0) throw new DatasetError('DATASET_EMPTY', `${root} holds no good parts outside test/`)
  const station = replayStation({ root })
  const rig = await openRig(
    {
      rgb: { make: () => station.rgb, supervision: { deadlineMs: 30_000 }, freezeCheck: false },
      xyz: { make: () => station.xyz, supervision: { deadlineMs: 30_000 }, freezeCheck: false },
      skewToleranceMs: 60_000,
    },
    options.signal,
  )
  return {
    total: good.length,
    mostIncompleteInARow: Infinity,
    samples() {
      return capturedAhead(good, async ({ partId, split }) => {
        const trigger = { id: `teach-${partId}`, atMs: performance.now(), source: 'teach' as const, partId }
        return { partId, heldOut: split === 'validation', sample: await rig.capture(trigger, options.signal) }
      })
    },
    close: () => rig.close(),
  }
}

/** While one part is encoded the next one is captured, and no further. */
async function* capturedAhead<Source>(
  sources: readonly Source[],
  capture: (source: Source) => Promise<GoodPart>,
): AsyncGenerator<GoodPart> {
  let ahead: Promise<GoodPart> | undefined
  for (const [index, source] of sources.entries()) {
    const part = await (ahead ?? capture(source))
    const next = sources[index + 1]
    ahead = next === undefined ? undefined : capture(next)
    // A capture that fails while nobody waits for it is told when its turn comes.
    ahead?.catch(() => undefined)
    yield part
  }
}

function summaryOf({ id, manifest }: Repository) {
  const heads = Object.entries(manifest.heads).map(
    ([condition, head]) => [condition, head.calibration] as const,
  )
  return {
    product: manifest.product,
    repositoryId: id,
    bundleId: manifest.bundle.id,
    taught: manifest.taught.length,
    heldOut: manifest.heldOut.length,
    banks: manifest.banks,
    falseRejectRate: manifest.falseRejectRate,
    calibration: Object.fromEntries(heads),
    warnings: manifest.warnings,
  }
}

function report(repository: Repository): string {
  const summary = summaryOf(repository)
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  const banks = Object.entries(summary.banks).map(
    ([name, bank]) =>
      `  bank ${name.padEnd(14)} ${bank.rows} of ${bank.candidates} patches, covering radius ${bank.coveringRadius.toPrecision(3)}\n`,
  )
  const conditions = Object.entries(summary.calibration).map(
    ([condition, { predictedFalseRejects: predicted, source, parts }]) => {
      const interval = `${percent(predicted.lower)} to ${percent(predicted.upper)}`
      return `  ${condition.padEnd(9)} predicted false rejects ${percent(predicted.rate)} (${interval}), ${parts} parts, ${source}\n`
    },
  )
  return [
    `${summary.product}: ${summary.taught} parts taught, ${summary.heldOut} held out, repository ${summary.repositoryId.slice(0, 12)} in use\n`,
    `  promised false rejects ${percent(summary.falseRejectRate)}\n`,
    ...conditions,
    ...banks,
    ...summary.warnings.map((warning) => `  warning: ${warning}\n`),
  ].join('')
}
