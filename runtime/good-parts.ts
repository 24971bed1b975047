/** Where good parts to teach come from: the station's own sensors, recorded ones, or a finished teaching that is taught again. */
import { DatasetError, indexDataset } from '../drivers/dataset.ts'
import type { Trigger } from '../drivers/driver.ts'
import { replayStation } from '../drivers/replay.ts'
import { openRig } from '../drivers/rig.ts'
import type { Sample } from '../drivers/sample.ts'
import type { Config } from './config-schema.ts'
import { RuntimeError } from './runtime-error.ts'
import { openSensors } from './sensors.ts'
import { partName, type PartToTeach, type Teaching } from './teaching.ts'

export interface GoodParts {
  /** In the order in which they are shown. */
  readonly items: readonly PartToTeach[]
  /** So many parts in a row may lack a sensor: live, it is broken; recorded, that is how they were recorded. */
  readonly mostIncompleteInARow: number
  capture(item: PartToTeach): Promise<Sample>
  /** It was captured before: the station shows the next one. */
  pass(item: PartToTeach): Promise<void>
  close(): Promise<void>
}

export interface GoodPartsOptions {
  /** How many come from the station's own sensors. */
  readonly parts: number
  /** Recorded parts instead. */
  readonly data?: string
  readonly signal: AbortSignal
}

/** After this many parts in a row that lack a sensor something is wrong with the station. */
const MAX_INCOMPLETE_IN_A_ROW = 5

/** What a running station has put away for a teaching already. */
export async function partsOfLine(teaching: Pick<Teaching, 'captured' | 'firstNumber'>): Promise<GoodParts> {
  const captured = await teaching.captured()
  const numbered = Array.from({ length: captured.size }, (_, index) => partName(teaching.firstNumber + index))
  return keptParts(
    numbered.filter((partId) => captured.has(partId)).map((partId) => ({ partId, heldOut: false })),
  )
}

export function openGoodParts(
  teaching: Pick<Teaching, 'parts' | 'firstNumber'>,
  config: Config,
  options: GoodPartsOptions,
): Promise<GoodParts> {
  if (teaching.parts !== undefined) return Promise.resolve(keptParts(teaching.parts))
  return options.data === undefined
    ? fromSensors(teaching.firstNumber, config, options)
    : fromDataset(options.data, options.signal)
}

/** Parts of a finished teaching, taught again. */
function keptParts(items: readonly PartToTeach[]): GoodParts {
  return {
    items,
    mostIncompleteInARow: Infinity,
    capture({ partId }) {
      const detail = `part '${partId}' of that teaching is not kept any more: leave it out too, or teach anew`
      return Promise.reject(new RuntimeError('TEACHING_FAILED', detail))
    },
    pass: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

async function fromSensors(
  firstNumber: number,
  config: Config,
  options: GoodPartsOptions,
): Promise<GoodParts> {
  const { rig, truthOf } = await openSensors(config, { goodPartsOnly: true }, options.signal)
  const triggerOf = ({ partId }: PartToTeach): Trigger => ({
    id: partId,
    source: 'teach',
    atMs: performance.now(),
  })
  return {
    items: Array.from({ length: options.parts }, (_, index) => ({
      partId: partName(firstNumber + index),
      heldOut: false,
    })),
    mostIncompleteInARow: MAX_INCOMPLETE_IN_A_ROW,
    capture: (item) => rig.capture(triggerOf(item), options.signal),
    // Synthetic and recorded parts begin with the first one in every process; real ones have gone by.
    async pass(item) {
      await truthOf?.(triggerOf(item)).catch(() => undefined)
    },
    close: () => rig.close(),
  }
}

/** MVTec 3D-AD's layout: train/good is taught, validation/good is held out. Loose pairs are all taught. */
async function fromDataset(root: string, signal: AbortSignal): Promise<GoodParts> {
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
    signal,
  )
  return {
    items: good.map(({ partId, split }) => ({ partId, heldOut: split === 'validation' })),
    mostIncompleteInARow: Infinity,
    capture({ partId }) {
      const trigger = { id: `teach-${partId}`, atMs: performance.now(), source: 'teach' as const, partId }
      return rig.capture(trigger, signal)
    },
    pass: () => Promise.resolve(),
    close: () => rig.close(),
  }
}

export interface CapturedPart {
  readonly item: PartToTeach
  readonly sample: Sample
  readonly capturedAt: string
}

/** While one part is encoded the next one is captured, and no further. */
export async function* capturedAhead(
  parts: GoodParts,
  isPassed: (item: PartToTeach) => boolean,
): AsyncGenerator<CapturedPart, undefined> {
  const items = parts.items.values()
  const next = async (): Promise<CapturedPart | undefined> => {
    for (const item of items) {
      if (isPassed(item)) {
        await parts.pass(item)
        continue
      }
      const capturedAt = new Date().toISOString()
      return { item, sample: await parts.capture(item), capturedAt }
    }
    return undefined
  }
  let ahead = next()
  for (;;) {
    const captured = await ahead
    if (captured === undefined) return undefined
    ahead = next()
    // A capture that fails while nobody waits for it is told when its turn comes.
    ahead.catch(() => undefined)
    yield captured
  }
}
