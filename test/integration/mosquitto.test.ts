/**
 * Against a real broker. Needs the Debian package mosquitto on the PATH. The broker is stopped with SIGTERM and not with
 * SIGKILL: mosquitto 2.0.11 acknowledges messages before they are on its disk and loses those, which is no business of
 * ours. Connections end in mid-stream all the same.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openOutbox, type Outbox } from '../../runtime/outbox.ts'
import { openPublisher, type BrokerAddress } from '../../runtime/publisher.ts'
import { topicsOf } from '../../runtime/topics.ts'
import { openCable } from '../support/cable.ts'
import { freePort } from '../support/free-port.ts'
import { listen } from '../support/listener.ts'
import { until } from '../support/processes.ts'

const path = `${process.env.PATH ?? ''}:/usr/sbin`
const found = spawnSync('mosquitto', ['-h'], { env: { PATH: path } }).error === undefined
const skip = found ? false : 'SKIP: no mosquitto on the PATH (Debian: apt-get install mosquitto)'

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined
const skipTls = skip || (hasOpenssl ? false : 'SKIP: no openssl on the PATH, needed to make certificates')

const topics = topicsOf('plant', 'cell')
const soon = () => AbortSignal.timeout(10_000)
const silent = pino({ level: 'silent' })

/** @param extra further lines of mosquitto.conf. */
async function prepareMosquitto(t: Test, extra = '') {
  const folder = t.testdir()
  const port = await freePort()
  const config = join(folder, 'mosquitto.conf')
  await mkdir(join(folder, 'data'))
  await writeFile(
    config,
    `listener ${port} 127.0.0.1\nuser root\nallow_anonymous true\npersistence true\npersistence_location ${join(folder, 'data')}/\nautosave_on_changes true\nautosave_interval 1\nmax_queued_messages 0\n${extra}`,
  )
  let broker: ChildProcess | undefined
  t.teardown(() => broker?.kill('SIGKILL'))
  return {
    url: `mqtt://127.0.0.1:${port}`,
    /** Resolves when it listens. */
    async start() {
      const child = spawn('mosquitto', ['-c', config, '-v'], {
        env: { PATH: path },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      broker = child
      await new Promise<void>((resolve, reject) => {
        child.on('exit', (status) => reject(new Error(`mosquitto ended with status ${status}`)))
        child.stderr.on('data', (text) => {
          if (String(text).includes('running')) resolve()
        })
      })
    },
    async stop() {
      const ended = once(broker as ChildProcess, 'exit')
      broker?.kill('SIGTERM')
      await ended
    },
  }
}

function makePublisher(t: Test, url: string, tls: Partial<BrokerAddress> = {}) {
  const outbox = openOutbox(join(t.testdirName, 'outbox.sqlite'), {
    maxVerdicts: 10_000,
    maxBytes: 1e8,
    clock: monotonicClock,
    onDurability: () => t.fail('the outbox must stay durable'),
  })
  const publisher = openPublisher({
    broker: { url, protocolVersion: 5, ...tls },
    site: 'plant',
    station: 'cell',
    topics,
    outbox,
    will: { topic: topics.status, payload: '{"state":"offline","reason":"connection-lost"}' },
    gapEvent: (gap) => ({ topic: topics.event, payload: JSON.stringify(gap) }),
    clock: monotonicClock,
    log: silent,
    backoff: { firstMs: 20, maxMs: 100 },
  })
  return { outbox, publisher }
}

const commit = (outbox: Outbox) =>
  outbox.commit(topics.verdict, ({ seq }) => ({ seq, historical: false })).seq

t.test('a broker restarted in mid-stream costs no verdict', { skip, timeout: 60_000 }, async (t) => {
  const mosquitto = await prepareMosquitto(t)
  await mosquitto.start()
  const listener = await listen(mosquitto.url, {
    protocolVersion: 5,
    clientId: 'scada',
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
  })
  const { outbox, publisher } = makePublisher(t, mosquitto.url)
  for (let kill = 0; kill < 3; kill++) {
    for (let index = 0; index < 100; index++) {
      commit(outbox)
      publisher.wake()
      if (index === 50) await mosquitto.stop()
    }
    await mosquitto.start()
    await publisher.drained(soon())
  }
  const numbers = () => new Set(listener.json(topics.verdict).map(({ seq }) => Number(seq)))
  await listener.until(() => numbers().size === 300)
  t.same(
    [...numbers()].sort((a, b) => a - b),
    Array.from({ length: 300 }, (_, index) => index + 1),
  )
  t.ok(listener.json(topics.verdict).some(({ historical }) => historical === true))
  await publisher.close({ topic: topics.status, payload: '{"state":"offline"}' }, soon())
  outbox.close()
  await listener.close()
  await mosquitto.stop()
})

t.test('MQTT 5: content type, number, expiry, correlation, and the last will', { skip }, async (t) => {
  const mosquitto = await prepareMosquitto(t)
  await mosquitto.start()
  const listener = await listen(mosquitto.url, { protocolVersion: 5 })
  const cable = await openCable(mosquitto.url)
  t.teardown(() => cable.close())
  const { outbox, publisher } = makePublisher(t, cable.url)
  publisher.retain({ topic: topics.status, payload: '{"state":"online"}' })
  publisher.handle('trigger', async () => ({ triggerId: 'run-1' }))
  await listener.until(() => listener.json(topics.status).length > 0)
  const seq = commit(outbox)
  publisher.offerPictures({
    seq,
    render: async () => [
      {
        topic: topics.heatmap(seq),
        payload: Buffer.from('png'),
        contentType: 'image/png',
        properties: { seq: '1', triggerId: 'run-1' },
      },
    ],
  })
  await listener.until(() => listener.heard.some(({ topic }) => topic === topics.heatmap(seq)))
  const propertiesOf = (topic: string) =>
    listener.heard.find((each) => each.topic === topic)?.packet.properties
  t.match(propertiesOf(topics.verdict), { contentType: 'application/json', userProperties: { seq: '1' } })
  t.match(propertiesOf(topics.heatmap(seq)), {
    contentType: 'image/png',
    messageExpiryInterval: 60,
    userProperties: { triggerId: 'run-1' },
  })
  await listener.client.publishAsync(topics.command('trigger'), '{}', {
    qos: 1,
    properties: { responseTopic: 'radar/answers', correlationData: Buffer.from('c-7') },
  })
  await listener.until(() => listener.json('radar/answers').length === 1)
  t.match(listener.json('radar/answers')[0], { status: 'ok', data: { triggerId: 'run-1' } })
  t.equal(String(propertiesOf('radar/answers')?.correlationData), 'c-7')

  cable.cut()
  cable.plug()
  await listener.until(() => listener.json(topics.status).some(({ reason }) => reason === 'connection-lost'))
  await listener.until(() => listener.json(topics.status).at(-1)?.state === 'online')
  t.pass('the last will was seen, and online again after the reconnect')
  await publisher.close({ topic: topics.status, payload: '{"state":"offline"}' }, soon())
  outbox.close()
  await listener.close()
  await mosquitto.stop()
})

t.test('a verdict that the access list forbids stays in the outbox', { skip }, async (t) => {
  const mosquitto = await prepareMosquitto(t, `acl_file ${join(t.testdirName, 'acl')}\n`)
  await writeFile(join(t.testdirName, 'acl'), `topic readwrite ${topics.status}\n`, { mode: 0o600 })
  await mosquitto.start()
  const { outbox, publisher } = makePublisher(t, mosquitto.url)
  commit(outbox)
  await until(() => publisher.stats().refused > 0)
  t.equal(outbox.stats().depth, 1)
  t.equal(publisher.stats().published, 0)
  await publisher.close({ topic: topics.status, payload: '{"state":"offline"}' }, soon())
  outbox.close()
  await mosquitto.stop()
})

/** A CA, a broker's certificate for localhost and a client's, with openssl. */
function makeCertificates(folder: string): void {
  const openssl = (...parameters: string[]) => {
    const { status, stderr } = spawnSync('openssl', parameters, { cwd: folder })
    if (status !== 0) throw new Error(String(stderr))
  }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test ca')
  for (const name of ['localhost', 'station']) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const issued = [
      '-in',
      `${name}.csr`,
      '-out',
      `${name}.crt`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-days',
      '2',
    ]
    openssl('x509', '-req', ...issued, '-CAcreateserial')
  }
}

t.test(
  'TLS with a client certificate; without one, or with a foreign CA, nothing is sent',
  { skip: skipTls },
  async (t) => {
    const folder = t.testdirName
    const at = (name: string) => join(folder, name)
    const tls = `cafile ${at('ca.crt')}\ncertfile ${at('localhost.crt')}\nkeyfile ${at('localhost.key')}\nrequire_certificate true\n`
    const mosquitto = await prepareMosquitto(t, tls)
    makeCertificates(folder)
    await mosquitto.start()
    const url = mosquitto.url.replace('mqtt://127.0.0.1', 'mqtts://localhost')
    const identity = { caFile: at('ca.crt'), certFile: at('station.crt'), keyFile: at('station.key') }
    for (const [what, files, published] of [
      ['no certificate', { caFile: identity.caFile }, 0],
      ['a CA that did not sign the broker', { ...identity, caFile: at('station.crt') }, 0],
      ['all three', identity, 1],
    ] as const) {
      const { outbox, publisher } = makePublisher(t, url, files)
      if (outbox.stats().depth === 0) commit(outbox)
      await publisher.drained(AbortSignal.timeout(published === 0 ? 500 : 10_000))
      t.equal(publisher.stats().published, published, what)
      await publisher.close({ topic: topics.status, payload: '{"state":"offline"}' }, soon())
      outbox.close()
    }
    await mosquitto.stop()
  },
)
