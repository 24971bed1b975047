/** Triggers and outputs over real ttys (socat) and a real Modbus slave (pymodbus), both pulled out and back. */
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openSerialLink } from '../../drivers/serial-port.ts'
import { link as linkSchema, type LinkConfig } from '../../runtime/links/link-config.ts'
import { openLinks } from '../../runtime/links/line-links.ts'
import { output as outputSchema } from '../../runtime/outputs/output-config.ts'
import type { Dropped } from '../../runtime/outputs/output.ts'
import { openOutputs } from '../../runtime/outputs/outputs.ts'
import type { Ask } from '../../runtime/triggers/feed.ts'
import { modbusTrigger } from '../../runtime/triggers/modbus-config.ts'
import { modbusFeed } from '../../runtime/triggers/modbus.ts'
import { serialTrigger } from '../../runtime/triggers/serial-config.ts'
import { serialFeed } from '../../runtime/triggers/serial.ts'
import { freePort } from '../support/free-port.ts'
import { makePayload } from '../support/inspected.ts'
import { machineStalls } from '../support/machine-stalls.ts'
import { until } from '../support/processes.ts'
import { ptyPair, skipWithoutSocat } from '../support/pty-pair.ts'
import { pymodbusSlave, skipWithoutPymodbus } from '../support/pymodbus.ts'

const pause = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve))
const never = () => new AbortController().signal
const clock = monotonicClock

/** A station that rejects every part at once, and tells the outputs. */
function makeLine(config: Record<string, unknown>, output: Record<string, unknown>) {
  const edges: { state: string; atMs: number }[] = []
  const link: LinkConfig = linkSchema.parse({ name: 'line', ...config })
  const links = openLinks([link], {
    clock,
    onHealth: ({ state }) => void edges.push({ state, atMs: clock.now() }),
  })
  const dropped: Dropped[] = []
  const outputs = openOutputs([outputSchema.parse({ link: 'line', ...output })], {
    links,
    clock,
    onDropped: (one) => void dropped.push(one),
  })
  const partIds: string[] = []
  const ask: Ask = ({ partId = '' }) => {
    const seq = partIds.push(partId)
    const verdict = makePayload({ triggerId: `run-${seq}`, partId, seq, outcome: 'fail', action: 'reject' })
    for (const one of outputs) one.tell(verdict, clock.now())
    return { triggerId: verdict.triggerId, verdict: Promise.resolve(verdict) }
  }
  const state = () => links.health()[0]?.state
  const close = async () => {
    for (const one of outputs) await one.close()
    await links.close()
  }
  return { links, edges, dropped, partIds, ask, state, close, counts: () => outputs[0]?.counts() }
}

t.test(
  '1,000 triggers with unplugs: each that arrived is asked once',
  { skip: skipWithoutSocat },
  async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const line = makeLine(
      { kind: 'serial', path: pair.paths[0] },
      // How late a busy machine's timers are is not this test's matter.
      { kind: 'serial', bytes: 'R', delayMs: 60, lateMs: 10_000 },
    )
    const stop = new AbortController()
    const refused: string[] = []
    const feeding = serialFeed({
      link: line.links.serial('line'),
      trigger: serialTrigger.parse({ kind: 'serial', link: 'line', delimiter: '\r\n', prefix: 'T' }),
      clock,
      onRefused: ({ detail }) => void refused.push(detail),
    })(line.ask, stop.signal)
    const open = async () => {
      const received = { text: '' }
      const far = await openSerialLink({
        path: pair.paths[1],
        baudRate: 115_200,
        signal: never(),
        onBytes: (bytes) => (received.text += bytes.toString('latin1')),
        onClosed: () => undefined,
      })
      return { far, received }
    }
    const PARTS = 1000
    const ROUNDS = 5
    const IN_PEACE = 190
    let next = 0
    let peacefullyTold = 0
    for (let round = 0; round < ROUNDS; round++) {
      await until(() => line.state() === 'up')
      const { far, received } = await open()
      const send = async (): Promise<void> => {
        const whole = `T${next++}\r\n`
        const cut = 1 + (next % (whole.length - 1))
        await far.write(Buffer.from(whole.slice(0, cut)))
        await far.write(Buffer.from(whole.slice(cut)))
      }
      const toldBefore = line.counts()?.told ?? 0
      for (let index = 0; index < IN_PEACE; index++) {
        await send()
        await pause(5)
      }
      // Whoever is asked has a pulse while the cable holds, and it arrives.
      const toldSince = (): number => (line.counts()?.told ?? 0) - toldBefore
      await until(() => received.text.length === IN_PEACE && toldSince() === IN_PEACE)
      const told = toldSince()
      t.equal(told, IN_PEACE, 'each part that came while the link was up has its pulse')
      t.equal(received.text, 'R'.repeat(IN_PEACE))
      peacefullyTold += told
      // Half a trigger, and pulses that are not due yet, are on the way when the cable goes.
      while (next < (round + 1) * (PARTS / ROUNDS)) await send()
      await until(() => line.partIds.length === next)
      await far.write(Buffer.from('T9'))
      await pair.unplug()
      await until(() => line.state() === 'down')
      await far.close()
      await pair.plug()
      const again = await open()
      await until(() => line.state() === 'up')
      // Its own delay is over, so whatever would come has come.
      await pause(80)
      t.equal(again.received.text, '', 'nothing stale after the replug')
      await again.far.close()
    }
    t.same(
      line.partIds,
      Array.from({ length: PARTS }, (_, part) => String(part)),
    )
    t.same(refused, [])
    const { told = 0, dropped } = line.counts() ?? {}
    const lost = Object.values(dropped ?? {}).reduce((sum, count) => sum + count, 0)
    t.equal(told + lost, PARTS, 'each pulse was given or counted')
    t.equal(dropped?.late, 0)
    t.ok(peacefullyTold >= 0.9 * PARTS)
    t.comment(`pulses given ${told}, dropped ${JSON.stringify(dropped)}`)
    stop.abort()
    await feeding
    await line.close()
  },
)

