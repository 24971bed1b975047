/**
 * The only file that imports mqtt. One connection at a time, made anew with back-off whenever it ends; nothing is left
 * to the library's own store, which is unbounded and in memory. What must arrive comes from the outbox, in order, a few
 * in flight, and is deleted there when the broker has acknowledged it. Everything else is best effort and counted.
 *
 * Commands are not queued by the broker while we are away (clean start): a trigger from the past must not inspect the
 * part of now.
 */
import { connect, type IClientOptions, type IClientPublishOptions, type MqttClient } from 'mqtt'
import { readFile } from 'node:fs/promises'
import { delay, type Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import type { Log } from './log.ts'
import { asHistorical } from './messages.ts'
import type { Gap, Message, StoredVerdict } from './outbox-store.ts'
import type { Outbox } from './outbox.ts'
import { PictureQueue, type Picture, type Showing } from './picture-queue.ts'
import { answerCommand, type CommandHandler } from './remote-commands.ts'
import type { Topics } from './topics.ts'

export interface BrokerAddress {
  readonly url: string
  readonly protocolVersion: 4 | 5
  readonly username?: string | undefined
  /** Files, never the secrets themselves; read again at every connection, so that they can be renewed. */
  readonly passwordFile?: string | undefined
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

export interface PublisherOptions {
  readonly broker: BrokerAddress
  readonly site: string
  readonly station: string
  readonly topics: Topics
  readonly outbox: Outbox
  /** The last will: retained, published by the broker when we vanish. */
  readonly will: Message
  gapEvent(gap: Gap): Message
  readonly clock: Clock
  readonly log: Log
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number }
  /** The broker has acknowledged this verdict. */
  onPublished?(seq: number): void
}

export interface PublisherStats {
  readonly connected: boolean
  readonly connections: number
  readonly published: number
  readonly refused: number
  readonly picturesDropped: number
  readonly eventsDropped: number
}

const IN_FLIGHT = 20
const KEEPALIVE_SECONDS = 15
const CONNECT_DEADLINE_MS = 10_000
/** A picture older than this is of no use to anyone who watches the line. */
const PICTURE_EXPIRY_SECONDS = 60
/** An acknowledgement that says no (usually an access list) is asked again after this long. */
const REFUSED_RETRY_MS = 5000
/** Bounded for a storm while the broker is away; the oldest goes. */
const MAX_WAITING_EVENTS = 100
const MAX_COMMANDS_AT_ONCE = 32
const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 30_000
const STEADY_MS = 10_000

export function openPublisher(options: PublisherOptions): Publisher {
  const publisher = new Publisher(options)
  publisher.open()
  return publisher
}

export class Publisher {
  readonly #options: PublisherOptions
  readonly #stop = new AbortController()
  readonly #handlers = new Map<string, CommandHandler>()
  readonly #retained = new Map<string, string>()
  readonly #pictures: PictureQueue
  #running: Promise<void> | undefined
  /** Set from the broker's welcome to the end of the connection. */
  #client: MqttClient | undefined
  #inFlight = new Set<number>()
  #gapsInFlight = new Set<number>()
  /** Verdicts up to here were handed to this connection. */
  #cursor = 0
  /** The newest verdict that this connection's broker has acknowledged. */
  #acknowledged = 0
  /** Verdicts up to here were made before this connection. */
  #historicalUpTo = 0
  #isRefused = false
  /** The end that comes now is ours. */
  #isLeaving = false
  #events: Message[] = []
  #commandsRunning = 0
  /** Of `drained`. */
  #waiters: (() => void)[] = []
  #connections = 0
  #published = 0
  #refused = 0
  #eventsDropped = 0

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#pictures = new PictureQueue(
      (picture) => this.#sendPicture(picture),
      (error) => options.log.debug({ error: messageOf(error) }, 'picture dropped'),
    )
  }

  /** Connects in the background, for as long as it takes. A station does not wait for its broker. */
  open(): void {
    this.#running ??= this.#keepConnected(this.#stop.signal)
  }

  /** Who answers `cmd/<verb>`. */
  handle(verb: string, handler: CommandHandler): void {
    this.#handlers.set(verb, handler)
  }

  /** The outbox has something new. */
  wake(): void {
    this.#pump()
  }

  /** Published now and again after every reconnect, since a broker may forget what it retained. */
  retain(message: Message): void {
    this.#retained.set(message.topic, message.payload)
    if (this.#client !== undefined) this.#publishRetained(this.#client, message)
  }

  event(message: Message): void {
    this.#events.push(message)
    if (this.#events.length > MAX_WAITING_EVENTS) {
      this.#events.shift()
      this.#eventsDropped += 1
    }
    this.#pump()
  }

  /** Why a picture offered now would be dropped; undefined when there is room for it. */
  pictureObstacle(): 'offline' | 'link-busy' | undefined {
    if (this.#client === undefined) return 'offline'
    return this.#pictures.hasRoom() ? undefined : 'link-busy'
  }

  /** For a verdict that has just been committed. */
  offerPictures(showing: Showing): void {
    if (this.#client === undefined) this.#pictures.countDropped()
    else this.#pictures.offer(showing)
    this.#pump()
  }

  stats(): PublisherStats {
    return {
      connected: this.#client !== undefined,
      connections: this.#connections,
      published: this.#published,
      refused: this.#refused,
      picturesDropped: this.#pictures.dropped,
      eventsDropped: this.#eventsDropped,
    }
  }

  /** Resolves when everything has been sent and acknowledged, or when the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wakeWaiters()
    signal.addEventListener('abort', wake)
    while (!signal.aborted && !this.#isIdle()) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    signal.removeEventListener('abort', wake)
  }

  /** Says goodbye with a last retained message, within the signal. What is left stays in the outbox. */
  async close(farewell: Message, signal: AbortSignal): Promise<void> {
    const client = this.#client
    this.#isLeaving = true
    if (client !== undefined && !this.#stop.signal.aborted) {
      const goodbye = client
        .publishAsync(farewell.topic, farewell.payload, this.#jsonOptions({ retain: true }))
        .then(() => client.endAsync())
      await untilAborted(goodbye, signal)
    }
    this.#stop.abort()
    await this.#running
  }

  async #keepConnected(stop: AbortSignal): Promise<void> {
    const { clock, log, broker } = this.#options
    const { firstMs, maxMs } = this.#options.backoff ?? { firstMs: FIRST_BACKOFF_MS, maxMs: MAX_BACKOFF_MS }
    let waitMs = firstMs
    let wasConnected = true
    while (!stop.aborted) {
      const connectionsBefore = this.#connections
      const startedMs = clock.now()
      const reason = await this.#session(stop).catch(messageOf)
      if (stop.aborted || this.#isLeaving) return
      const isConnected = this.#connections > connectionsBefore
      // A broker that throws us out again and again (an access list, a second client of our name) is not hammered.
      if (isConnected && clock.now() - startedMs >= STEADY_MS) waitMs = firstMs
      // Once per change: an hour without a broker is one line, not a thousand.
      if (isConnected || wasConnected) log.warn({ broker: broker.url, reason }, 'broker is away')
      wasConnected = isConnected
      await delay(waitMs, stop, clock).catch(() => undefined)
      waitMs = Math.min(waitMs * 2, maxMs)
    }
  }

  /** One connection, from dialling to its end. Resolves with why it ended. */
  async #session(stop: AbortSignal): Promise<string> {
    const client = connect(this.#options.broker.url, await this.#connectOptions())
    let isOver = false
    let stopped = (): void => undefined
    try {
      return await new Promise<string>((resolve) => {
        let reason = 'connection closed'
        stopped = () => resolve('stopped')
        stop.addEventListener('abort', stopped)
        client.on('connect', () => {
          if (!isOver) this.#beginSession(client)
        })
        client.on('message', (topic, payload, packet) => {
          if (isOver) return
          const { responseTopic, correlationData } = packet.properties ?? {}
          const request = { topic, payload, retained: packet.retain, ...(responseTopic && { responseTopic }) }
          void this.#answer(client, request, correlationData)
        })
        client.on('error', (error) => {
          reason = error.message
          // Before the welcome an error is final: mqtt.js leaves a refused connection open.
          if (this.#client !== client) resolve(reason)
        })
        client.on(
          'disconnect',
          (packet) => (reason = `the broker disconnected us, reason ${packet.reasonCode}`),
        )
        client.on('close', () => resolve(reason))
      })
    } finally {
      // First, so that late callbacks find nobody. What was not acknowledged is still in the outbox.
      isOver = true
      stop.removeEventListener('abort', stopped)
      this.#endSession()
      client.end(true)
    }
  }

  async #connectOptions(): Promise<IClientOptions> {
    const { broker, site, station, will } = this.#options
    const read = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file))
    const [password, ca, cert, key] = await Promise.all(
      [broker.passwordFile, broker.caFile, broker.certFile, broker.keyFile].map(read),
    )
    return {
      protocolVersion: broker.protocolVersion,
      clientId: `radar-edge-${site}-${station}`,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_DEADLINE_MS,
      keepalive: KEEPALIVE_SECONDS,
      queueQoSZero: false,
      resubscribe: false,
      will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true },
      ...(broker.username !== undefined && { username: broker.username }),
      // An editor's last line ends in a newline; no broker's password does.
      ...(password && { password: password.toString('utf8').replace(/\r?\n$/, '') }),
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    }
  }

  #beginSession(client: MqttClient): void {
    const { outbox, log, broker, topics } = this.#options
    this.#connections += 1
    this.#client = client
    this.#cursor = 0
    this.#acknowledged = 0
    this.#historicalUpTo = outbox.stats().lastSeq
    log.info({ broker: broker.url, waiting: outbox.stats().depth }, 'broker connected')
    client.subscribe(topics.allCommands, { qos: 1 }, (error) => {
      if (error !== null) log.error({ error: error.message, topic: topics.allCommands }, 'no commands')
    })
    for (const [topic, payload] of this.#retained) this.#publishRetained(client, { topic, payload })
    this.#pump()
  }

  #endSession(): void {
    if (this.#client === undefined) return
    this.#client = undefined
    this.#inFlight.clear()
    this.#gapsInFlight.clear()
    this.#isRefused = false
    this.#pictures.drop()
  }

  /** Gaps and events, then verdicts up to the window, then pictures. */
  #pump(): void {
    const client = this.#client
    if (client === undefined || this.#isRefused) return
    const { outbox } = this.#options
    for (const gap of outbox.gaps()) if (!this.#gapsInFlight.has(gap.firstSeq)) this.#publishGap(client, gap)
    for (const event of this.#events.splice(0)) {
      client.publish(event.topic, event.payload, this.#jsonOptions({}), (error) => {
        if (error) this.#eventsDropped += 1
      })
    }
    for (const verdict of outbox.after(this.#cursor, IN_FLIGHT - this.#inFlight.size)) {
      this.#publishVerdict(client, verdict)
    }
    void this.#pictures.show(this.#acknowledged).then(() => this.#wakeWaiters())
  }

  #publishVerdict(client: MqttClient, { seq, topic, payload }: StoredVerdict): void {
    this.#cursor = seq
    this.#inFlight.add(seq)
    const body = seq <= this.#historicalUpTo ? asHistorical(payload) : payload
    client.publish(topic, body, this.#jsonOptions({ seq }), (error) => {
      if (this.#client !== client) return
      this.#inFlight.delete(seq)
      if (error) return this.#retryLater(client, error, { seq })
      this.#published += 1
      this.#acknowledged = Math.max(this.#acknowledged, seq)
      this.#options.outbox.acknowledge(seq)
      this.#options.onPublished?.(seq)
      this.#pump()
    })
  }

  #publishGap(client: MqttClient, gap: Gap): void {
    this.#gapsInFlight.add(gap.firstSeq)
    const { topic, payload } = this.#options.gapEvent(gap)
    client.publish(topic, payload, this.#jsonOptions({}), (error) => {
      if (this.#client !== client) return
      this.#gapsInFlight.delete(gap.firstSeq)
      if (error) return this.#retryLater(client, error, { ...gap })
      this.#options.outbox.acknowledgeGap(gap)
      this.#pump()
    })
  }

  /** The broker said no, or the connection is ending. Either way the message stays in the outbox. */
  #retryLater(client: MqttClient, error: Error, about: Record<string, number>): void {
    if (!('code' in error) || typeof error.code !== 'number') {
      client.end(true)
      return
    }
    this.#refused += 1
    if (this.#isRefused) return
    this.#isRefused = true
    this.#options.log.error({ ...about, error: error.message }, 'the broker refused a message')
    this.#options.clock.after(REFUSED_RETRY_MS, () => {
      if (this.#client !== client) return
      this.#isRefused = false
      this.#cursor = 0
      this.#inFlight.clear()
      this.#pump()
    })
  }

  #publishRetained(client: MqttClient, { topic, payload }: Message): void {
    client.publish(topic, payload, this.#jsonOptions({ retain: true }), (error) => {
      if (error && this.#client === client) {
        this.#options.log.error({ topic, error: error.message }, 'a retained message was refused')
      }
    })
  }

  #sendPicture(picture: Picture): Promise<void> {
    const client = this.#client
    if (client === undefined) return Promise.reject(new Error('the broker is away'))
    const options: IClientPublishOptions = {
      qos: 0,
      ...(this.#options.broker.protocolVersion === 5 && {
        properties: {
          contentType: picture.contentType,
          messageExpiryInterval: PICTURE_EXPIRY_SECONDS,
          userProperties: { ...picture.properties },
        },
      }),
    }
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error('the broker went away'))
      client.once('close', lost)
      client.publish(picture.topic, picture.payload, options, (error) => {
        client.off('close', lost)
        if (error) reject(error)
        else resolve()
      })
    })
  }

  async #answer(
    client: MqttClient,
    request: { topic: string; payload: Buffer; retained: boolean; responseTopic?: string },
    correlationData: Buffer | undefined,
  ): Promise<void> {
    if (this.#commandsRunning >= MAX_COMMANDS_AT_ONCE) {
      this.#options.log.warn({ topic: request.topic }, 'too many commands at once; this one is not answered')
      return
    }
    this.#commandsRunning += 1
    const { site, station, topics } = this.#options
    const reply = await answerCommand(request, { site, station, topics, handlers: this.#handlers })
    this.#commandsRunning -= 1
    if (reply === undefined || this.#client !== client) return
    const options = this.#jsonOptions({})
    if (correlationData !== undefined && options.properties !== undefined) {
      options.properties.correlationData = correlationData
    }
    client.publish(reply.topic, reply.payload, options, () => undefined)
  }

  #jsonOptions({ retain, seq }: { retain?: true; seq?: number }): IClientPublishOptions {
    return {
      qos: 1,
      ...(retain && { retain }),
      ...(this.#options.broker.protocolVersion === 5 && {
        properties: {
          contentType: 'application/json',
          payloadFormatIndicator: true,
          // Never an empty object: mqtt.js 5.16 then writes nothing at all and waits for the acknowledgement for ever.
          ...(seq !== undefined && { userProperties: { seq: String(seq) } }),
        },
      }),
    }
  }

  #isIdle(): boolean {
    const hasSentAll = this.#options.outbox.stats().depth === 0 && this.#options.outbox.gaps().length === 0
    return hasSentAll && this.#events.length === 0 && this.#pictures.isIdle
  }

  #wakeWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}

/** Waits for work that may fail, and not longer than the signal. */
async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => resolve()
    work.then(done, done)
    if (signal.aborted) done()
    signal.addEventListener('abort', done, { once: true })
  })
}
