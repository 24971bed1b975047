/**
 * The sensors of a station as one: a trigger in, a sample out. What a sensor did or failed to do is data in the
 * sample, never an exception, so every trigger has its sample within the longest deadline.
 */
import { checked } from './checked.ts'
import { monotonicClock, type Clock } from './clock.ts'
import { DriverError, type DeviceReport, type Driver, type Trigger } from './driver.ts'
import { faultAt, faulty, type FaultRange } from './faulty.ts'
import { freezeWatch } from './freeze.ts'
import type { Frame, FrameOf, Modality } from './frame.ts'
import { defaultFrameLimits, type FrameLimits } from './frame-check.ts'
import { FrameRefused } from './frame-refused.ts'
import type { Health } from './health.ts'
import type { LearnedLooks } from './look-limits.ts'
import { conditionOf, type Absence, type Sample } from './sample.ts'
import { defaultSupervision, Supervised, type Supervision } from './supervised.ts'

export interface SensorOptions<M extends Modality> {
  /** See `SupervisedOptions.make`. */
  make(): Driver<M>
  readonly supervision?: Partial<Supervision>
  readonly limits?: Partial<FrameLimits>
  /** False only for sensors without noise: test patterns, one recorded part again and again. Default true. */
  readonly freezeCheck?: boolean
  /** Scripted faults by trigger, counted from 1 since the rig was opened. */
  readonly faults?: readonly FaultRange[]
}

export interface RigOptions {
  readonly rgb?: SensorOptions<'rgb'>
  readonly xyz?: SensorOptions<'xyz'>
  /** Exposures of one trigger may lie this far apart; beyond it the one farther from the trigger is stale. */
  readonly skewToleranceMs: number
  /** A frame exposed this long before its trigger still counts: clocks of sensor and trigger differ a little. */
  readonly staleMs?: number
  /** See `CheckedOptions.looks`. */
  looks?(): LearnedLooks | undefined
  /** Each edge of a sensor's health, once. */
  onHealth?(health: Health): void
  readonly clock?: Clock
}

export interface Rig {
  /**
   * Never rejects. One at a time: a capture that overlaps another finds the sensors busy, and says so in the sample.
   * A signal that aborts ends it with a sample in which the frames that are still out are absent.
   */
  capture(trigger: Trigger, signal: AbortSignal): Promise<Sample>
  health(): readonly Health[]
  /** What a sensor's device says of itself. Rejects when the sensor is lost, and with the signal's reason. */
  report(modality: Modality, signal: AbortSignal): Promise<DeviceReport>
  close(): Promise<void>
}

type Outcome<M extends Modality> =
  | { readonly frame: FrameOf<M>; readonly absence?: never }
  | { readonly frame?: never; readonly absence: Absence }

/** Resolves when each sensor has been tried once. One that is absent or broken is lost, and reopened for ever after. */
export async function openRig(options: RigOptions, signal: AbortSignal): Promise<Rig> {
  let ordinal = 0
  const sensorOf = <M extends Modality>(sensor: SensorOptions<M>) => supervise(sensor, options, () => ordinal)
  const rgb = options.rgb && sensorOf(options.rgb)
  const xyz = options.xyz && sensorOf(options.xyz)
  const sensors = [rgb, xyz].filter((sensor) => sensor !== undefined)
  const close = async () => void (await Promise.all(sensors.map((sensor) => sensor.close())))
  try {
    await Promise.all(sensors.map((sensor) => sensor.open(signal)))
  } catch (error) {
    await close()
    throw error
  }

  return {
    async capture(trigger, signal) {
      ordinal++
      const outcomes = { rgb: shoot(rgb, 'rgb', trigger, signal), xyz: shoot(xyz, 'xyz', trigger, signal) }
      return sampleOf(trigger, await outcomes.rgb, await outcomes.xyz, options.skewToleranceMs)
    },
    health: () => sensors.map((sensor) => sensor.health),
    async report(modality, signal) {
      const sensor = modality === 'rgb' ? rgb : xyz
      if (sensor === undefined) throw new DriverError('DRIVER_LOST', `no ${modality} sensor is configured`)
      return sensor.report(signal)
    },
    close,
  }
}