t.test('a port without modem lines is told, and is no crash', { skip: skipWithoutSocat }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  await pair.plug()
  const line = makeLine({ kind: 'serial', path: pair.paths[0] }, { kind: 'serial', line: 'rts' })
  const stop = new AbortController()
  const refused: string[] = []
  const feeding = serialFeed({
    link: line.links.serial('line'),
    trigger: serialTrigger.parse({ kind: 'serial', link: 'line', line: 'cts' }),
    clock,
    onRefused: ({ detail }) => void refused.push(detail),
  })(line.ask, stop.signal)
  await until(() => refused.length > 0)
  t.match(refused, [/has no line cts/])
  line.ask({ source: 'serial' })
  await until(() => line.dropped.length > 0)
  t.match(line.dropped, [{ reason: 'refused', detail: /has no line rts/ }])
  stop.abort()
  await feeding
  await line.close()
})

/** @param awayMs how long the slave is gone */
async function handshakes(
  t: Test,
  where: number | string,
  config: Record<string, unknown>,
  awayMs: number,
): Promise<void> {
  const stalls = await machineStalls(t)
  const slave = pymodbusSlave(where)
  t.teardown(() => slave.kill())
  const line = makeLine(
    { ...config, timeoutMs: 300, heartbeatRegister: 50, heartbeatEveryMs: 50 },
    { kind: 'modbus', verdictRegister: 10 },
  )
  await until(() => line.state() === 'down')
  t.pass('absent at start is no end')
  await slave.start()
  // Registers hold their own number at first.
  for (const register of [1, 2, 10, 11]) slave.say(`${register} 0`)
  const stop = new AbortController()
  await until(() => line.state() === 'up')
  const feeding = modbusFeed({
    link: line.links.modbus('line'),
    trigger: modbusTrigger.parse({ kind: 'modbus', link: 'line', address: 1, acknowledgeRegister: 2 }),
    clock,
    onRefused: () => undefined,
  })(line.ask, stop.signal)
  const registers = async (first: number, count: number) =>
    line.links
      .modbus('line')
      .session?.connection.readHoldingRegisters(first, count)
      .catch(() => undefined)
  const reads = async (first: number, expected: readonly number[]) => {
    for (;;) {
      const values = await registers(first, expected.length)
      if (values?.every((value, index) => value === expected[index])) return
      await pause(5)
    }
  }
  for (let part = 1; part <= 20; part++) {
    slave.say(`1 ${part}`)
    await reads(2, [part])
    await reads(10, [2, part])
  }
  t.equal(line.partIds.length, 20, 'one verdict for each')
  const beats = new Set<number | undefined>()
  while (beats.size < 2) beats.add((await registers(50, 1))?.[0])
  t.same([...beats].sort(), [0, 1], 'the heartbeat takes turns')

  const stoppedMs = clock.now()
  slave.signal('SIGSTOP')
  await until(() => line.state() === 'down')
  const stoppedAfterMs = clock.now() - stoppedMs
  // A verdict while the PLC is away is not kept for it.
  line.ask({ source: 'modbus' })
  t.equal(line.dropped.at(-1)?.reason, 'down')
  const continuedMs = clock.now()
  slave.signal('SIGCONT')
  await until(() => line.state() === 'up')
  const continuedAfterMs = clock.now() - continuedMs
  await reads(10, [2, 20])
  t.pass('it still has the verdict from before, and none that came meanwhile')

  const killedMs = clock.now()
  await slave.kill()
  await until(() => line.state() === 'down')
  const killedAfterMs = clock.now() - killedMs
  await pause(awayMs)
  const startedMs = clock.now()
  await slave.start()
  await until(() => line.state() === 'up')
  const startedAfterMs = clock.now() - startedMs
  const limitMs = 500 + 100 + stalls.longestMs()
  for (const ms of [stoppedAfterMs, killedAfterMs]) t.ok(ms <= limitMs, `noticed after ${ms.toFixed(0)} ms`)
  for (const ms of [continuedAfterMs, startedAfterMs]) t.ok(ms <= 5000, `back after ${ms.toFixed(0)} ms`)
  stop.abort()
  await feeding
  await line.close()
}

const skip = skipWithoutPymodbus || skipWithoutSocat

t.test('Modbus TCP: handshake, heartbeat, slave stopped, killed and back after 10 s', { skip }, async (t) => {
  const port = await freePort()
  await handshakes(t, port, { kind: 'modbus-tcp', host: '127.0.0.1', port }, 10_000)
})

t.test('Modbus RTU: the same over a serial port', { skip }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  await pair.plug()
  await handshakes(t, pair.paths[1], { kind: 'modbus-rtu', path: pair.paths[0] }, 0)
})
