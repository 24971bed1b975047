/** What the station says of itself: status and health, both retained, on every change and on a slow interval. */
import type { Clock } from '../drivers/clock.ts'
import type { Health } from '../drivers/health.ts'
import type { HostStats } from '../models/inference-host.ts'
import type { LinkHealth } from './links/kept-link.ts'
import { isoTime, type HealthPayload, type StatusPayload, type VerdictPayload } from './messages.ts'
import type { Message } from './outbox-store.ts'
import type { OutboxStats } from './outbox.ts'
import type { OutputCounts } from './outputs/output.ts'
import type { PublisherStats } from './publisher.ts'
import { RecentSkews } from './recent-skews.ts'
import type { Topics } from './topics.ts'

export interface StationName {
  readonly site: string
  readonly station: string
  readonly topics: Topics
  readonly runId: string
}

export interface StatusOptions extends StationName {
  readonly version: string
  readonly product: string
  readonly publisher: { retain(message: Message): void; stats(): PublisherStats }
  readonly outbox: { stats(): OutboxStats }
  readonly rig: { health(): readonly Health[] }
  readonly links?: { health(): readonly LinkHealth[] }
  readonly outputs?: readonly { counts(): OutputCounts }[]
  readonly host: { stats(): Pick<HostStats, 'state' | 'restarts' | 'rssBytes' | 'description'> }
  readonly clock: Clock
  readonly everyMs: number
}

/** For the last will and for the farewell. */
export function offlineStatus(
  { site, station, topics, runId }: StationName,
  reason: 'shutdown' | 'connection-lost',
): Message {
  const status: StatusPayload = {
    schema: 'radar-edge/status@1',
    site,
    station,
    state: 'offline',
    runId,
    reason,
    // The broker sends the will later than it was written: its time would be a lie.
    ...(reason === 'shutdown' && { time: isoTime() }),
  }
  return { topic: topics.status, payload: JSON.stringify(status) }
}

/** Says `starting` until `online` is called. */
export function openStatus(options: StatusOptions): Status {
  const status = new Status(options)
  status.open()
  return status
}

export class Status {
  readonly #options: StatusOptions
  readonly #startedAt = isoTime()
  readonly #startedMs: number
  readonly #counters = new Map<string, number>()
  readonly #skews = new RecentSkews()
  #state: 'starting' | 'online' = 'starting'
  #cancel: (() => void) | undefined

  constructor(options: StatusOptions) {
    this.#options = options
    this.#startedMs = options.clock.now()
  }

  open(): void {
    this.publish()
    this.#cancel ??= this.#options.clock.after(this.#options.everyMs, () => {
      this.#cancel = undefined
      this.open()
    })
  }

  online(): void {
    this.#state = 'online'
    this.publish()
  }

  count(verdict: VerdictPayload): void {
    this.#increment('verdicts')
    this.#increment(`outcome-${verdict.outcome}`)
    this.#increment(`condition-${verdict.condition}`)
    if (verdict.reason !== undefined) this.#increment(`unknown-${verdict.reason}`)
    if (verdict.skewMs !== undefined) this.#skews.note(verdict.skewMs)
  }

  /** A result that came after its verdict. */
  countLate(step: string): void {
    this.#increment(`late-${step}`)
  }

  publish(): void {
    const { publisher, topics } = this.#options
    publisher.retain({ topic: topics.status, payload: JSON.stringify(this.#statusPayload()) })
    publisher.retain({ topic: topics.health, payload: JSON.stringify(this.#healthPayload()) })
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #increment(counter: string): void {
    this.#counters.set(counter, (this.#counters.get(counter) ?? 0) + 1)
  }

  #statusPayload(): StatusPayload {
    const { site, station, runId, version, product, clock, publisher, outbox, host, outputs } = this.#options
    const { published, refused, connections, picturesDropped, eventsDropped } = publisher.stats()
    const { state, restarts, rssBytes, description } = host.stats()
    const { bundleId, repositoryId } = description ?? {}
    const skewMs = this.#skews.figures()
    return {
      schema: 'radar-edge/status@1',
      site,
      station,
      state: this.#state,
      time: isoTime(),
      runId,
      version,
      startedAt: this.#startedAt,
      uptimeSeconds: Math.floor((clock.now() - this.#startedMs) / 1000),
      product,
      ...(bundleId !== undefined && { bundleId }),
      ...(repositoryId !== undefined && { repositoryId }),
      counters: {
        ...Object.fromEntries(this.#counters),
        ...outputCounters(outputs),
        published,
        refused,
        connections,
        'pictures-dropped': picturesDropped,
        'events-dropped': eventsDropped,
      },
      ...(skewMs && { skewMs }),
      outbox: outbox.stats(),
      inferenceHost: { state, restarts, rssBytes },
      rssBytes: process.memoryUsage.rss(),
    }
  }

  #healthPayload(): HealthPayload {
    const { site, station, rig, links, clock } = this.#options
    const sinceSeconds = (sinceMs: number): number => Math.max(0, Math.round((clock.now() - sinceMs) / 1000))
    const sensors = rig.health().map(({ sensor, modality, state, sinceMs, trouble }) => ({
      sensor,
      modality,
      state,
      sinceSeconds: sinceSeconds(sinceMs),
      ...(trouble && { detail: trouble.detail }),
    }))
    const lines = (links?.health() ?? []).map(({ link, state, sinceMs, detail }) => ({
      link,
      state,
      sinceSeconds: sinceSeconds(sinceMs),
      ...(detail !== undefined && { detail }),
    }))
    return {
      schema: 'radar-edge/health@1',
      site,
      station,
      time: isoTime(),
      sensors,
      ...(lines.length > 0 && { links: lines }),
    }
  }
}

/** All outputs together; only what happened. */
function outputCounters(outputs: readonly { counts(): OutputCounts }[] = []): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const output of outputs) {
    const { told, dropped } = output.counts()
    const counts = { told, ...dropped }
    for (const [name, count] of Object.entries(counts)) {
      if (count > 0) sums[`output-${name}`] = (sums[`output-${name}`] ?? 0) + count
    }
  }
  return sums
}
