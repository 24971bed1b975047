/** `npm start`: teach a synthetic product, inspect it, take the 3D sensor away in the middle, compare with the truth. */
import { fork } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { CategoryName } from '../../drivers/synthetic/catalogue.ts'
import { configSchema, type Config } from '../config-schema.ts'
import { runDaemon, type Running } from '../daemon.ts'
import { openLog } from '../log.ts'
import { RuntimeError } from '../runtime-error.ts'
import { openScoreboard } from '../scoreboard.ts'
import { categoryOf } from '../sensors.ts'
import type { TriggerFeed } from '../triggers/feed.ts'

export interface DemoOptions {
  readonly parts: number
  readonly category: string
  readonly teachParts: number
  readonly seed: number
  readonly size: number
  readonly state?: string
  readonly port: number
  readonly save?: string
  readonly json: boolean
  readonly signal: AbortSignal
}

/** The seeds of taught and inspected parts must differ, or the demo would inspect what it was taught. */
const TAUGHT_SEED_OFFSET = 1_000_003

type KnownProduct = DemoOptions & { readonly category: CategoryName }

/** @throws ConfigError for a product that the synthetic station does not know. */
export async function demo(asked: DemoOptions): Promise<void> {
  const options = { ...asked, category: categoryOf(asked.category) }
  const stateDirectory = resolve(options.state ?? (await mkdtemp(join(tmpdir(), 'radar-edge-demo-'))))
  const say = (text: string): void => void (options.json || process.stdout.write(`${text}\n`))
  try {
    await mkdir(stateDirectory, { recursive: true })
    if (options.save !== undefined) await mkdir(options.save, { recursive: true })
    say(`Teaching ${options.category} from ${options.teachParts} good parts ...`)
    await teachInChild(options, stateDirectory)
    await inspect(configOf(options, stateDirectory), { ...options, say })
  } finally {
    if (options.state === undefined) await rm(stateDirectory, { recursive: true, force: true })
  }
}

async function inspect(config: Config, options: KnownProduct & { say(text: string): void }): Promise<void> {
  const [fault] = config.sensors.xyz?.faults ?? []
  const board = openScoreboard(options)
  let running: Running | undefined
  const feed: TriggerFeed = async (ask, signal) => {
    for (let asked = 0; asked < options.parts && !signal.aborted; asked++) {
      const askedAtMs = performance.now()
      const { triggerId, verdict } = ask({ source: 'demo' })
      board.asked(triggerId, askedAtMs)
      await verdict
    }
  }
  await runDaemon({
    config,
    log: openLog({ level: process.env.RADAR_EDGE_LOG ?? 'silent' }),
    signal: options.signal,
    feeds: [feed],
    onReady(about) {
      running = about
      options.say(`Verdicts on ${about.brokerUrl}, topics ${about.topicRoot}/#`)
      if (fault) options.say(`The 3D sensor is unplugged for parts ${fault.from} to ${fault.to}.\n`)
    },
    onVerdict: (verdict, about) => board.judged(verdict, { ...about, running }),
    onPublished: (seq) => board.published(seq),
  })
  await board.finish()
}

function configOf(options: KnownProduct, stateDirectory: string): Config {
  const from = Math.floor(options.parts / 3) + 1
  const to = Math.floor((2 * options.parts) / 3)
  const faults = to >= from ? [{ from, to, kind: 'unplugged' }] : []
  const quick = { deadlineMs: 2000, reopenFirstMs: 100, reopenMaxMs: 200 }
  return configSchema.parse({
    station: { site: 'demo', name: 'synthetic' },
    product: options.category,
    recipes: { [options.category]: { falseRejectRate: 0.05, bankMebibytes: 4 } },
    stateDirectory,
    sensors: {
      rgb: { kind: 'synthetic', name: 'camera', ...quick },
      xyz: { kind: 'synthetic', name: 'profiler', ...quick, faults },
    },
    synthetic: { category: options.category, width: options.size, height: options.size, seed: options.seed },
    mqtt: { embeddedPort: options.port },
    http: { enabled: false },
    deadlines: { verdictMs: 5000 },
  } satisfies Parameters<typeof configSchema.parse>[0])
}

/** In a process of its own, as on a station: the daemon never loads the model. */
async function teachInChild(options: KnownProduct, stateDirectory: string): Promise<void> {
  const config = configOf(options, stateDirectory)
  const taught = {
    ...config,
    sensors: { ...config.sensors, xyz: { ...config.sensors.xyz, faults: [] } },
    synthetic: { ...config.synthetic, seed: (config.synthetic.seed + TAUGHT_SEED_OFFSET) % 2 ** 31 },
  }
  const file = join(stateDirectory, 'teach.yaml')
  await writeFile(file, stringify(taught))
  const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))
  const args = ['teach', '--config', file, '--parts', String(options.teachParts), '--restart']
  const child = fork(main, args, {
    // What the child found out goes to standard error: standard output holds verdicts only.
    stdio: ['ignore', process.stderr.fd, 'inherit', 'ipc'],
    signal: options.signal,
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (code !== 0) throw new RuntimeError('TEACHING_FAILED', `teaching ended with exit code ${code}`)
}
