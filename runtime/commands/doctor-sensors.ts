/** `radar-edge doctor sensors`: what is connected, and how well the configured sensors do. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monotonicClock } from '../../drivers/clock.ts'
import type { Frame } from '../../drivers/frame.ts'
import { formatChecks, type Check } from '../checks.ts'
import { EXIT_CONFIG, ConfigError } from '../config-error.ts'
import { readConfig } from '../config.ts'
import { connectedDevices } from '../connected-devices.ts'
import { drawFrame } from '../heatmap.ts'
import { trySensors, type RigTrial, type SensorTrial, type Spread } from '../sensor-trial.ts'
import { openSensors } from '../sensors.ts'

export interface DoctorSensorsOptions {
  readonly config: string
  readonly captures: number
  /** Where the last frame of each sensor is saved as a picture. */
  readonly pictures?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

const PICTURE_PIXELS = 1600

/** Resolves to the exit code: 0, 1 when a check failed, 78 for the config. */
export async function doctorSensors(options: DoctorSensorsOptions): Promise<number> {
  const { signal } = options
  let config
  try {
    config = await readConfig(options.config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return EXIT_CONFIG
  }
  const { rig } = await openSensors(config, {}, signal)
  let trial: RigTrial
  try {
    const names = {
      ...(config.sensors.rgb && { rgb: config.sensors.rgb.name }),
      ...(config.sensors.xyz && { xyz: config.sensors.xyz.name }),
    }
    const { captures } = options
    trial = await trySensors(rig, { sensors: names, captures, signal, now: () => monotonicClock.now() })
  } finally {
    await rig.close()
  }
  const checks = [...(await connectedDevices()), ...trial.sensors.flatMap(checksOf)]
  if (trial.skewMs !== undefined) checks.push(skewCheck(trial.skewMs, config.skewToleranceMs))
  if (options.pictures !== undefined) {
    for (const { sensor, frame } of trial.sensors) {
      if (frame !== undefined) checks.push(await savePicture(options.pictures, sensor, frame))
    }
  }
  const sensors = trial.sensors.map(({ frame, ...figures }) => ({
    ...figures,
    ...(frame && { width: frame.width, height: frame.height }),
  }))
  process.stdout.write(
    options.json ? `${JSON.stringify({ checks, ...trial, sensors })}\n` : formatChecks(checks),
  )
  return checks.some(({ state }) => state === 'failed') ? 1 : 0
}

function checksOf(trial: SensorTrial): Check[] {
  const { sensor, captures, frames, frame, device, deviceDetail } = trial
  const name = `sensor ${sensor}`
  const checks: Check[] = []
  if (frame === undefined) {
    const [worst] = trial.absences
    const found = worst === undefined ? 'no frame' : `no frame, ${worst.reason}: ${worst.detail}`
    checks.push({ name, state: 'failed', found, fix: `check cable, power and the config of ${sensor}` })
  } else {
    const rate = trial.framesPerSecond === undefined ? '' : `, ${trial.framesPerSecond.toFixed(1)} a second`
    const found = [
      `${frames} of ${captures} frames, ${frame.width} x ${frame.height}${rate}`,
      `in hand ${spreadText(trial.afterTriggerMs!)} after the trigger`,
      `${spreadText(trial.latencyMs!)} after the exposure`,
    ].join('; ')
    checks.push({
      name,
      state: frames === captures ? 'ok' : 'warning',
      found,
      ...(frames < captures && { fix: `see why frames of ${sensor} were absent` }),
    })
    for (const { reason, count, detail } of trial.absences) {
      checks.push({ name: `${name}: ${reason}`, state: 'warning', found: `${count} times: ${detail}` })
    }
  }
  for (const { code, count, detail } of trial.remarks) {
    checks.push({
      name: `${name}: ${code}`,
      state: 'warning',
      found: `${count} of ${frames} frames: the frame ${detail}`,
    })
  }
  if (device !== undefined) {
    const { identity, temperatureCelsius, counters, advice } = device
    const found = [
      ...(identity === undefined ? [] : [identity]),
      ...(temperatureCelsius === undefined ? [] : [`${temperatureCelsius.toFixed(1)} °C`]),
      ...Object.entries(counters).map(([counter, value]) => `${counter} ${value}`),
    ]
    if (found.length > 0) checks.push({ name: `${name}: device`, state: 'ok', found: found.join(', ') })
    for (const { found, fix } of advice) {
      checks.push({ name: `${name}: settings`, state: 'warning', found, fix })
    }
  } else if (deviceDetail !== undefined && frame !== undefined) {
    checks.push({ name: `${name}: device`, state: 'warning', found: deviceDetail })
  }
  return checks
}

function skewCheck(skewMs: Spread, toleranceMs: number): Check {
  const found = `exposures of one trigger lie ${spreadText(skewMs)} apart, tolerated are ${toleranceMs} ms`
  if (skewMs.worst <= toleranceMs / 2) return { name: 'skew', state: 'ok', found }
  const fix =
    'trigger both sensors by the same signal, or raise skewToleranceMs as far as the part’s speed allows'
  return { name: 'skew', state: 'warning', found, fix }
}

async function savePicture(folder: string, sensor: string, frame: Frame): Promise<Check> {
  const file = join(folder, `${sensor}.png`)
  await mkdir(folder, { recursive: true })
  const frames = frame.modality === 'rgb' ? { rgb: frame } : { xyz: frame }
  const trigger = { id: 'doctor', atMs: frame.exposedAtMs, source: 'bench' } as const
  const condition = frame.modality === 'rgb' ? 'rgb-only' : 'xyz-only'
  const png = await drawFrame({ trigger, frames, absent: {}, condition }, PICTURE_PIXELS)
  await writeFile(file, png)
  return { name: `picture of ${sensor}`, state: 'ok', found: file }
}

const spreadText = ({ median, worst }: Spread): string =>
  `${median.toFixed(1)} ms (worst ${worst.toFixed(1)})`
