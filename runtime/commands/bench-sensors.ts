/** `radar-edge bench sensors`: every adapter against a real peer on this machine. Nothing here passes or fails. */
import { fileURLToPath } from 'node:url'
import { genicamCases } from '../../drivers/bench/genicam-cases.ts'
import { bridgeCases, gstreamerCases } from '../../drivers/bench/sensor-cases.ts'
import { benchSensors, type SensorBenchRow } from '../../drivers/bench/sensors.ts'
import { packageFile } from '../package-version.ts'
import { textTable } from '../text-table.ts'

export interface BenchSensorsOptions {
  readonly seconds: number
  readonly only?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function benchSensorsCommand(options: BenchSensorsOptions): Promise<void> {
  const { seconds, only, json, signal } = options
  const report = await benchSensors([...genicamCases, ...bridgeCases, ...gstreamerCases], {
    seconds,
    driversFolder: fileURLToPath(packageFile('drivers')),
    ...(only !== undefined && { only }),
    signal,
    onProgress: ({ sensor, skipped }, done, total) =>
      process.stderr.write(
        `${done}/${total} ${sensor}${skipped === undefined ? '' : `: skipped, ${skipped}`}\n`,
      ),
  })
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : sensorBenchText(report.rows))
}

const HEADS = ['sensor', 'asked', 'got', 'MB', 'latency p50', 'p99', 'worst', 'loop p99', 'worst', 'peer']

function sensorBenchText(rows: readonly SensorBenchRow[]): string {
  const cells = rows.map(({ sensor, peer, rate, skipped }) => {
    if (rate === undefined) return [sensor, ...Array<string>(8).fill('-'), `skipped: ${skipped}`]
    const { askedPerSecond, gotPerSecond, megabytesPerFrame, latencyMs, eventLoopDelayMs } = rate
    return [
      sensor,
      askedPerSecond.toFixed(0),
      gotPerSecond.toFixed(1),
      megabytesPerFrame.toFixed(1),
      ...(latencyMs
        ? [latencyMs.p50, latencyMs.p99, latencyMs.worst].map((ms) => ms.toFixed(1))
        : ['-', '-', '-']),
      eventLoopDelayMs.p99.toFixed(1),
      eventLoopDelayMs.worst.toFixed(1),
      peer,
    ]
  })
  return `frames a second; milliseconds from exposure to frame, and by which the event loop was late\n\n${textTable([HEADS, ...cells], { right: [1, 2, 3, 4, 5, 6, 7, 8] })}`
}
