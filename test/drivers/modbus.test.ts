import fc from 'fast-check'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { ModbusError, openModbus, type ModbusAddress } from '../../drivers/modbus.ts'
import { block } from '../support/block.ts'
import { freePort } from '../support/free-port.ts'
import type { PeerProcess } from '../support/peer-process.ts'
import { until } from '../support/processes.ts'
import { ptyPair, skipWithoutSocat } from '../support/pty-pair.ts'
import { pymodbusSlave, skipWithoutPymodbus } from '../support/pymodbus.ts'

const never = () => new AbortController().signal

async function open(address: ModbusAddress, { unit = 1, timeoutMs = 1000 } = {}) {
  const closed: string[] = []
  const connection = await openModbus({
    address,
    unit,
    timeoutMs,
    clock: monotonicClock,
    signal: never(),
    onClosed: (reason) => void closed.push(reason),
  })
  return { connection, closed }
}

async function speaks(t: Test, address: ModbusAddress, slave: PeerProcess): Promise<void> {
  await slave.start()
  const { connection, closed } = await open(address)
  t.same(await connection.readHoldingRegisters(0, 3), [0, 1, 2], 'register 0 is register 0')
  t.same(
    await connection.readInputRegisters(7, 125),
    Array.from({ length: 125 }, (_, i) => 7 + i),
  )
  t.same(await connection.readCoils(2, 3), [false, true, false])
  t.same(
    await connection.readDiscreteInputs(3, 10),
    Array.from({ length: 10 }, (_, i) => (3 + i) % 2 === 1),
  )
  await connection.writeRegister(10, 65_535)
  await connection.writeRegisters(11, [1, 2, 3])
  t.same(await connection.readHoldingRegisters(10, 4), [65_535, 1, 2, 3])
  await connection.writeCoil(20, true)
  await connection.writeCoil(21, false)
  t.same(await connection.readCoils(20, 2), [true, false])
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, i) => connection.readHoldingRegisters(100 + i, 1)),
  )
  t.same(
    many.flat(),
    Array.from({ length: 20 }, (_, i) => 100 + i),
    'each has its own answer',
  )
  await t.rejects(connection.readHoldingRegisters(2000, 1), { code: 'MODBUS_EXCEPTION', exception: 2 })
  t.same(await connection.readHoldingRegisters(1, 1), [1], 'an exception ends nothing')
  const flood = Array.from({ length: 40 }, () => connection.readHoldingRegisters(0, 1))
  const refused = (await Promise.allSettled(flood)).filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 8, '32 wait, the others are refused')
  slave.signal('SIGSTOP')
  await t.rejects(connection.readHoldingRegisters(0, 1), { code: 'MODBUS_TIMEOUT' })
  t.notOk(connection.isOpen)
  t.match(closed, [/did not answer within 1000 ms/])
  await t.rejects(connection.readHoldingRegisters(0, 1), { code: 'MODBUS_CLOSED' })
  await connection.close()
  await connection.close()
  await slave.kill()
}

t.test('pymodbus as slave over TCP', { skip: skipWithoutPymodbus }, async (t) => {
  const port = await freePort()
  const slave = pymodbusSlave(port)
  t.teardown(() => slave.kill())
  await speaks(t, { transport: 'tcp', host: '127.0.0.1', port }, slave)
  await slave.start()
  const { connection, closed } = await open({ transport: 'tcp', host: '127.0.0.1', port }, { timeoutMs: 300 })
  const answer = connection.readHoldingRegisters(7, 1)
  await new Promise(setImmediate)
  // This process stands still; the slave does not.
  block(2000)
  t.same(await answer, [7], 'an answer that is there already is not late')
  await slave.kill()
  await until(() => closed.length > 0)
  t.pass('a killed slave is noticed without a request')
  await connection.close()
  await t.rejects(open({ transport: 'tcp', host: '127.0.0.1', port }), /ECONNREFUSED/)
})

