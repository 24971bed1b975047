import { pino } from 'pino'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openBroker } from '../../runtime/broker.ts'
import { openOutbox, type Outbox } from '../../runtime/outbox.ts'
import { openPublisher } from '../../runtime/publisher.ts'
import { RuntimeError } from '../../runtime/runtime-error.ts'
import { topicsOf } from '../../runtime/topics.ts'
import { listen } from '../support/listener.ts'

const topics = topicsOf('plant', 'cell')
const soon = () => AbortSignal.timeout(5000)

function makePublisher(t: Test, broker: { url: string; protocolVersion: 4 | 5 }, maxVerdicts = 1000) {
  const outbox = openOutbox(join(t.testdir(), 'outbox.sqlite'), {
    maxVerdicts,
    maxBytes: 1e6,
    clock: monotonicClock,
    onDurability: () => t.fail('the outbox must stay durable'),
  })
  const warnings: string[] = []
  const publisher = openPublisher({
    broker,
    site: 'plant',
    station: 'cell',
    topics,
    outbox,
    will: { topic: topics.status, payload: '{"state":"offline","reason":"connection-lost"}' },
    gapEvent: (gap) => ({ topic: topics.event, payload: JSON.stringify({ kind: 'gap', ...gap }) }),
    clock: monotonicClock,
    log: pino({ level: 'warn' }, { write: (line) => void warnings.push(line) }),
    backoff: { firstMs: 10, maxMs: 50 },
  })
  const close = async () => {
    await publisher.close(
      { topic: topics.status, payload: '{"state":"offline","reason":"shutdown"}' },
      soon(),
    )
    outbox.close()
  }
  return { outbox, publisher, close, warnings }
}

const commit = (outbox: Outbox) =>
  outbox.commit(topics.verdict, ({ seq }) => ({ seq, historical: false })).seq

t.test('verdicts arrive in order and leave the outbox when acknowledged', async (t) => {
  const broker = await openBroker(0)
  const listener = await listen(broker.url)
  const { outbox, publisher, close } = makePublisher(t, broker)
  for (let index = 0; index < 100; index++) {
    commit(outbox)
    publisher.wake()
  }
  await publisher.drained(soon())
  await listener.until(() => listener.json(topics.verdict).length === 100)
  t.same(
    listener.json(topics.verdict).map((verdict) => verdict.seq),
    Array.from({ length: 100 }, (_, index) => index + 1),
  )
  t.equal(outbox.stats().depth, 0)
  t.equal(publisher.stats().published, 100)
  await close()
  await listener.close()
  await broker.close()
})

t.test(
  'a broker that comes back gets everything in order, marked historical, and the retained status',
  async (t) => {
    const first = await openBroker(0)
    const port = Number(new URL(first.url).port)
    const { outbox, publisher, close } = makePublisher(t, first)
    publisher.retain({ topic: topics.status, payload: '{"state":"online"}' })
    commit(outbox)
    publisher.wake()
    await publisher.drained(soon())
    await first.close()
    for (let index = 0; index < 50; index++) {
      commit(outbox)
      publisher.wake()
    }
    t.equal(outbox.stats().depth, 50)
    const second = await openBroker(port)
    const listener = await listen(second.url)
    await listener.until(() => listener.json(topics.verdict).length >= 50)
    await publisher.drained(soon())
    commit(outbox)
    publisher.wake()
    await listener.until(() => listener.json(topics.verdict).length >= 51)
    const verdicts = listener.json(topics.verdict)
    t.same(
      verdicts.map((verdict) => verdict.seq),
      Array.from({ length: 51 }, (_, index) => index + 2),
    )
    t.ok(verdicts.slice(0, 50).every((verdict) => verdict.historical === true))
    t.equal(verdicts[50]?.historical, false)
    t.same(listener.json(topics.status)[0], { state: 'online' }, 'a new broker learns that we are online')
    await close()
    await listener.close()
    await second.close()
  },
)

t.test('what the outbox gave up is announced before the verdicts after it', async (t) => {
  const broker = await openBroker(0)
  const listener = await listen(broker.url)
  const { outbox, publisher, close } = makePublisher(t, { url: 'mqtt://127.0.0.1:1', protocolVersion: 4 }, 3)
  for (let index = 0; index < 5; index++) commit(outbox)
  await publisher.close({ topic: topics.status, payload: '{}' }, soon())
  const online = openPublisher({
    broker,
    site: 'plant',
    station: 'cell',
    topics,
    outbox,
    will: { topic: topics.status, payload: '{}' },
    gapEvent: (gap) => ({ topic: topics.event, payload: JSON.stringify(gap) }),
    clock: monotonicClock,
    log: pino({ level: 'silent' }),
  })
  await online.drained(soon())
  await listener.until(() => listener.json(topics.verdict).length === 3)
  const order = listener.heard.map(({ topic }) => topic.split('/').at(-1))
  t.same(order, ['event', 'verdict', 'verdict', 'verdict'])
  t.same(listener.json(topics.event), [{ firstSeq: 1, lastSeq: 2 }])
  t.same(outbox.gaps(), [])
  await online.close({ topic: topics.status, payload: '{}' }, soon())
  await close()
  await listener.close()
  await broker.close()
})

