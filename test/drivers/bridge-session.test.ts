import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BridgeSession, type BridgeSessionOptions } from '../../drivers/bridge-session.ts'
import type { DriverError } from '../../drivers/driver.ts'
import { helloMessage, message, textMessage } from '../support/bridge-messages.ts'
import { until } from '../support/processes.ts'
import { virtualClock } from '../support/virtual-clock.ts'

/** A bridge in this process, byte by byte. */
async function open(t: Test, options: Partial<BridgeSessionOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
  const socket = join(folder, 's')
  const server = createServer().listen(socket)
  await once(server, 'listening')
  const connected = once(server, 'connection') as Promise<[Socket]>
  const losses: DriverError[] = []
  const clock = virtualClock(100_000)
  const session = new BridgeSession({
    sensor: 'scanner',
    modality: 'xyz',
    address: { socket },
    trigger: { kind: 'software' },
    settings: { exposureMs: 20 },
    clock,
    onLost: (error) => losses.push(error),
    ...options,
  })
  const [bridge] = await connected
  let said = ''
  bridge.on('data', (text) => (said += String(text))).on('error', () => undefined)
  t.teardown(async () => {
    await session.stop()
    bridge.destroy()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const lost = async () => {
    await until(() => losses.length > 0)
    return losses[0]!.message
  }
  return { session, bridge, clock, losses, lost, said: () => said }
}

t.test('it is configured, greets, is started and asked', async (t) => {
  const { session, bridge, said } = await open(t, { size: { width: 2, height: 1 } })
  bridge.write(helloMessage())
  t.match(await session.hello, { name: 'bridge of the test', clock: 'monotonic' })
  session.start()
  session.trigger()
  await until(() => said().includes('trigger 1\n'))
  const [configure, ...rest] = said().split('\n')
  t.same(JSON.parse(configure!.replace('configure ', '')), {
    protocol: 1,
    modality: 'xyz',
    trigger: 'software',
    width: 2,
    height: 1,
    settings: { exposureMs: 20 },
  })
  t.same(rest, ['start software', 'trigger 1', ''])
})

t.test('what it says besides is kept: warnings, temperature', async (t) => {
  const { session, bridge, lost } = await open(t)
  bridge.write(textMessage('log', { level: 'info', text: 'opening' }))
  bridge.write(textMessage('log', { level: 'warning', text: 'the lamp is old' }))
  bridge.write(textMessage('telemetry', { temperatureCelsius: 41.5 }))
  await until(() => session.temperatureCelsius !== undefined)
  t.match(session, { temperatureCelsius: 41.5, lastWarning: 'the lamp is old', counters: { warnings: 1 } })
  bridge.end()
  t.match(await lost(), /^scanner: the bridge closed the connection at .*; it said before: the lamp is old$/)
  await t.rejects(session.hello, { code: 'DRIVER_LOST' })
})

for (const [title, bytes, expected] of [
  ['hello twice', [helloMessage(), helloMessage()], 'scanner: the bridge said hello twice'],
  ['a frame before hello', [message()], 'scanner: the bridge sent a frame before its hello'],
  ['no JSON', [textMessage('hello', 'hello')], 'scanner: the bridge sent a hello that is not JSON in UTF-8'],
] as const) {
  t.test(`${title} is the end`, async (t) => {
    const { bridge, lost, losses } = await open(t)
    bridge.write(Buffer.concat(bytes))
    t.equal(await lost(), expected)
    t.equal(losses.length, 1)
  })
}

t.test('a message that does not become whole is the end', async (t) => {
  const { session, bridge, clock, losses } = await open(t)
  bridge.write(helloMessage())
  await session.hello
  bridge.write(message().subarray(0, 100))
  await until(() => clock.pending() > 0)
  await clock.advance(1999)
  t.same(losses, [])
  await clock.advance(1)
  t.match(losses, [{ message: 'scanner: the bridge began a message that was not whole after 2000 ms' }])
})

t.test('silence of one that sends by itself is the end; frames keep it alive', async (t) => {
  const trigger = { kind: 'free', framesPerSecond: 100 } as const
  const { session, bridge, clock, losses } = await open(t, { trigger })
  bridge.write(helloMessage('none'))
  await session.hello
  session.start()
  await clock.advance(400)
  bridge.write(message())
  await until(() => session.counters.frames === 1)
  await clock.advance(499)
  t.same(losses, [])
  await clock.advance(1)
  t.match(losses, [{ message: 'scanner: the bridge has sent no whole frame for 500 ms' }])
  await t.rejects(session.stream.next({ id: 'a', atMs: 0, source: 'bench' }, new AbortController().signal), {
    code: 'DRIVER_LOST',
  })
})

t.test('one that does not read its commands is the end', async (t) => {
  const { session, bridge, lost, losses } = await open(t)
  bridge.pause()
  bridge.write(helloMessage())
  await session.hello
  for (let i = 0; i < 100_000 && losses.length === 0; i++) session.trigger()
  t.match(await lost(), /does not read its commands: \d+ bytes wait/)
})

t.test(
  'a picture for a 3D sensor is refused; buffers of frames that nobody took are used again',
  async (t) => {
    const { session, bridge } = await open(t)
    bridge.write(helloMessage('none'))
    await session.hello
    bridge.write(message({ format: 1, payload: Buffer.alloc(2) }))
    for (const sequence of [2n, 3n, 4n, 5n]) bridge.write(message({ sequence }))
    await until(() => session.counters.frames === 5)
    t.match(session.counters, { refused: 1, missing: 0, repeated: 0 })
    t.equal(session.stream.dropped, 2)
  },
)
