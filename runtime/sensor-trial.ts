/** Some captures from the configured sensors, for a person who wants to know how well they do. */
import type { DeviceReport } from '../drivers/driver.ts'
import type { Frame, Modality } from '../drivers/frame.ts'
import type { Rig } from '../drivers/rig.ts'
import type { Sample } from '../drivers/sample.ts'
import { messageOf } from '../drivers/message-of.ts'
import { quantile } from '../drivers/quantile.ts'

export interface SensorTrial {
  readonly modality: Modality
  readonly sensor: string
  readonly captures: number
  readonly frames: number
  /** Frames by the time from the first trigger to the last frame; absent below two frames. */
  readonly framesPerSecond?: number
  /** From the trigger to the frame in hand. */
  readonly afterTriggerMs?: Spread
  /** From the start of exposure to the frame in hand, as far as the sensor tells when it exposed. */
  readonly latencyMs?: Spread
  /** Why frames were absent, by reason, with the last detail of each. */
  readonly absences: readonly { readonly reason: string; readonly count: number; readonly detail: string }[]
  /** Codes of the frames' remarks, with the last detail of each. */
  readonly remarks: readonly { readonly code: string; readonly count: number; readonly detail: string }[]
  /** The last one. */
  readonly frame?: Frame
  readonly device?: DeviceReport
  /** Why there is no report. */
  readonly deviceDetail?: string
}

export interface Spread {
  readonly median: number
  readonly worst: number
}

export interface RigTrial {
  readonly sensors: readonly SensorTrial[]
  /** Between the exposures of the two sensors for one trigger. */
  readonly skewMs?: Spread
}

export interface TrialOptions {
  readonly sensors: { readonly [M in Modality]?: string }
  readonly captures: number
  readonly signal: AbortSignal
  /** Monotonic. */
  now(): number
}

const REPORT_DEADLINE_MS = 3000

/** Captures one after the other, as fast as they come. Rejects with the signal's reason only. */
export async function trySensors(rig: Rig, options: TrialOptions): Promise<RigTrial> {
  const { captures, signal, now } = options
  const shots: Shot[] = []
  /** Only these are kept: ten frames of a large sensor are a quarter of a gigabyte. */
  const last: { rgb?: Frame; xyz?: Frame } = {}
  for (let i = 0; i < captures; i++) {
    signal.throwIfAborted()
    const atMs = now()
    const sample = await rig.capture({ id: `trial-${i + 1}`, atMs, source: 'bench' }, signal)
    Object.assign(last, sample.frames)
    shots.push(shotOf(sample, atMs, now()))
  }
  signal.throwIfAborted()
  const sensors: SensorTrial[] = []
  for (const modality of ['rgb', 'xyz'] as const) {
    const sensor = options.sensors[modality]
    if (sensor === undefined) continue
    const seen = shots.flatMap((shot) => {
      const about = shot.seen[modality]
      return about === undefined ? [] : [{ ...shot, ...about }]
    })
    const [first, final, frame] = [shots[0], seen.at(-1), last[modality]]
    const device = await reportOf(rig, modality, signal)
    sensors.push({
      modality,
      sensor,
      captures,
      frames: seen.length,
      ...(first &&
        final &&
        seen.length > 1 && { framesPerSecond: (1000 * seen.length) / (final.inHandMs - first.atMs) }),
      ...(final && {
        afterTriggerMs: spreadOf(seen.map(({ atMs, inHandMs }) => inHandMs - atMs)),
        latencyMs: spreadOf(seen.map(({ exposedAtMs, inHandMs }) => inHandMs - exposedAtMs)),
      }),
      ...(frame && { frame }),
      absences: counted(
        shots.flatMap(({ absent }) => absent[modality] ?? []),
        ({ reason }) => reason,
      ).map(({ key, ...rest }) => ({ reason: key, ...rest })),
      remarks: counted(
        seen.flatMap(({ remarks }) => remarks ?? []),
        ({ code }) => code,
      ).map(({ key, ...rest }) => ({ code: key, ...rest })),
      ...device,
    })
  }
  const skews = shots.flatMap(({ skewMs }) => skewMs ?? [])
  return { sensors, ...(skews.length > 0 && { skewMs: spreadOf(skews) }) }
}

/** What is kept of a capture. */
interface Shot extends Pick<Sample, 'absent' | 'skewMs'> {
  readonly atMs: number
  readonly inHandMs: number
  readonly seen: { readonly [M in Modality]?: Pick<Frame, 'exposedAtMs' | 'remarks'> }
}

function shotOf({ frames, absent, skewMs }: Sample, atMs: number, inHandMs: number): Shot {
  const seen = Object.fromEntries(
    Object.entries(frames).map(([modality, { exposedAtMs, remarks }]) => [
      modality,
      { exposedAtMs, ...(remarks && { remarks }) },
    ]),
  )
  return { atMs, inHandMs, seen, absent, ...(skewMs !== undefined && { skewMs }) }
}

async function reportOf(
  rig: Rig,
  modality: Modality,
  signal: AbortSignal,
): Promise<Pick<SensorTrial, 'device' | 'deviceDetail'>> {
  try {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(REPORT_DEADLINE_MS)])
    return { device: await rig.report(modality, bounded) }
  } catch (error) {
    return { deviceDetail: messageOf(error) }
  }
}

function counted<T extends { readonly detail: string }>(
  list: readonly T[],
  keyOf: (item: T) => string,
): { key: string; count: number; detail: string }[] {
  const counts = new Map<string, { count: number; detail: string }>()
  for (const item of list) {
    const count = (counts.get(keyOf(item))?.count ?? 0) + 1
    counts.set(keyOf(item), { count, detail: item.detail })
  }
  return [...counts].map(([key, rest]) => ({ key, ...rest }))
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  return { median: quantile(sorted, 0.5)!, worst: quantile(sorted, 1)! }
}
