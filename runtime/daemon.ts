/** The composition root: reads nothing but the config it is given, builds every part, runs the station, takes it down. */
import { mkdir } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { delay, monotonicClock } from '../drivers/clock.ts'
import type { Trigger, Truth } from '../drivers/driver.ts'
import type { Health } from '../drivers/health.ts'
import type { LearnedLooks } from '../drivers/look-limits.ts'
import type { Sample } from '../drivers/sample.ts'
import { InferenceHost, type HostStats } from '../models/inference-host.ts'
import type { Inspection } from '../models/inspection.ts'
import { openBroker } from './broker.ts'
import { trustedBundleFolder } from './bundle-folder.ts'
import { recipeOf, type Config } from './config-schema.ts'
import { eventMessage, type StationEvent } from './event.ts'
import { openLedger } from './ledger.ts'
import type { LinkHealth } from './links/kept-link.ts'
import { openLinks, type LineLinks } from './links/line-links.ts'
import { HttpError } from './http-error.ts'
import { openHttp } from './http.ts'
import type { Log } from './log.ts'
import type { VerdictPayload } from './messages.ts'
import { openOutbox } from './outbox.ts'
import type { Dropped } from './outputs/output.ts'
import { openOutputs } from './outputs/outputs.ts'
import { packageVersion } from './package-version.ts'
import { PLANE_SEED } from './plane-seed.ts'
import { openPublisher, type Publisher } from './publisher.ts'
import { reloadCommand } from './reload.ts'
import { openRepositoryCare, type RepositoryCare } from './repository-care.ts'
import { repositoryInUse } from './repository-in-use.ts'
import { openSensors } from './sensors.ts'
import { runStation } from './station.ts'
import { offlineStatus, openStatus } from './status.ts'
import { topicsOf } from './topics.ts'
import type { OnRefused, TriggerFeed } from './triggers/feed.ts'
import { fileFeed } from './triggers/file.ts'
import { modbusFeed } from './triggers/modbus.ts'
import { mqttFeed } from './triggers/mqtt.ts'
import { serialFeed } from './triggers/serial.ts'
import { stdinFeed } from './triggers/stdin.ts'
import { timerFeed } from './triggers/timer.ts'
import { watchWallClock } from './wall-clock.ts'

export interface DaemonOptions {
  readonly config: Config
  readonly log: Log
  /** Asks for a clean shutdown. */
  readonly signal: AbortSignal
  /** Instead of the config's triggers. */
  readonly feeds?: readonly TriggerFeed[]
  /** Instead of the one in the state directory. */
  readonly outboxFile?: string
  /** Everything is up; triggers come next. */
  onReady?(about: Running): void
  onVerdict?(verdict: VerdictPayload, about: { sample: Sample; inspection?: Inspection }): void
  /** The broker has acknowledged this verdict. */
  onPublished?(seq: number): void
}

export interface Running {
  readonly brokerUrl: string
  /** Undefined when it is off, or cannot listen. */
  readonly httpUrl: string | undefined
  readonly topicRoot: string
  hostStats(): HostStats
  /** Only for synthetic and replayed parts. */
  readonly truthOf: ((trigger: Trigger) => Promise<Truth>) | undefined
}

const STATUS_EVERY_MS = 10_000
/** No trigger is answered while another process's entry is waited for; one takes a few flushes of the disk. */
const LEDGER_BUSY_MS = 1000

