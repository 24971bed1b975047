/** From the config to a rig: the only place that knows the kinds of driver. */
import type { Driver, StationDrivers } from '../drivers/driver.ts'
import type { Modality } from '../drivers/frame.ts'
import type { Health } from '../drivers/health.ts'
import type { LearnedLooks } from '../drivers/look-limits.ts'
import { replayStation } from '../drivers/replay.ts'
import { openRig, type Rig, type SensorOptions } from '../drivers/rig.ts'
import { CATEGORY_NAMES, type CategoryName } from '../drivers/synthetic/catalogue.ts'
import { syntheticStation } from '../drivers/synthetic/station.ts'
import { ConfigError } from './config-error.ts'
import type { Config, SensorConfig } from './config-schema.ts'
import { makeBridge } from './sensor-kinds/bridge.ts'
import { makeGenicam } from './sensor-kinds/genicam.ts'
import { makeGenicam3d } from './sensor-kinds/genicam3d.ts'
import { makeGstreamer } from './sensor-kinds/gstreamer.ts'
import { makeProfiler } from './sensor-kinds/profiler.ts'

/** Frames from before their trigger by this much still count: timers and sensors round differently. */
const STALE_MS = 5

const TAUGHT_PARTS = { splits: ['train', 'validation', 'loose'], labels: ['good', 'unlabelled'] } as const

export interface Sensors {
  readonly rig: Rig
  /** Known only for synthetic and replayed parts. */
  readonly truthOf: StationDrivers['truthOf']
}

export interface OpenSensorsOptions {
  /** For teaching: synthetic parts have no defects, and replayed ones are not labelled as bad, nor of the test split unless the config names it. */
  readonly goodPartsOnly?: true
  onHealth?(health: Health): void
  /** How frames may look, by the repository in use. */
  looks?(): LearnedLooks | undefined
}

/** Rejects with the signal's reason only: a sensor that is absent is lost, and that is no error. */
export async function openSensors(
  config: Config,
  options: OpenSensorsOptions,
  signal: AbortSignal,
): Promise<Sensors> {
  const stations = stationsOf(config, options)
  const sensorOf = <M extends Modality>(modality: M): SensorOptions<M> | undefined => {
    const sensor = config.sensors[modality]
    if (sensor === undefined) return undefined
    return {
      make: makerOf(sensor, modality, stations),
      supervision: {
        deadlineMs: sensor.deadlineMs,
        openDeadlineMs: sensor.openDeadlineMs,
        backoff: { firstMs: sensor.reopenFirstMs, maxMs: sensor.reopenMaxMs },
      },
      freezeCheck: sensor.freezeCheck,
      faults: sensor.faults,
    }
  }
  const rgb = sensorOf('rgb')
  const xyz = sensorOf('xyz')
  const { onHealth, looks } = options
  const rig = await openRig(
    {
      ...(rgb && { rgb }),
      ...(xyz && { xyz }),
      skewToleranceMs: config.skewToleranceMs,
      staleMs: STALE_MS,
      ...(onHealth && { onHealth }),
      ...(looks && { looks }),
    },
    signal,
  )
  return { rig, truthOf: (stations.synthetic ?? stations.replay)?.truthOf }
}

/** A kind that stands alone makes a driver afresh for each opening; a station has the same ones always. */
function makerOf<M extends Modality>(
  sensor: SensorConfig,
  modality: M,
  stations: ReturnType<typeof stationsOf>,
): () => Driver<M> {
  // The schema has these kinds under one modality alone.
  const only = (driver: StationDrivers[Modality]): Driver<M> => driver as Driver<M>
  switch (sensor.kind) {
    case 'synthetic':
    case 'replay': {
      const driver = stations[sensor.kind]?.[modality] as Driver<M> | undefined
      if (driver === undefined) throw new Error(`a ${sensor.kind} station has no ${modality} driver`)
      return () => driver
    }
    case 'bridge':
      return () => makeBridge(sensor, modality)
    case 'genicam':
      return () => only(makeGenicam(sensor))
    case 'genicam3d':
      return () => only(makeGenicam3d(sensor))
    case 'gstreamer':
      return () => only(makeGstreamer(sensor))
    case 'profiler':
      return () => only(makeProfiler(sensor))
  }
}

/** Each kind once: both its drivers must show the same part for one trigger. */
function stationsOf(
  config: Config,
  options: OpenSensorsOptions,
): Partial<Record<'synthetic' | 'replay', StationDrivers>> {
  const kinds = new Set([config.sensors.rgb?.kind, config.sensors.xyz?.kind])
  const names = { rgb: config.sensors.rgb?.name ?? 'rgb', xyz: config.sensors.xyz?.name ?? 'xyz' }
  const { synthetic, replay } = config
  return {
    ...(kinds.has('synthetic') && {
      synthetic: syntheticStation({
        ...synthetic,
        ...(options.goodPartsOnly && { defectRate: 0 }),
        sensors: names,
      }),
    }),
    ...(kinds.has('replay') &&
      replay && {
        replay: replayStation({
          root: replay.root,
          ...(options.goodPartsOnly && TAUGHT_PARTS),
          ...(replay.split && { splits: [replay.split] }),
          atEnd: replay.loop ? 'repeat' : 'stop',
          sensors: names,
        }),
      }),
  }
}

/** For names from the command line. @throws ConfigError that lists the products. */
export function categoryOf(name: string): CategoryName {
  const known = CATEGORY_NAMES.find((category) => category === name)
  if (known !== undefined) return known
  throw new ConfigError('CONFIG_INVALID', 'synthetic station', [
    {
      path: 'synthetic.category',
      message: `unknown product '${name}', expected one of: ${CATEGORY_NAMES.join(', ')}`,
    },
  ])
}