t.test('a picture follows its verdict; without a broker it is dropped and counted', async (t) => {
  const broker = await openBroker(0)
  const listener = await listen(broker.url)
  const { outbox, publisher, close } = makePublisher(t, broker)
  t.equal(publisher.pictureObstacle(), 'offline')
  publisher.offerPictures({ seq: 1, render: () => Promise.reject(new Error('must not be asked for')) })
  t.equal(publisher.stats().picturesDropped, 1)
  commit(outbox)
  await publisher.drained(soon())
  t.equal(publisher.pictureObstacle(), undefined)
  const seq = commit(outbox)
  publisher.offerPictures({
    seq,
    render: async () => [
      {
        topic: topics.heatmap(seq),
        payload: Buffer.from([1, 2, 3]),
        contentType: 'image/png',
        properties: {},
      },
    ],
  })
  await publisher.drained(soon())
  await listener.until(() => listener.heard.some(({ topic }) => topic === topics.heatmap(2)))
  t.same(
    listener.heard.map(({ topic }) => topic),
    [topics.verdict, topics.verdict, topics.heatmap(2)],
  )
  t.same([...(listener.heard.at(-1)?.payload ?? [])], [1, 2, 3])
  await close()
  await listener.close()
  await broker.close()
})

t.test('every command gets an answer; a retained or malformed one is refused', async (t) => {
  const broker = await openBroker(0)
  const listener = await listen(broker.url)
  const { publisher, close } = makePublisher(t, broker)
  publisher.handle('echo', async (request) => ({ request }))
  publisher.handle('refuse', async () => {
    throw new RuntimeError('BAD_COMMAND', 'not like this')
  })
  publisher.retain({ topic: topics.status, payload: '{"state":"online"}' })
  await listener.until(() => listener.json(topics.status).length === 1)
  const replies: Record<string, unknown>[] = []
  for (const [verb, payload] of [
    ['echo', '{"a":1,"transaction":"t-1"}'],
    ['echo', ''],
    ['echo', '{'],
    ['refuse', '{}'],
    ['nothing', '{}'],
  ] as const) {
    const before = listener.heard.length
    const isReply = ({ topic }: { topic: string }) => topic === topics.reply(verb)
    await listener.client.publishAsync(topics.command(verb), payload, { qos: 1 })
    await listener.until(() => listener.heard.slice(before).some(isReply))
    replies.push(JSON.parse(String(listener.heard.slice(before).find(isReply)?.payload)))
  }
  t.match(replies, [
    { status: 'ok', transaction: 't-1', data: { request: { a: 1 } } },
    { status: 'ok', data: { request: {} } },
    { status: 'error', error: { code: 'BAD_COMMAND', detail: /not JSON/ } },
    { status: 'error', error: { code: 'BAD_COMMAND', detail: 'not like this' } },
    { status: 'error', error: { code: 'BAD_COMMAND', detail: /expected one of: echo, refuse/ } },
  ])
  await close()
  await listener.close()
  await broker.close()
})

t.test('closing says goodbye; vanishing lets the broker say it', async (t) => {
  const broker = await openBroker(0)
  const { publisher, close, warnings } = makePublisher(t, broker)
  publisher.retain({ topic: topics.status, payload: '{"state":"online"}' })
  const listener = await listen(broker.url)
  await listener.until(() => listener.json(topics.status).length >= 1)
  await close()
  await listener.until(() => listener.json(topics.status).length >= 2)
  t.same(listener.json(topics.status).at(-1), { state: 'offline', reason: 'shutdown' })
  t.same(warnings, [], 'leaving is no outage')
  await listener.close()
  await broker.close()
})

t.test('events wait for the broker within a bound; the oldest goes', async (t) => {
  const { publisher, close } = makePublisher(t, { url: 'mqtt://127.0.0.1:1', protocolVersion: 4 })
  for (let index = 0; index < 103; index++) publisher.event({ topic: topics.event, payload: '{}' })
  t.equal(publisher.stats().eventsDropped, 3)
  t.equal(publisher.stats().connected, false)
  await close()
})

t.test('an event that the connection took with it is counted', async (t) => {
  const welcome = Buffer.from([0x20, 2, 0, 0])
  const sockets: Socket[] = []
  /** Welcomes, and acknowledges nothing. */
  const deaf = createServer((socket) => {
    sockets.push(socket)
    socket.once('data', () => socket.write(welcome))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve))
  const { port } = deaf.address() as AddressInfo
  const { publisher, close } = makePublisher(t, { url: `mqtt://127.0.0.1:${port}`, protocolVersion: 4 })
  const until = async (claim: () => boolean) => {
    while (!claim()) await new Promise(setImmediate)
  }
  await until(() => publisher.stats().connected)
  publisher.event({ topic: topics.event, payload: '{}' })
  deaf.close()
  for (const socket of sockets) socket.destroy()
  await until(() => publisher.stats().eventsDropped === 1)
  t.equal(publisher.stats().connected, false)
  await close()
})

t.test('a password file that cannot be read does not end the daemon', async (t) => {
  const missing = join(t.testdir(), 'missing')
  const broker = { url: 'mqtt://127.0.0.1:1', protocolVersion: 4, passwordFile: missing } as const
  const { publisher, close } = makePublisher(t, broker)
  await publisher.drained(AbortSignal.timeout(100))
  t.equal(publisher.stats().connected, false)
  await close()
})
