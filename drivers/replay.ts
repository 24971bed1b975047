/** A station whose sensors are files: each trigger shows a stored part to both drivers. */
import { monotonicClock, type Clock } from './clock.ts'
import { indexDataset, type Dataset, type DatasetItem } from './dataset.ts'
import { isEyecandiesDepth, readEyecandiesDepth } from './eyecandies.ts'
import { DriverError, type Driver, type StationDrivers, type Trigger, type Truth } from './driver.ts'
import { FormatError } from './formats/format-error.ts'
import { FrameRefused } from './frame-refused.ts'
import { readMask } from './formats/mask.ts'
import { readPicture } from './formats/picture.ts'
import type { PointMapOptions } from './formats/point-map.ts'
import { readPointMap } from './formats/read-point-map.ts'
import { readWholeFile } from './formats/read-whole-file.ts'
import type { Frame, FrameOf, Modality, RgbFrame, XyzFrame } from './frame.ts'

export interface ReplayOptions {
  /** A dataset's folder, see dataset.ts. */
  readonly root: string
  /** Only parts of these splits and labels; default all. */
  readonly splits?: readonly DatasetItem['split'][]
  readonly labels?: readonly string[]
  /** What a trigger without a partId gets after the last part. Default `stop`: DRIVER_UNAVAILABLE. */
  readonly atEnd?: 'stop' | 'repeat'
  /** The sensors' names. Default `replay-rgb` and `replay-xyz`. */
  readonly sensors?: { readonly rgb: string; readonly xyz: string }
  /** How to read files that leave their unit or grid open. */
  readonly pointMap?: PointMapOptions
  readonly clock?: Clock
}

export interface ReplayStation extends Required<StationDrivers> {
  /** The parts in the order in which triggers get them. Rejects with DatasetError. */
  parts(): Promise<readonly DatasetItem[]>
}

/**
 * A trigger's partId picks the part; one without a partId gets the next part in the dataset's order, the same for both drivers and
 * for `truthOf`. Nothing is read before the first `open`, `parts` or `truthOf`. A file that cannot be read is refused (`FrameRefused`,
 * the FormatError is its cause), and so is a part without a file for the modality. Reopening would not mend it: a run of such parts must
 * not cost the parts after them their sensor.
 */
export function replayStation(options: ReplayOptions): ReplayStation {
  const playlist = makePlaylist(options)
  const clock = options.clock ?? monotonicClock
  const sensors = options.sensors ?? { rgb: 'replay-rgb', xyz: 'replay-xyz' }
  return {
    rgb: new ReplayDriver({ name: sensors.rgb, modality: 'rgb', playlist, clock, read: readRgb }),
    xyz: new ReplayDriver({
      name: sensors.xyz,
      modality: 'xyz',
      playlist,
      clock,
      read: (request) => readXyz(request, options.pointMap),
    }),
    parts: playlist.parts,
    truthOf: async (trigger) => readTruth(await playlist.partOf(trigger)),
  }
}

/** Triggers whose part is remembered. The oldest goes first; asked again, it would count as a new trigger. */
const REMEMBERED_TRIGGERS = 4096

interface Playlist {
  parts(): Promise<readonly DatasetItem[]>
  partOf(trigger: Trigger): Promise<DatasetItem>
}

function makePlaylist({ root, splits, labels, atEnd = 'stop' }: ReplayOptions): Playlist {
  const assigned = new Map<string, DatasetItem>()
  let index: Promise<Dataset> | undefined
  let next = 0
  const parts = async (): Promise<readonly DatasetItem[]> => {
    index ??= indexDataset(root)
    try {
      const { items } = await index
      return items.filter(
        (item) => (splits?.includes(item.split) ?? true) && (labels?.includes(item.label) ?? true),
      )
    } catch (error) {
      // The folder may be mounted later: the next open looks again.
      index = undefined
      throw error
    }
  }
  return {
    parts,
    async partOf({ id, partId }) {
      const items = await parts()
      if (partId !== undefined) {
        const named = items.find((item) => item.partId === partId)
        if (named) return named
        throw new DriverError(
          'DRIVER_BAD_FRAME',
          `no part "${partId}" under ${root}, expected one such as "${items[0]?.partId}"`,
        )
      }
      const before = assigned.get(id)
      if (before) return before
      const item = items[atEnd === 'repeat' ? next % items.length : next]
      if (item === undefined) {
        throw new DriverError('DRIVER_UNAVAILABLE', `all ${items.length} parts under ${root} have been shown`)
      }
      next++
      assigned.set(id, item)
      const [oldest] = assigned.keys()
      if (assigned.size > REMEMBERED_TRIGGERS && oldest !== undefined) assigned.delete(oldest)
      return item
    },
  }
}