t.test('pymodbus as slave over RTU', { skip: skipWithoutPymodbus || skipWithoutSocat }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  await pair.plug()
  const address = { transport: 'rtu', path: pair.paths[0], baudRate: 115_200 } as const
  const slave = pymodbusSlave(pair.paths[1])
  t.teardown(() => slave.kill())
  await speaks(t, address, slave)
  await slave.start()
  const { connection, closed } = await open(address)
  await connection.readCoils(0, 1)
  const other = await open(address).catch((error: unknown) => error)
  t.match(other, /lock/)
  await pair.unplug()
  await until(() => closed.length > 0)
  await t.rejects(connection.readCoils(0, 1), { code: 'MODBUS_CLOSED' })
  await connection.close()
})

/** A slave that answers with whatever bytes it is given. */
async function foreignSlave(t: Test, answer: (request: Buffer, socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (request) => answer(request, socket))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { transport: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const
}

t.test('an answer that is none is no answer', async (t) => {
  const body = (bytes: number[], id: Buffer, length = bytes.length) =>
    Buffer.from([...id.subarray(0, 4), length >> 8, length & 255, ...bytes])
  const cases: [string, (id: Buffer) => Buffer][] = [
    ['claims more registers than it has', (id) => body([1, 3, 200, 0, 5], id)],
    ['has another number of registers', (id) => body([1, 3, 4, 0, 5, 0, 6], id)],
    ['is of another function', (id) => body([1, 4, 2, 0, 5], id)],
    ['is of another unit', (id) => body([2, 3, 2, 0, 5], id)],
    ['answers another request', (id) => body([1, 3, 2, 0, 5], Buffer.from([id[0]!, id[1]! + 1, 0, 0]))],
    ['is empty', (id) => body([], id)],
    ['claims to be of 64 KiB', (id) => body([1, 3, 2, 0, 5], id, 65_535)],
  ]
  for (const [what, make] of cases) {
    const address = await foreignSlave(t, (request, socket) => void socket.write(make(request)))
    const { connection, closed } = await open(address, { timeoutMs: 50 })
    await t.rejects(connection.readHoldingRegisters(0, 1), { code: 'MODBUS_TIMEOUT' }, what)
    t.equal(closed.length, 1)
    await connection.close()
  }
  const late = await foreignSlave(t, (request, socket) => {
    socket.write(body([1, 3, 2, 9, 9], Buffer.from([request[0]!, request[1]! - 1, 0, 0])))
    for (const byte of body([1, 3, 2, 0, 5], request)) socket.write(Buffer.from([byte]))
  })
  const { connection } = await open(late)
  t.same(await connection.readHoldingRegisters(0, 1), [5], 'after a late answer, in single bytes')
  await connection.close()
})

t.test('a close ends the request under way', async (t) => {
  const { connection, closed } = await open(await foreignSlave(t, () => undefined), { timeoutMs: 60_000 })
  const outcome = connection.readHoldingRegisters(0, 1).catch((error: unknown) => error)
  await new Promise(setImmediate)
  await connection.close()
  t.ok((await outcome) instanceof ModbusError)
  t.same(closed, [])
})

t.test('any bytes at all: an answer, a ModbusError, never a crash', async (t) => {
  let bytes = Buffer.alloc(0)
  const address = await foreignSlave(t, (request, socket) => {
    // Half of them look like the answer to what was asked.
    if ((bytes[0] ?? 0) % 2 === 0 && bytes.length > 8) request.copy(bytes, 0, 0, 4)
    socket.end(bytes)
  })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (noise) => {
      bytes = Buffer.from(noise)
      const { connection } = await open(address, { timeoutMs: 500 })
      try {
        const values = await connection.readHoldingRegisters(0, 2)
        return values.length === 2
      } catch (error) {
        return error instanceof ModbusError
      } finally {
        await connection.close()
      }
    }),
    { numRuns: 100 },
  )
  t.pass()
})