/** Resolves after a clean shutdown. Rejects when the station cannot run at all: broken bundle, outbox in use elsewhere. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const closers: (() => Promise<void> | void)[] = []
  try {
    await runParts(options, (close) => closers.push(close))
  } catch (error) {
    // Told to stop while it was starting: as clean an end as any other.
    if (!options.signal.aborted || error !== options.signal.reason) throw error
  } finally {
    // Last opened, first closed: what a part needs is still there while it closes.
    for (const close of closers.reverse()) {
      try {
        await close()
      } catch (error) {
        options.log.error({ error }, 'shutdown')
      }
    }
  }
}

async function runParts(
  options: DaemonOptions,
  defer: (close: () => Promise<void> | void) => void,
): Promise<void> {
  const { config, log } = options
  const clock = monotonicClock
  const { site, name: station } = config.station
  const topics = topicsOf(site, station)
  const stationName = { site, station, topics, runId: randomUUID().slice(0, 8) }
  const recipe = recipeOf(config)
  // A failure inside ends the station the same way as a request from outside does.
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])

  await mkdir(config.stateDirectory, { recursive: true })
  const early: StationEvent[] = []
  let tell = (event: StationEvent): void => void early.push(event)
  const outbox = openOutbox(options.outboxFile ?? join(config.stateDirectory, 'outbox.sqlite'), {
    maxVerdicts: config.queue.outboxVerdicts,
    maxBytes: config.queue.outboxMebibytes * 2 ** 20,
    clock,
    onDurability({ durability, error }) {
      const detail = error?.message ?? 'verdicts are on the disk again'
      log.warn({ durability, code: error?.code, detail }, 'outbox')
      tell({ kind: `outbox-${durability}`, detail, ...(error && { code: error.code }) })
    },
  })
  defer(() => outbox.close())

  const embedded = config.mqtt.url === undefined ? await openBroker(config.mqtt.embeddedPort) : undefined
  if (embedded !== undefined) defer(() => embedded.close())
  const brokerUrl = config.mqtt.url ?? embedded?.url ?? ''
  const publisher = openPublisher({
    ...stationName,
    broker: { ...config.mqtt, url: brokerUrl, protocolVersion: embedded?.protocolVersion ?? 5 },
    outbox,
    will: offlineStatus(stationName, 'connection-lost'),
    gapEvent: ({ firstSeq, lastSeq }) => {
      const detail = `verdicts ${firstSeq} to ${lastSeq} were given up: the outbox was full`
      return eventMessage(stationName, { kind: 'gap', firstSeq, lastSeq, detail })
    },
    clock,
    log,
    ...(options.onPublished && { onPublished: options.onPublished }),
  })
  tell = (event) => publisher.event(eventMessage(stationName, event))
  early.forEach(tell)
  defer(async () => {
    const patience = AbortSignal.timeout(config.deadlines.shutdownMs)
    await publisher.drained(patience)
    await publisher.close(offlineStatus(stationName, 'shutdown'), patience)
  })

  const unwatch = watchWallClock({
    clock,
    wallClock: Date.now,
    onTrouble(trouble) {
      log.warn(trouble, 'clock')
      tell({ kind: 'clock', ...trouble })
    },
  })
  defer(unwatch)

  let sayHealth = (): void => undefined
  let looks = (): LearnedLooks | undefined => undefined
  const onHealth = (health: Health): void => {
    reportHealth(health, { log, tell })
    sayHealth()
  }
  const { rig, truthOf } = await openSensors(config, { onHealth, looks: () => looks() }, signal)
  defer(() => rig.close())

  const links = openLinks(config.links, {
    clock,
    onHealth(health) {
      reportLink(health, { log, tell })
      sayHealth()
    },
  })
  defer(() => links.close())
  const outputs = openOutputs(config.outputs, {
    links,
    clock,
    onDropped: (dropped) => reportDropped(dropped, { log, tell }),
  })
  defer(async () => void (await Promise.all(outputs.map((output) => output.close()))))

  const ledger = openLedger(join(config.stateDirectory, 'repositories'), { busyMs: LEDGER_BUSY_MS })
  defer(() => ledger.close())
  const { repositoryFolder, trouble } = repositoryInUse(ledger, config.product)
  const host = new InferenceHost({
    bundleFolder: await trustedBundleFolder(config),
    threads: config.inference.threads,
    seed: PLANE_SEED,
    keepFeatures: true,
    ...(repositoryFolder !== undefined && { repositoryFolder }),
    onState(state, detail) {
      const isBad = state === 'waiting-to-restart'
      log[isBad ? 'error' : 'info']({ state, detail }, 'inference host')
      if (isBad) tell({ kind: 'alarm', code: 'HOST_LOST', detail })
    },
  })
  defer(() => host.close())

  const status = openStatus({
    ...stationName,
    version: packageVersion(),
    product: config.product,
    publisher,
    outbox,
    rig,
    links,
    outputs,
    host,
    clock,
    everyMs: STATUS_EVERY_MS,
  })
  defer(() => status.close())
  sayHealth = () => status.publish()

  const care = await openRepositoryCare({
    ...stationName,
    config,
    ledger,
    host,
    publisher,
    clock,
    log,
    signal,
    tell: (event) => tell(event),
    onFollowed: () => status.publish(),
    defer,
  })
  // What the new light or lens looks like is what a teaching is about to learn.
  looks = () => (care.isTeaching() ? undefined : host.stats().description?.looks)
  const http = config.http.enabled
    ? await openDoor(config.http, { care, host, config, log, tell })
    : undefined
  if (http !== undefined) defer(() => http.close())

  // A host that is slow to start does not keep the station from answering; one that refuses its bundle ends it.
  const opened = host.open(signal).then(
    () => {
      status.publish()
      // What the host refuses, the follower tells.
      if (trouble === undefined) return
      log.error(trouble, 'repository')
      tell({ kind: 'alarm', ...trouble })
    },
    (error: unknown) => {
      if (!signal.aborted) failure.abort(error)
    },
  )
  const patience = new AbortController()
  const waiting = AbortSignal.any([signal, patience.signal])
  await Promise.race([opened, delay(config.deadlines.verdictMs, waiting, clock).catch(() => undefined)])
  patience.abort()
  if (failure.signal.aborted) throw failure.signal.reason
  status.online()
  options.onReady?.({
    brokerUrl,
    httpUrl: http?.url,
    topicRoot: topics.root,
    hostStats: () => host.stats(),
    truthOf,
  })

  const reload = reloadCommand({
    ledger,
    product: config.product,
    host,
    signal,
    onReloaded(repositoryId) {
      log.info({ repositoryId }, 'repository')
      status.publish()
    },
  })
  publisher.handle('reload', reload)

  const onRefused: OnRefused = ({ source, detail }) => {
    log.warn({ source, detail }, 'trigger refused')
    tell({ kind: 'trigger-refused', detail: `${source}: ${detail}` })
  }
  await runStation({
    ...stationName,
    product: config.product,
    sensors: { rgb: config.sensors.rgb?.name, xyz: config.sensors.xyz?.name },
    policy: recipe.policy,
    feeds:
      options.feeds ?? config.triggers.map((trigger) => feedOf(trigger, { publisher, links, onRefused })),
    rig,
    inspector: host,
    outbox,
    publisher,
    deadlines: config.deadlines,
    delayToleranceMs: config.delayToleranceMs,
    maxWaiting: config.queue.triggers,
    heatmap: config.heatmap,
    clock,
    log,
    signal,
    onVerdict(verdict, about) {
      // Before all else: a part is on its way to the ejector.
      for (const output of outputs) output.tell(verdict, about.sample.trigger.atMs)
      status.count(verdict)
      care.onVerdict(verdict, about)
      options.onVerdict?.(verdict, about)
    },
    onLate: (step) => status.countLate(step),
  })
  if (failure.signal.aborted) throw failure.signal.reason
}

/** An interface that cannot listen is an alarm and no end: verdicts do not need it. */
async function openDoor(
  { host: address, port }: Config['http'],
  {
    care,
    host,
    config,
    log,
    tell,
  }: {
    care: RepositoryCare
    host: InferenceHost
    config: Config
    log: Log
    tell(event: StationEvent): void
  },
): Promise<{ readonly url: string; close(): Promise<void> } | undefined> {
  try {
    const http = await openHttp({
      host: address,
      port,
      context: care.context,
      repositoriesFolder: join(config.stateDirectory, 'repositories'),
      log,
      status() {
        const { state, description } = host.stats()
        return { product: config.product, inferenceHost: state, repositoryId: description?.repositoryId }
      },
    })
    log.info({ url: http.url }, 'http')
    return http
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    log.error({ detail: error.message }, 'http')
    tell({ kind: 'alarm', code: error.code, detail: error.message })
    return undefined
  }
}

