/**
 * The synthetic station: a colour camera and a 3D sensor over the same procedural parts. The default sensors of the demo.
 */
import { monotonicClock, type Clock } from '../clock.ts'
import type { Driver, StationDrivers, Trigger, Truth } from '../driver.ts'
import { FrameRefused } from '../frame-refused.ts'
import type { FrameOf, Modality, RgbFrame, XyzFrame } from '../frame.ts'
import { categoryNamed, type CategoryName } from './catalogue.ts'
import { DEFECT_KINDS, type DefectKind } from './defect.ts'
import { hash32, hashText, randomFrom } from '../random.ts'
import type { PartOptions } from './render.ts'
import { Studio } from './studio.ts'

export interface SyntheticStationOptions {
  readonly category: CategoryName
  readonly width: number
  readonly height: number
  readonly seed: number
  /** Share of parts with a defect, 0..1. */
  readonly defectRate: number
  /** Which defects; default all that the category declares. */
  readonly defects?: readonly [DefectKind, ...DefectKind[]]
  /** The sensors' names. Default `synthetic-rgb` and `synthetic-xyz`. */
  readonly sensors?: { readonly rgb: string; readonly xyz: string }
  readonly clock?: Clock
}

/**
 * Both sensors show the same part for the same trigger. Which part that is follows from the seed and from how many
 * triggers the station had before, or from the trigger's partId where it names a part: `good-12` is part 12, `dent-12`
 * the same part dented. Sensor noise is fresh in every exposure, also of the same part.
 */
export function syntheticStation(options: SyntheticStationOptions): Required<StationDrivers> {
  const studio = new Studio()
  const line = makeLine(options)
  const clock = options.clock ?? monotonicClock
  const sensors = options.sensors ?? { rgb: 'synthetic-rgb', xyz: 'synthetic-xyz' }
  return {
    rgb: new SyntheticDriver({ name: sensors.rgb, modality: 'rgb', studio, line, clock, frameOf: rgbFrame }),
    xyz: new SyntheticDriver({ name: sensors.xyz, modality: 'xyz', studio, line, clock, frameOf: xyzFrame }),
    truthOf: (trigger) => truthOf(line.partOf(trigger), studio),
  }
}

interface LinePart {
  readonly partId: string
  readonly options: PartOptions
}

/** The conveyor: which part lies under the sensors for a trigger. */
interface Line {
  partOf(trigger: Trigger): LinePart
}

/** Triggers whose part is remembered. The oldest goes first; asked again, it would count as a new trigger. */
const REMEMBERED_TRIGGERS = 4096

function makeLine(options: SyntheticStationOptions): Line {
  const assigned = new Map<string, LinePart>()
  const { defects } = categoryNamed(options.category)
  let ordinal = 0
  const partNumbered = (number: number, defect: DefectKind | undefined): LinePart => ({
    partId: `${defect ?? 'good'}-${number}`,
    options: {
      category: options.category,
      width: options.width,
      height: options.height,
      seed: hash32(hash32(options.seed) + number),
      ...(defect === undefined ? {} : { defect }),
    },
  })
  const nextPart = (): LinePart => {
    const number = ordinal++
    const random = randomFrom(hash32(options.seed) + number, 'station')
    const defect = random.pick(options.defects ?? defects)
    return partNumbered(number, random.chance(options.defectRate) ? defect : undefined)
  }
  const namedPart = (partId: string): LinePart | undefined => {
    const [, label, number] = /^(.+)-(\d{1,9})$/.exec(partId) ?? []
    if (label === undefined) return undefined
    if (label === 'good') return partNumbered(Number(number), undefined)
    const defect = DEFECT_KINDS.find((kind) => kind === label)
    if (defect === undefined) return undefined
    if (!defects.includes(defect)) {
      const detail = `of part '${partId}' cannot be shown: ${options.category} has no defect '${defect}', only ${defects.join(', ')}`
      throw new FrameRefused('synthetic station', { reason: 'rejected', detail })
    }
    return partNumbered(Number(number), defect)
  }
  return {
    partOf(trigger) {
      const known = assigned.get(trigger.id)
      if (known !== undefined) return known
      const part = (trigger.partId === undefined ? undefined : namedPart(trigger.partId)) ?? nextPart()
      assigned.set(trigger.id, part)
      for (const oldest of assigned.keys()) {
        if (assigned.size <= REMEMBERED_TRIGGERS) break
        assigned.delete(oldest)
      }
      return part
    },
  }
}

interface FrameSource {
  readonly sensor: string
  readonly sequence: number
  readonly exposedAtMs: number
  readonly width: number
  readonly height: number
}

interface SyntheticDriverOptions<M extends Modality> {
  readonly name: string
  readonly modality: M
  readonly studio: Studio
  readonly line: Line
  readonly clock: Clock
  frameOf(source: FrameSource, samples: Uint8Array | Float32Array): FrameOf<M>
}

class SyntheticDriver<M extends Modality> implements Driver<M> {
  readonly name: string
  readonly modality: M
  readonly #options: SyntheticDriverOptions<M>
  #sequence = 0
  #exposures = 0

  constructor(options: SyntheticDriverOptions<M>) {
    this.name = options.name
    this.modality = options.modality
    this.#options = options
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#options.studio.enter(this, signal)
  }

  async capture(trigger: Trigger, signal: AbortSignal): Promise<FrameOf<M>> {
    signal.throwIfAborted()
    const { studio, line, clock, frameOf } = this.#options
    const exposedAtMs = clock.now()
    const part = line.partOf(trigger).options
    const noiseSeed = hash32(hash32(part.seed ^ hashText(this.modality)) + this.#exposures++)
    const samples = await studio.ask({ want: this.modality, part, noiseSeed }, { user: this, signal })
    const { width, height } = part
    return frameOf({ sensor: this.name, sequence: this.#sequence++, exposedAtMs, width, height }, samples)
  }

  async close(): Promise<void> {
    await this.#options.studio.leave(this)
    this.#sequence = 0
  }
}

function rgbFrame(source: FrameSource, samples: Uint8Array | Float32Array): RgbFrame {
  if (!(samples instanceof Uint8Array))
    throw new TypeError('the rendering thread answered with points, not pixels')
  return { ...source, modality: 'rgb', pixels: samples }
}

function xyzFrame(source: FrameSource, samples: Uint8Array | Float32Array): XyzFrame {
  if (!(samples instanceof Float32Array))
    throw new TypeError('the rendering thread answered with pixels, not points')
  return { ...source, modality: 'xyz', pointsMetres: samples }
}

/** Works on a closed station too: the rendering thread then runs for this one question. */
async function truthOf({ partId, options }: LinePart, studio: Studio): Promise<Truth> {
  if (options.defect === undefined) return { partId, label: 'good' }
  const user = {}
  const { signal } = new AbortController()
  try {
    await studio.enter(user, signal)
    const pixels = await studio.ask({ want: 'mask', part: options, noiseSeed: 0 }, { user, signal })
    if (!(pixels instanceof Uint8Array))
      throw new TypeError('the rendering thread answered with points, not a mask')
    return { partId, label: options.defect, mask: { width: options.width, height: options.height, pixels } }
  } finally {
    await studio.leave(user)
  }
}
