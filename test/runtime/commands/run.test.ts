import t from 'tap'
import { openOutbox } from '../../../runtime/outbox.ts'
import { join } from 'node:path'
import { monotonicClock } from '../../../drivers/clock.ts'
import { openBroker } from '../../../runtime/broker.ts'
import { listen } from '../../support/listener.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { TINY_BUNDLE } from '../../support/tiny-bundle.ts'

t.test('a station whose triggers have ended leaves by itself, with nothing held open', async (t) => {
  const folder = t.testdir()
  const file = await writeConfig(folder, {
    bundle: TINY_BUNDLE,
    triggers: [{ kind: 'timer', everyMs: 10, count: 3 }],
  })
  const { code, signal, stdout, stderr } = await radarEdge(['run', '--config', file])
  t.same({ code, signal, stdout }, { code: 0, signal: null, stdout: '' })
  const log = jsonLines({ stdout: stderr })
  t.ok(log.some(({ msg, product }) => msg === 'ready' && product === 'cookie'))
  const troubles = log.filter(({ level }) => Number(level) >= 40)
  t.match(troubles, [{ msg: 'repository', detail: /nothing was taught/ }])
  t.equal(troubles.length, 1, 'leaving is no trouble')

  const outbox = openOutbox(join(folder, 'state', 'outbox.sqlite'), {
    maxVerdicts: 10,
    maxBytes: 1e6,
    clock: monotonicClock,
    onDurability: () => undefined,
  })
  t.teardown(() => outbox.close())
  t.match(outbox.stats(), { lastSeq: 3, depth: 0 }, 'three verdicts, all acknowledged')
})

t.test('SIGTERM ends it as systemd expects: a farewell, exit code 0', async (t) => {
  const port = await freePort()
  const file = await writeConfig(t.testdir(), { bundle: TINY_BUNDLE, mqtt: { embeddedPort: port } })
  let heard: Record<string, unknown>[] = []
  const { code, signal } = await radarEdge(['run', '--config', file], (child) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      if (!chunk.toString().includes('"msg":"ready"')) return
      void (async () => {
        const listener = await listen(`mqtt://127.0.0.1:${port}`)
        const topic = 'radar/v1/plant/cell/status'
        await listener.until(() => listener.json(topic).some(({ state }) => state === 'online'))
        child.kill('SIGTERM')
        await listener.until(() => listener.json(topic).some(({ state }) => state === 'offline'))
        heard = listener.json(topic)
        await listener.close()
      })()
    })
  })
  t.same({ code, signal }, { code: 0, signal: null })
  t.match(heard.at(-1), { state: 'offline', reason: 'shutdown' })
})

/** Free a moment ago: the station takes it before anyone else is likely to. */
async function freePort(): Promise<number> {
  const broker = await openBroker(0)
  await broker.close()
  return Number(new URL(broker.url).port)
}