interface ReadRequest {
  readonly item: DatasetItem
  /** What of a frame is not in the file. */
  readonly header: Pick<Frame, 'sensor' | 'sequence' | 'exposedAtMs'>
  readonly signal: AbortSignal
}

interface ReplayDriverOptions<M extends Modality> {
  readonly name: string
  readonly modality: M
  readonly playlist: Playlist
  readonly clock: Clock
  read(request: ReadRequest): Promise<FrameOf<M>>
}

class ReplayDriver<M extends Modality> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: ReplayDriverOptions<M>
  /** Of this opening; undefined while closed. */
  #session: { sequence: number } | undefined
  #closings = 0
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(options: ReplayDriverOptions<M>) {
    this.name = options.name
    this.modality = options.modality
    this.#options = options
  }

  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#session) return
    const closings = this.#closings
    let parts: readonly DatasetItem[]
    try {
      parts = await this.#options.playlist.parts()
    } catch (error) {
      throw new DriverError('DRIVER_UNAVAILABLE', `${this.name}: ${String(error)}`, { cause: error })
    }
    signal.throwIfAborted()
    if (!parts.some((part) => pathOf(part, this.modality) !== undefined)) {
      throw new DriverError(
        'DRIVER_UNAVAILABLE',
        `${this.name}: none of ${parts.length} parts has an ${this.modality} file`,
      )
    }
    if (closings !== this.#closings)
      throw new DriverError('DRIVER_LOST', `${this.name} was closed while opening`)
    this.#session ??= { sequence: 0 }
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    const capture = this.#capture(trigger, signal)
    this.#underWay.add(capture)
    try {
      return await capture
    } finally {
      this.#underWay.delete(capture)
    }
  }

  async close(): Promise<void> {
    this.#session = undefined
    this.#closings++
    await Promise.allSettled(this.#underWay)
  }

  async #capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const session = this.#session
    if (!session) throw new DriverError('DRIVER_UNAVAILABLE', `${this.name} is not open`)
    const { clock, playlist, read } = this.#options
    const header = { sensor: this.name, sequence: session.sequence++, exposedAtMs: clock.now() }
    try {
      const item = await playlist.partOf(trigger)
      const frame = await read({ item, header, signal })
      signal.throwIfAborted()
      if (this.#session !== session)
        throw new DriverError('DRIVER_LOST', `${this.name} was closed during a capture`)
      return frame
    } catch (error) {
      const isOfThePart =
        error instanceof FormatError || (error instanceof DriverError && error.code === 'DRIVER_BAD_FRAME')
      if (!isOfThePart) throw error
      const detail = `cannot be shown: ${error.message}`
      throw new FrameRefused(this.name, { reason: 'rejected', detail }, { cause: error })
    }
  }
}

function pathOf(item: DatasetItem, modality: Modality): string | undefined {
  return modality === 'rgb' ? item.rgbPath : item.xyzPath
}

function requirePath(item: DatasetItem, modality: Modality): string {
  const path = pathOf(item, modality)
  if (path === undefined)
    throw new DriverError('DRIVER_BAD_FRAME', `part ${item.partId} has no ${modality} file`)
  return path
}

async function readRgb({ item, header, signal }: ReadRequest): Promise<RgbFrame> {
  const path = requirePath(item, 'rgb')
  const { width, height, pixels } = await readPicture(path, await readWholeFile(path, { signal }))
  return { ...header, modality: 'rgb', width, height, pixels }
}

async function readXyz({ item, header, signal }: ReadRequest, options?: PointMapOptions): Promise<XyzFrame> {
  const path = requirePath(item, 'xyz')
  const map = isEyecandiesDepth(path)
    ? await readEyecandiesDepth(path, { signal })
    : await readPointMap(path, { ...options, signal })
  return { ...header, modality: 'xyz', ...map }
}

async function readTruth({ partId, label, maskPath }: DatasetItem): Promise<Truth> {
  if (maskPath === undefined) return { partId, label }
  return { partId, label, mask: await readMask(maskPath, await readWholeFile(maskPath)) }
}
