import t from 'tap'
import { healthSchema, statusSchema } from '../../runtime/messages.ts'
import type { InspectorDescription } from '../../models/host-protocol.ts'
import type { Message } from '../../runtime/outbox-store.ts'
import type { LinkHealth } from '../../runtime/links/kept-link.ts'
import type { OutputCounts } from '../../runtime/outputs/output.ts'
import { offlineStatus, openStatus } from '../../runtime/status.ts'
import { topicsOf } from '../../runtime/topics.ts'
import { makePayload } from '../support/inspected.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const topics = topicsOf('plant', 'cell')
const name = { site: 'plant', station: 'cell', topics, runId: 'run' }

interface Line {
  readonly links?: readonly LinkHealth[]
  readonly outputs?: readonly OutputCounts[]
}

function makeStatus(description?: InspectorDescription, { links = [], outputs = [] }: Line = {}) {
  const clock = virtualClock()
  const retained: Message[] = []
  const status = openStatus({
    ...name,
    version: '1.2.3',
    product: 'nut',
    publisher: {
      retain: (message) => retained.push(message),
      stats: () => ({
        connected: true,
        connections: 1,
        published: 4,
        refused: 0,
        picturesDropped: 2,
        eventsDropped: 0,
      }),
    },
    outbox: { stats: () => ({ durability: 'volatile', lastSeq: 9, depth: 3, evicted: 1 }) },
    rig: {
      health: () => [
        {
          sensor: 'scanner',
          modality: 'xyz',
          state: 'lost',
          sinceMs: 1000,
          misses: 1,
          failures: 1,
          goods: 0,
          trouble: { code: 'DRIVER_LOST', detail: 'cable' },
        },
      ],
    },
    host: {
      stats: () => ({ state: 'ready', restarts: 2, rssBytes: 5, ...(description && { description }) }),
    },
    links: { health: () => links },
    outputs: outputs.map((counts) => ({ counts: () => counts })),
    clock,
    everyMs: 30_000,
  })
  const latest = (topic: string) =>
    JSON.parse(retained.filter((each) => each.topic === topic).at(-1)?.payload ?? '{}')
  return { clock, retained, status, latest }
}

t.test('how far exposures lay apart is told of the last 1,000 parts that both sensors saw', (t) => {
  const { status, latest } = makeStatus()
  t.notOk('skewMs' in latest(topics.status), 'nothing is told before there is something')
  const count = (skewMs?: number) =>
    status.count(makePayload({ outcome: 'pass', ...(skewMs !== undefined && { skewMs }) }))
  count()
  // 500 of long ago, which nobody hears of any more.
  for (let part = 0; part < 500; part++) count(90)
  for (let part = 1; part <= 1000; part++) count(part / 100)
  status.publish()
  t.same(statusSchema.parse(latest(topics.status)).skewMs, { parts: 1000, p50: 5, p99: 9.9, worst: 10 })
  t.end()
})

t.test('status and health say what the daemon knows, by their schemas', async (t) => {
  const { clock, status, latest } = makeStatus()
  t.match(statusSchema.parse(latest(topics.status)), {
    state: 'starting',
    uptimeSeconds: 0,
    version: '1.2.3',
  })
  await clock.advance(5000)
  status.count(makePayload({ outcome: 'unknown', reason: 'overrun' }))
  status.countLate('inspect')
  status.online()
  t.match(statusSchema.parse(latest(topics.status)), {
    state: 'online',
    uptimeSeconds: 5,
    counters: {
      verdicts: 1,
      'outcome-unknown': 1,
      'unknown-overrun': 1,
      'late-inspect': 1,
      published: 4,
      'pictures-dropped': 2,
    },
    outbox: { durability: 'volatile', lastSeq: 9, depth: 3, evicted: 1 },
    inferenceHost: { state: 'ready', restarts: 2 },
  })
  t.match(healthSchema.parse(latest(topics.health)).sensors, [
    { sensor: 'scanner', state: 'lost', sinceSeconds: 5, detail: 'cable' },
  ])
  status.close()
})

t.test('it names bundle and repository as soon as the host does, before any verdict', (t) => {
  const untaught = makeStatus({ bundleId: 'b', backend: 'cpu' })
  t.equal(latestIds(untaught), 'b undefined')
  const taught = makeStatus({ bundleId: 'b', backend: 'cpu', repositoryId: 'r1' })
  t.equal(latestIds(taught), 'b r1')
  for (const { status } of [untaught, taught]) status.close()
  t.end()
})

function latestIds({ latest }: ReturnType<typeof makeStatus>): string {
  const { bundleId, repositoryId } = statusSchema.parse(latest(topics.status))
  return `${bundleId} ${repositoryId}`
}

t.test('it is published on the interval, not for every verdict', async (t) => {
  const { clock, retained, status } = makeStatus()
  const before = retained.length
  status.count(makePayload())
  t.equal(retained.length, before)
  await clock.advance(90_000)
  t.equal(retained.length, before + 6, 'two messages every 30 s')
  status.close()
  t.equal(clock.pending(), 0)
})

t.test('the last will has no time, the farewell has one', (t) => {
  const will = statusSchema.parse(JSON.parse(offlineStatus(name, 'connection-lost').payload))
  t.match(will, { state: 'offline', reason: 'connection-lost', runId: 'run' })
  t.notOk('time' in will)
  t.ok(statusSchema.parse(JSON.parse(offlineStatus(name, 'shutdown').payload)).time)
  t.end()
})

t.test('links are in health, and what outputs told and dropped is counted together', async (t) => {
  const none = { late: 0, stale: 0, down: 0, full: 0, refused: 0 }
  const { status, latest } = makeStatus(undefined, {
    links: [
      { link: 'io', state: 'up', sinceMs: 1000, connections: 1 },
      { link: 'plc', state: 'down', sinceMs: 1000, connections: 2, detail: 'unplugged' },
    ],
    outputs: [
      { told: 3, dropped: { ...none, late: 1 } },
      { told: 4, dropped: { ...none, late: 1, down: 5 } },
    ],
  })
  t.same(healthSchema.parse(latest(topics.health)).links, [
    { link: 'io', state: 'up', sinceSeconds: 0 },
    { link: 'plc', state: 'down', sinceSeconds: 0, detail: 'unplugged' },
  ])
  const { counters } = statusSchema.parse(latest(topics.status)) as { counters: Record<string, number> }
  t.match(counters, { 'output-told': 7, 'output-late': 2, 'output-down': 5 })
  t.notOk('output-full' in counters, 'only what happened')
  status.close()
})