function feedOf(
  trigger: Config['triggers'][number],
  { publisher, links, onRefused }: { publisher: Publisher; links: LineLinks; onRefused: OnRefused },
): TriggerFeed {
  const clock = monotonicClock
  switch (trigger.kind) {
    case 'timer':
      return timerFeed({ everyMs: trigger.everyMs, count: trigger.count, clock })
    case 'mqtt':
      return mqttFeed(publisher)
    case 'file':
      return fileFeed({ folder: trigger.folder, clock, onRefused })
    case 'stdin':
      return stdinFeed(process.stdin, onRefused)
    case 'serial':
      return serialFeed({ link: links.serial(trigger.link), trigger, clock, onRefused })
    case 'modbus':
      return modbusFeed({ link: links.modbus(trigger.link), trigger, clock, onRefused })
  }
}

function reportHealth(health: Health, { log, tell }: { log: Log; tell(event: StationEvent): void }): void {
  const { sensor, modality, state, trouble } = health
  const isBad = state === 'lost' || state === 'degraded'
  log[isBad ? 'warn' : 'info'](
    { sensor, modality, state, code: trouble?.code, detail: trouble?.detail },
    'sensor',
  )
  const detail = `${sensor} is ${state}${trouble ? `: ${trouble.detail}` : ''}`
  tell({ kind: 'sensor', detail, ...(trouble && { code: trouble.code }) })
}

function reportLink(health: LinkHealth, { log, tell }: { log: Log; tell(event: StationEvent): void }): void {
  const { link, state, detail } = health
  log[state === 'down' ? 'warn' : 'info']({ link, state, detail }, 'link')
  const isDown = state === 'down'
  tell({
    kind: 'link',
    detail: `${link} is ${state}${isDown ? `: ${detail ?? ''}` : ''}`,
    ...(isDown && { code: 'LINK_DOWN' }),
  })
}

function reportDropped(
  { link, reason, triggerId, detail }: Dropped,
  { log, tell }: { log: Log; tell(event: StationEvent): void },
): void {
  log.warn({ link, reason, triggerId, detail }, 'output dropped')
  const code = `OUTPUT_${reason.toUpperCase()}`
  tell({ kind: 'output', code, detail: `${triggerId} was not signalled over ${link}: ${detail}` })
}
