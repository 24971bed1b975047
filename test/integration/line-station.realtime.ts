/** A whole station between a real tty (socat) and a real Modbus slave (pymodbus): bytes in, a pulse and a register out. */
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openModbus } from '../../drivers/modbus.ts'
import { openSerialLink } from '../../drivers/serial-port.ts'
import { runDaemon } from '../../runtime/daemon.ts'
import type { VerdictPayload } from '../../runtime/messages.ts'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/processes.ts'
import { ptyPair, skipWithoutSocat } from '../support/pty-pair.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { pymodbusSlave, skipWithoutPymodbus } from '../support/pymodbus.ts'
import { stationConfig } from '../support/running-daemon.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

t.test(
  'bytes of the line have one verdict each, and it goes to the ejector and to the PLC',
  { skip: skipWithoutSocat || skipWithoutPymodbus },
  async (t) => {
    const folder = t.testdir()
    const taught = await teachTinyRepository(join(folder, 'repository'))
    const stateDirectory = join(folder, 'state')
    await putIntoUse(join(stateDirectory, 'repositories'), 'tiny', taught)
    const pair = ptyPair()
    t.teardown(() => pair.close())
    const port = await freePort()
    const slave = pymodbusSlave(port)
    t.teardown(() => slave.kill())
    const config = stationConfig({
      stateDirectory,
      bundle: TINY_BUNDLE,
      links: [
        { kind: 'serial', name: 'io', path: pair.paths[0] },
        { kind: 'modbus-tcp', name: 'plc', host: '127.0.0.1', port, timeoutMs: 2000 },
      ],
      triggers: [{ kind: 'serial', link: 'io', delimiter: '\r\n', prefix: 'T' }],
      // Whatever the verdict: each has a pulse.
      outputs: [
        { kind: 'serial', link: 'io', bytes: 'R' },
        { kind: 'serial', link: 'io', signals: 'accept', bytes: 'A' },
        { kind: 'modbus', link: 'plc', verdictRegister: 10 },
      ],
    })
    const verdicts: VerdictPayload[] = []
    const states = new Map<string, string>()
    const lines = new Writable({
      write(line, _encoding, done) {
        const { msg, link, state } = JSON.parse(String(line)) as Record<string, string>
        if (msg === 'link' && link !== undefined && state !== undefined) states.set(link, state)
        done()
      },
    })
    const stop = new AbortController()
    let isReady = false
    const running = runDaemon({
      config,
      log: pino({ level: 'info' }, lines),
      signal: stop.signal,
      onReady: () => (isReady = true),
      onVerdict: (verdict) => void verdicts.push(verdict),
    })
    running.catch((error: unknown) => t.fail(String(error)))
    await until(() => isReady)
    t.same([...states.values()], ['down', 'down'], 'absent at start: the station is ready all the same')
    await Promise.all([pair.plug(), slave.start()])
    await until(() => [...states.values()].every((state) => state === 'up'))

    const never = new AbortController().signal
    const heard = { text: '' }
    const far = await openSerialLink({
      path: pair.paths[1],
      baudRate: 115_200,
      signal: never,
      onBytes: (bytes) => (heard.text += bytes.toString('latin1')),
      onClosed: () => undefined,
    })
    const plc = await openModbus({
      address: { transport: 'tcp', host: '127.0.0.1', port },
      unit: 1,
      timeoutMs: 5000,
      clock: monotonicClock,
      signal: never,
      onClosed: () => undefined,
    })
    for (const part of [1, 2, 3]) {
      await far.write(Buffer.from(`T47-${part}\r\n`))
      await until(() => verdicts.length === part && heard.text.length === part)
      const verdict = verdicts.at(-1)
      t.match(verdict, { seq: part, partId: `47-${part}`, condition: 'complete' })
      const isReject = heard.text.at(-1) === 'R'
      t.equal(isReject, verdict?.action !== 'accept')
      let registers = await plc.readHoldingRegisters(10, 2)
      while (registers[1] !== part) registers = await plc.readHoldingRegisters(10, 2)
      t.same(registers, [isReject ? 2 : 1, part])
    }
    t.equal(heard.text.length, 3, 'one pulse each')
    await plc.close()
    await far.close()
    stop.abort(new Error('the test is over'))
    await running
    t.equal(verdicts.length, 3, 'one verdict each')
  },
)
