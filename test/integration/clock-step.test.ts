/**
 * A daemon whose machine's clock is set while it runs, by a day forward and to 1970. Only its wall clock: libfaketime sits
 * between it and the system. Verdicts come as if nothing had happened, and it is told.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mqtt from 'mqtt'
import t from 'tap'
import { eventSchema, verdictSchema, type EventPayload, type VerdictPayload } from '../../runtime/messages.ts'
import { topicsOf } from '../../runtime/topics.ts'
import { main, writeConfig } from '../support/command-line.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/processes.ts'

/** Debian's, under the name of its machine. */
async function fakeTime(): Promise<string | undefined> {
  const folders = await readdir('/usr/lib')
  return folders
    .map((folder) => join('/usr/lib', folder, 'faketime', 'libfaketimeMT.so.1'))
    .find((file) => existsSync(file))
}

const library = await fakeTime()
if (library === undefined && process.env['CI'] !== undefined) t.fail('CI must have faketime')

const DAY_S = 86_400

t.test(
  'a clock that is set changes no verdict',
  { skip: library === undefined && 'SKIP: no libfaketime (Debian: apt-get install faketime)' },
  async (t) => {
    const folder = t.testdir()
    const offsetFile = join(folder, 'offset')
    /** Seconds that the daemon's wall clock is ahead of ours. */
    const setClock = async (aheadS: number): Promise<void> => {
      await writeFile(`${offsetFile}.part`, `${aheadS < 0 ? '-' : '+'}${Math.abs(aheadS)}\n`)
      await rename(`${offsetFile}.part`, offsetFile)
    }
    await setClock(0)

    const port = await freePort()
    // The daemon's own broker, as soon as it is there.
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 100 })
    client.on('error', () => undefined)
    t.teardown(() => client.endAsync(true))
    const topics = topicsOf('plant', 'cell')
    const verdicts: VerdictPayload[] = []
    const events: EventPayload[] = []
    client.on('message', (topic, payload) => {
      const message: unknown = JSON.parse(payload.toString())
      if (topic === topics.verdict) verdicts.push(verdictSchema.parse(message))
      else events.push(eventSchema.parse(message))
    })
    client.subscribe([topics.verdict, topics.event], { qos: 1 })

    const config = await writeConfig(folder, {
      stateDirectory: join(folder, 'state'),
      mqtt: { embeddedPort: port },
      // No haste: a machine that is busy makes no verdict late.
      triggers: [{ kind: 'timer', everyMs: 400 }],
      delayToleranceMs: 60_000,
      http: { enabled: false },
    })
    const daemon = spawn(process.execPath, [main, 'run', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: offsetFile,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    })
    t.teardown(() => void daemon.kill('SIGKILL'))
    const exited = once(daemon, 'exit')
    let said = ''
    daemon.stderr.on('data', (text) => (said += String(text)))
    const seen = async (condition: () => boolean): Promise<void> => {
      await until(() => condition() || daemon.exitCode !== null)
      if (daemon.exitCode !== null) throw new Error(`the daemon has ended: ${said}`)
    }
    const steps = () => events.filter(({ kind }) => kind === 'clock').length
    const moreVerdicts = async (): Promise<void> => {
      const wanted = verdicts.length + 10
      await seen(() => verdicts.length >= wanted)
    }

    await moreVerdicts()
    await setClock(DAY_S)
    await seen(() => steps() === 1)
    await moreVerdicts()
    await setClock(-Math.floor(Date.now() / 1000) + 100)
    await seen(() => steps() === 2)
    await moreVerdicts()
    await setClock(0)
    await seen(() => steps() === 3)
    await moreVerdicts()
    daemon.kill('SIGTERM')
    t.same(await exited, [0, null], 'it ends when asked')

    t.same(
      verdicts.map(({ seq }) => seq),
      verdicts.map((_, index) => index + (verdicts[0]?.seq ?? 0)),
      'numbered without a gap',
    )
    t.same(
      verdicts.filter(({ condition, flags }) => condition !== 'complete' || flags.length > 0),
      [],
      'both sensors were there, in time, each time',
    )
    const worstMs = Math.max(...verdicts.map(({ timingMs }) => timingMs['total'] ?? Infinity))
    t.ok(worstMs < 60_000, `no verdict waited for a wall clock: ${worstMs} ms at most`)
    const years = new Set(verdicts.map(({ time }) => time.slice(0, 4)))
    t.ok(years.has('1970') && years.size > 1, 'time stamps are the wall clock’s')
    t.match(
      events.filter(({ kind }) => kind === 'clock'),
      [
        { detail: /set 864\d\d\.\d s forward/ },
        { detail: /back, .* to 1970-/ },
        { detail: /forward, from 1970-/ },
      ],
      'each step is told once',
    )
  },
)