function supervise<M extends Modality>(
  sensor: SensorOptions<M>,
  { staleMs = 0, looks, onHealth, clock = monotonicClock }: RigOptions,
  ordinal: () => number,
): Supervised<M> {
  const { faults, supervision } = sensor
  const limits = { ...defaultFrameLimits, ...sensor.limits }
  const watch = freezeWatch({ comparesPixels: sensor.freezeCheck ?? true })
  const make = faults
    ? faulty(
        () => sensor.make(),
        () => faultAt(faults, ordinal()),
        clock,
      )
    : () => sensor.make()
  return new Supervised({
    ...defaultSupervision,
    ...supervision,
    make: () => checked(make(), { limits, staleMs, watch, clock, ...(looks && { looks }) }),
    ...(onHealth && { onHealth }),
    clock,
  })
}

async function shoot<M extends Modality>(
  sensor: Supervised<M> | undefined,
  modality: M,
  trigger: Trigger,
  signal: AbortSignal,
): Promise<Outcome<M>> {
  if (!sensor) return { absence: { reason: 'lost', detail: `no ${modality} sensor is configured` } }
  try {
    return { frame: await sensor.capture(trigger, signal) }
  } catch (error) {
    if (!signal.aborted) return { absence: absenceOf(error) }
    return { absence: { reason: 'timeout', detail: `${sensor.name}: the capture was called off` } }
  }
}

function absenceOf(error: unknown): Absence {
  if (!(error instanceof DriverError)) return { reason: 'lost', detail: String(error) }
  const detail = error.message
  if (error instanceof FrameRefused) return { reason: error.reason, detail }
  switch (error.code) {
    case 'DRIVER_TIMEOUT':
      return { reason: 'timeout', detail }
    case 'DRIVER_BAD_FRAME':
      return { reason: 'bad-frame', detail }
    case 'DRIVER_LOST':
    case 'DRIVER_UNAVAILABLE':
      return { reason: 'lost', detail }
  }
}

function sampleOf(
  trigger: Trigger,
  rgb: Outcome<'rgb'>,
  xyz: Outcome<'xyz'>,
  skewToleranceMs: number,
): Sample {
  if (!rgb.frame || !xyz.frame) return assemble(trigger, rgb, xyz)
  const skewMs = Math.abs(rgb.frame.exposedAtMs - xyz.frame.exposedAtMs)
  if (skewMs <= skewToleranceMs) return { ...assemble(trigger, rgb, xyz), skewMs }
  // The part moves on: of two frames of different moments the one nearer to the trigger shows the part that was meant.
  const awayMs = (frame: Frame): number => Math.abs(frame.exposedAtMs - trigger.atMs)
  const isRgbStale = awayMs(rgb.frame) > awayMs(xyz.frame)
  const [stale, kept] = isRgbStale ? [rgb.frame, xyz.frame] : [xyz.frame, rgb.frame]
  const side = stale.exposedAtMs < kept.exposedAtMs ? 'before' : 'after'
  const detail = `${stale.sensor} was exposed ${skewMs.toFixed(0)} ms ${side} ${kept.sensor}, tolerated are ${skewToleranceMs} ms`
  const absence = { absence: { reason: 'stale', detail } } as const
  return { ...(isRgbStale ? assemble(trigger, absence, xyz) : assemble(trigger, rgb, absence)), skewMs }
}

function assemble(trigger: Trigger, rgb: Outcome<'rgb'>, xyz: Outcome<'xyz'>): Sample {
  const frames = { ...(rgb.frame && { rgb: rgb.frame }), ...(xyz.frame && { xyz: xyz.frame }) }
  const absent = { ...(rgb.absence && { rgb: rgb.absence }), ...(xyz.absence && { xyz: xyz.absence }) }
  return { trigger, frames, absent, condition: conditionOf(frames) }
}
