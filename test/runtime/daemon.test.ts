import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openBroker } from '../../runtime/broker.ts'
import type { Config } from '../../runtime/config-schema.ts'
import { runDaemon } from '../../runtime/daemon.ts'
import { verdictSchema } from '../../runtime/messages.ts'
import { openOutbox } from '../../runtime/outbox.ts'
import { listen, type Listener } from '../support/listener.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { startDaemon, stationConfig } from '../support/running-daemon.ts'
import { copyTinyBundle, flipBit, TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

const taught = await teachTinyRepository(join(t.testdir(), 'repository'))

async function taughtConfig(t: Test, changes: Record<string, unknown> = {}): Promise<Config> {
  const stateDirectory = t.testdir()
  await putIntoUse(join(stateDirectory, 'repositories'), 'tiny', taught)
  return stationConfig({ stateDirectory, bundle: TINY_BUNDLE, ...changes })
}

/** Listens from the moment the daemon has reached its broker, long before it is ready. */
function earlyListener() {
  const lines = new PassThrough()
  const listening = once(lines, 'data').then(async ([line]: unknown[]) => {
    const { msg, broker } = JSON.parse(String(line)) as { msg: string; broker: string }
    if (msg !== 'broker connected') throw new Error(`expected to hear of the broker first, not '${msg}'`)
    return listen(broker)
  })
  const connected = pino({ level: 'info' }, lines)
  // Only that one line; the rest would fill the stream.
  const log = pino({
    level: 'info',
    hooks: {
      logMethod(args, method) {
        if (args[1] === 'broker connected') connected.info(args[0], args[1])
        void method
      },
    },
  })
  return { log, listening }
}

const statesOf = (listener: Listener, topic: string) => [
  ...new Set(listener.json(topic).map((status) => status['state'])),
]

t.test('the life of a station can be followed over MQTT, and goes on with the next number', async (t) => {
  const config = await taughtConfig(t)
  const root = 'radar/v1/plant/cell'
  const runIds = new Set<unknown>()
  for (const seqs of [
    [1, 2],
    [3, 4],
  ]) {
    const { log, listening } = earlyListener()
    const published: number[] = []
    const seen: string[] = []
    const starting = startDaemon(config, {
      log,
      onPublished: (seq) => published.push(seq),
      onVerdict: ({ triggerId }, { sample }) => seen.push(`${triggerId} ${sample.condition}`),
    })
    const listener = await listening
    t.teardown(() => listener.close())
    const daemon = await starting
    t.equal(daemon.running.topicRoot, root)
    t.equal(daemon.running.hostStats().state, 'ready')
    for (const seq of seqs) {
      const verdict = await daemon.ask({ partId: `good-${seq}` })
      t.match(verdict, { seq, durable: true, condition: 'complete', degraded: false, partId: `good-${seq}` })
      t.match(verdict, { outcome: /pass|fail/, instruction: 0, provenance: { repositoryId: taught.id } })
    }
    await listener.until(() => listener.heard.filter(({ topic }) => topic.includes('/overlay/')).length === 2)

    const late = await listen(daemon.running.brokerUrl)
    t.teardown(() => late.close())
    // A status that is told just now comes besides.
    const kept = () => late.heard.filter(({ packet }) => packet.retain)
    await late.until(() => kept().length >= 2)
    t.same(
      kept()
        .map(({ topic }) => topic)
        .sort(),
      [`${root}/health`, `${root}/status`],
      'are retained',
    )

    await daemon.stop()
    await listener.until(() => statesOf(listener, `${root}/status`).includes('offline'))

    t.same(statesOf(listener, `${root}/status`), ['starting', 'online', 'offline'])
    const farewell = listener.json(`${root}/status`).at(-1)
    t.match(farewell, { state: 'offline', reason: 'shutdown' })
    runIds.add(farewell?.['runId'])
    const verdicts = listener.json(`${root}/verdict`)
    for (const verdict of verdicts) t.equal(verdictSchema.safeParse(verdict).success, true)
    t.same(
      verdicts.map(({ seq, historical }) => ({ seq, historical })),
      seqs.map((seq) => ({ seq, historical: false })),
    )
    for (const seq of seqs) {
      t.ok(listener.heard.some(({ topic }) => topic === `${root}/heatmap/${seq}`))
    }
    t.same(published, seqs)
    t.equal(seen.length, 2)
    t.match(listener.json(`${root}/health`).at(-1), {
      sensors: [
        { sensor: 'camera', state: 'ok' },
        { sensor: 'scanner', state: 'ok' },
      ],
    })
  }
  t.equal(runIds.size, 2, 'each start has its own name')
})

t.test(
  'triggers from the config are served: a command over MQTT has its reply and its verdict',
  async (t) => {
    const controller = new AbortController()
    let listener: Listener | undefined
    await runDaemon({
      config: await taughtConfig(t, { triggers: [{ kind: 'mqtt' }] }),
      log: pino({ level: 'silent' }),
      signal: controller.signal,
      onReady({ brokerUrl, topicRoot }) {
        void (async () => {
          listener = await listen(brokerUrl)
          const { client } = listener
          await client.publishAsync(`${topicRoot}/cmd/trigger`, '{"partId":"good-7","transaction":"t-1"}')
          await listener.until(() => listener!.json(`${topicRoot}/verdict`).length === 1)
          await listener.until(() => listener!.json(`${topicRoot}/reply/trigger`).length === 1)
          controller.abort(new Error('heard enough'))
        })()
      },
    })
    t.teardown(() => listener?.close())
    t.match(listener?.json('radar/v1/plant/cell/verdict'), [{ source: 'mqtt', partId: 'good-7' }])
    t.match(listener?.json('radar/v1/plant/cell/reply/trigger'), [{ status: 'ok', transaction: 't-1' }])
  },
)

t.test(
  'taught nothing, it raises an alarm and answers unknown, also what it accepted before its stop',
  async (t) => {
    const { log, listening } = earlyListener()
    const config = stationConfig({ stateDirectory: t.testdir(), bundle: TINY_BUNDLE })
    const starting = startDaemon(config, { log })
    const listener = await listening
    t.teardown(() => listener.close())
    const daemon = await starting

    const accepted = [daemon.ask(), daemon.ask(), daemon.ask()]
    const stopped = daemon.stop()
    const late = daemon.ask()
    for (const verdict of await Promise.all(accepted)) {
      t.match(verdict, {
        outcome: 'unknown',
        reason: 'no-repository',
        action: 'review',
        condition: 'complete',
      })
      t.notOk('score' in verdict || 'provenance' in verdict)
    }
    t.match(
      await late,
      { outcome: 'unknown', reason: 'shutting-down', condition: 'none' },
      'asked after the stop',
    )
    await stopped
    await listener.until(() => listener.json('radar/v1/plant/cell/verdict').length === 4)
    const alarms = listener.json('radar/v1/plant/cell/event').filter(({ kind }) => kind === 'alarm')
    t.match(alarms, [{ code: 'NOT_TAUGHT' }])
  },
)

t.test('a damaged ledger is an alarm and no end: triggers are answered', async (t) => {
  const { log, listening } = earlyListener()
  const config = await taughtConfig(t)
  const ledger = join(config.stateDirectory, 'repositories', 'ledger.sqlite')
  await writeFile(ledger, 'this is not a ledger, it is a text '.repeat(200))
  const starting = startDaemon(config, { log })
  const listener = await listening
  t.teardown(() => listener.close())
  const daemon = await starting
  t.match(await daemon.ask(), { outcome: 'unknown', reason: 'no-repository', condition: 'complete' })
  await listener.until(() => listener.json('radar/v1/plant/cell/verdict').length === 1)
  const alarms = listener.json('radar/v1/plant/cell/event').filter(({ kind }) => kind === 'alarm')
  t.match(
    alarms.map(({ code }) => code),
    ['LEDGER_UNREADABLE', 'REPOSITORY_REFUSED'],
    'each once',
  )
  for (const { detail } of alarms) t.match(detail, /ledger\.sqlite cannot be used/)
  await daemon.stop()
})

t.test('told to stop while it starts, it ends cleanly and was never ready', async (t) => {
  const log = pino({ level: 'silent' })
  for (const when of ['before', 'while the sensors open']) {
    const controller = new AbortController()
    const config = stationConfig({ stateDirectory: t.testdir(), bundle: TINY_BUNDLE })
    if (when === 'before') controller.abort(new Error(when))
    const ended = runDaemon({ config, log, signal: controller.signal, onReady: () => t.fail(when) })
    setImmediate(() => controller.abort(new Error(when)))
    await t.resolves(ended, when)
  }
})

t.test(
  'a bundle that the host refuses ends the station with the model’s own error, never online',
  async (t) => {
    const bundle = copyTinyBundle(t.testdir())
    flipBit(bundle, 'rgb.onnx', -9)
    const { log, listening } = earlyListener()
    const config = stationConfig({ stateDirectory: join(bundle, 'state'), bundle })
    const starting = startDaemon(config, { log })
    const failure = t.rejects(starting, {
      name: 'ModelError',
      code: 'MODEL_UNREADABLE',
      message: /rgb\.onnx/,
    })
    const listener = await listening
    t.teardown(() => listener.close())
    await failure
    await listener.until(() => statesOf(listener, 'radar/v1/plant/cell/status').includes('offline'))
    t.same(statesOf(listener, 'radar/v1/plant/cell/status'), ['starting', 'offline'])
  },
)

t.test('two daemons never share one numbering: the second ends at once', async (t) => {
  const config = stationConfig({ stateDirectory: t.testdir(), bundle: TINY_BUNDLE })
  const held = openOutbox(join(config.stateDirectory, 'outbox.sqlite'), {
    maxVerdicts: 10,
    maxBytes: 1e6,
    clock: monotonicClock,
    onDurability: () => undefined,
  })
  t.teardown(() => held.close())
  await t.rejects(startDaemon(config), { name: 'RuntimeError', code: 'OUTBOX_LOCKED' })
})

t.test('an embedded broker that cannot listen ends the station with the port in its message', async (t) => {
  const taken = await openBroker(0)
  t.teardown(() => taken.close())
  const embeddedPort = Number(new URL(taken.url).port)
  const config = stationConfig({ stateDirectory: t.testdir(), bundle: TINY_BUNDLE, mqtt: { embeddedPort } })
  await t.rejects(startDaemon(config), { code: 'BROKER_UNAVAILABLE', message: `:${embeddedPort}` })
})
