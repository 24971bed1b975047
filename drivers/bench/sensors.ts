/**
 * Frames per second and latency of every adapter that has a real peer on this machine, one after the other. Latency is
 * true: each peer tells when it exposed, by a stamp on CLOCK_MONOTONIC in its protocol or in the pixels, or by firing at
 * known instants.
 */
import type { Driver } from '../driver.ts'
import type { Frame } from '../frame.ts'
import { messageOf } from '../message-of.ts'
import { measureRate, type SensorRate } from './sensor-rate.ts'

const OPEN_DEADLINE_MS = 15_000

export interface SensorBenchRow {
  readonly sensor: string
  readonly peer: string
  /** Where the time of exposure is read. */
  readonly exposure: string
  readonly rate?: SensorRate
  /** Why there is no rate. */
  readonly skipped?: string
}

export interface SensorBenchReport {
  readonly schema: 'radar-edge/bench-sensors@1'
  readonly seconds: number
  readonly rows: readonly SensorBenchRow[]
}

export interface SensorBenchOptions {
  /** Of each row. */
  readonly seconds: number
  /** The folder drivers/ of the package or the checkout: peers are C and Python, and lie in it as they are. */
  readonly driversFolder: string
  /** Only rows whose name has this in it. */
  readonly only?: string
  readonly signal: AbortSignal
  onProgress?(row: SensorBenchRow, done: number, total: number): void
}

/** One row: a driver and its peer. */
export interface SensorBenchCase {
  readonly sensor: string
  readonly peer: string
  readonly exposure: string
  readonly framesPerSecond: number
  readonly asks: boolean
  /** Starts the peer. Rejects when it is not on this machine. */
  open(options: Pick<SensorBenchOptions, 'driversFolder'>): Promise<OpenCase>
}

export interface OpenCase {
  /** Closed. */
  readonly driver: Driver<'rgb'> | Driver<'xyz'>
  latencyOf(frame: Frame): number | undefined
  /** After the driver was closed. */
  close(): Promise<void>
}

/** One after the other. Rejects with the signal's reason only: what cannot be measured says why. */
export async function benchSensors(
  cases: readonly SensorBenchCase[],
  options: SensorBenchOptions,
): Promise<SensorBenchReport> {
  const { seconds, only, signal, onProgress } = options
  const chosen = cases.filter(({ sensor }) => only === undefined || sensor.includes(only))
  const rows: SensorBenchRow[] = []
  for (const each of chosen) {
    const { sensor, peer, exposure } = each
    let row: SensorBenchRow
    try {
      row = { sensor, peer, exposure, rate: await rateOf(each, options) }
    } catch (error) {
      signal.throwIfAborted()
      row = { sensor, peer, exposure, skipped: messageOf(error) }
    }
    rows.push(row)
    onProgress?.(row, rows.length, chosen.length)
  }
  return { schema: 'radar-edge/bench-sensors@1', seconds, rows }
}

async function rateOf(each: SensorBenchCase, options: SensorBenchOptions): Promise<SensorRate> {
  const { seconds, signal } = options
  const { driver, latencyOf, close } = await each.open(options)
  try {
    await driver.open(AbortSignal.any([signal, AbortSignal.timeout(OPEN_DEADLINE_MS)]))
    const { framesPerSecond, asks } = each
    const measuring = { framesPerSecond, asks, seconds, latencyOf, signal }
    return await measureRate(driver, measuring)
  } finally {
    await driver.close()
    await close()
  }
}
