/** A daemon in this process with an embedded broker, synthetic sensors and a hand on its triggers. */
import { pino } from 'pino'
import { configSchema, type Config } from '../../runtime/config-schema.ts'
import { runDaemon, type DaemonOptions, type Running } from '../../runtime/daemon.ts'
import type { VerdictPayload } from '../../runtime/messages.ts'
import type { Ask, InspectionRequest } from '../../runtime/triggers/feed.ts'

// A host needs tap's TypeScript loader and nothing else of tap: it starts in half the time.
process.execArgv = process.execArgv.filter((argument) => /typescript|source-maps/.test(argument))
delete process.env['NODE_OPTIONS']

/** Long enough for a machine that does ten other things: what is tested is what happens, never how fast. */
export const PATIENT = { deadlineMs: 15_000, openDeadlineMs: 60_000, reopenFirstMs: 20, reopenMaxMs: 40 }

export function stationConfig(changes: Record<string, unknown>): Config {
  return configSchema.parse({
    station: { site: 'plant', name: 'cell' },
    product: 'tiny',
    sensors: {
      rgb: { kind: 'synthetic', name: 'camera', ...PATIENT },
      xyz: { kind: 'synthetic', name: 'scanner', ...PATIENT },
    },
    synthetic: { category: 'hex-nut', width: 97, height: 61 },
    skewToleranceMs: 15_000,
    deadlines: { verdictMs: 60_000, shutdownMs: 20_000 },
    mqtt: { embeddedPort: 0 },
    http: { port: 0 },
    inference: { threads: 1 },
    // What o'clock it is when a test runs is nothing to it.
    schedule: { selfTest: 'off', drift: 'off', compaction: 'off', archive: 'off', backup: 'off' },
    ...changes,
  })
}

export interface RunningDaemon {
  readonly running: Running
  /** Asks for one part and waits for its verdict. */
  ask(request?: Partial<InspectionRequest>): Promise<VerdictPayload>
  /** Asks to stop; resolves when the daemon has ended. */
  stop(): Promise<void>
}

/** Resolves when the daemon is ready; rejects when it ends before. */
export async function startDaemon(
  config: Config,
  options: Partial<Omit<DaemonOptions, 'config' | 'signal' | 'feeds'>> = {},
): Promise<RunningDaemon> {
  const controller = new AbortController()
  return new Promise((resolve, reject) => {
    let running: Running | undefined
    const ended = runDaemon({
      log: pino({ level: 'silent' }),
      ...options,
      config,
      signal: controller.signal,
      onReady: (about) => (running = about),
      feeds: [
        async (ask: Ask, signal) => {
          if (running === undefined) throw new Error('triggers come before the daemon is ready')
          resolve({
            running,
            ask: (request) => ask({ source: 'bench', ...request }).verdict,
            stop: () => {
              controller.abort(new Error('the test is over'))
              return ended
            },
          })
          if (signal.aborted) return
          await new Promise((over) => signal.addEventListener('abort', over, { once: true }))
        },
      ],
    })
    ended.catch(reject)
  })
}
