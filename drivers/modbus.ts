/**
 * Modbus master over TCP and RTU: the only door to the package modbus-serial. It runs on our own links, because they
 * never send what is stale, and because what comes is checked before the package sees it.
 *
 * Addresses count from 0, as they travel: a manual's register 40001 is holding register 0. Some slaves are off by one.
 */
import { EventEmitter } from 'node:events'
import modbusSerial from 'modbus-serial'
import type { ByteLink, ByteLinkEvents } from './byte-link.ts'
import type { Clock } from './clock.ts'
import { openSerialLink, type SerialSettings } from './serial-port.ts'
import { openTcpLink, type TcpAddress } from './tcp-link.ts'

export type ModbusAddress =
  ({ readonly transport: 'tcp' } & TcpAddress) | ({ readonly transport: 'rtu' } & SerialSettings)

export interface ModbusOptions {
  readonly address: ModbusAddress
  /** The slave's, 1 to 247; 255 or 1 for most that are spoken to by TCP directly. */
  readonly unit: number
  /** Longest wait for one answer. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Once, when the connection ends by itself or after an unanswered request; not after `close`. */
  onClosed(reason: string): void
}

/** A slave that answers with an exception lives; everything else ends the connection. */
export type ModbusErrorCode = 'MODBUS_EXCEPTION' | 'MODBUS_TIMEOUT' | 'MODBUS_CLOSED' | 'MODBUS_BUSY'

export class ModbusError extends Error {
  override readonly name = 'ModbusError'
  readonly code: ModbusErrorCode
  /** With `MODBUS_EXCEPTION`: 1 illegal function, 2 illegal address, 3 illegal value, 4 device failure, 6 busy. */
  readonly exception: number | undefined

  constructor(code: ModbusErrorCode, message: string, exception?: number) {
    super(message)
    this.code = code
    this.exception = exception
  }
}

/** Requests are sent one after the other. Each rejects with ModbusError. At most 32 wait; one more is refused. */
export interface ModbusConnection {
  readonly isOpen: boolean
  /** 1 to 125 of them, 0 to 65535 each. */
  readHoldingRegisters(first: number, count: number): Promise<readonly number[]>
  readInputRegisters(first: number, count: number): Promise<readonly number[]>
  readCoils(first: number, count: number): Promise<readonly boolean[]>
  readDiscreteInputs(first: number, count: number): Promise<readonly boolean[]>
  writeRegister(register: number, value: number): Promise<void>
  writeRegisters(first: number, values: readonly number[]): Promise<void>
  writeCoil(coil: number, isOn: boolean): Promise<void>
  close(): Promise<void>
}

const MOST_WAITING = 32

/** Rejects with an Error that says why, or with the signal's reason. That the slave answers shows only with the first request. */
export async function openModbus(options: ModbusOptions): Promise<ModbusConnection> {
  const { address, unit, timeoutMs, clock, signal } = options
  const device = address.transport === 'tcp' ? `${address.host}:${address.port}` : address.path
  let isClosed = false
  let wire: Wire | undefined
  const end = (reason: string, { isOurs }: { isOurs: boolean }): void => {
    if (isClosed) return
    isClosed = true
    if (!isOurs) options.onClosed(reason)
  }
  const events: ByteLinkEvents = {
    onBytes: (bytes) => wire?.receive(bytes),
    onClosed(reason) {
      end(reason, { isOurs: false })
      wire?.fail()
    },
  }
  const link =
    address.transport === 'tcp'
      ? await openTcpLink({ ...address, ...events, clock, signal })
      : await openSerialLink({ ...address, ...events, signal })
  wire = address.transport === 'tcp' ? new TcpWire(link) : new RtuWire(link)
  const client = new modbusSerial.default(wire)
  client.setID(unit)
  // None: its timer would pass although the answer is there (clock.ts). Ours is below.
  client.setTimeout(0)
  client.on('error', () => undefined)
  await new Promise<void>((resolve) => client.open(() => resolve()))

  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  const request = <T>(what: string, send: () => Promise<T>): Promise<T> => {
    if (waiting >= MOST_WAITING) {
      return Promise.reject(
        new ModbusError('MODBUS_BUSY', `${device}: ${MOST_WAITING} requests wait already`),
      )
    }
    waiting++
    const answer = last.then(async () => {
      let isLate = false
      let cancel = (): void => undefined
      try {
        if (isClosed) throw new ModbusError('MODBUS_CLOSED', `${device} is not connected`)
        cancel = clock.after(timeoutMs, () => {
          isLate = true
          wire.fail()
        })
        return await send()
      } catch (error) {
        if (error instanceof ModbusError) throw error
        const exception = exceptionOf(error)
        if (exception !== undefined) {
          throw new ModbusError(
            'MODBUS_EXCEPTION',
            `${device} unit ${unit}, ${what}: ${saidBy(error)}`,
            exception,
          )
        }
        // On RTU its late answer would pass for that of the next request; and who is silent once is worth a new start.
        const failure = isLate ? `did not answer within ${timeoutMs} ms` : `gave no answer: ${saidBy(error)}`
        const reason = `${device} unit ${unit} ${failure} (${what})`
        const code = isClosed ? 'MODBUS_CLOSED' : 'MODBUS_TIMEOUT'
        end(reason, { isOurs: false })
        void link.close() // never rejects
        throw new ModbusError(code, reason)
      } finally {
        cancel()
        waiting--
      }
    })
    last = answer.catch(() => undefined)
    return answer
  }
  return {
    get isOpen() {
      return !isClosed && link.isOpen
    },
    readHoldingRegisters: (first, count) =>
      request(
        `holding registers ${first}+${count}`,
        async () => (await client.readHoldingRegisters(first, count)).data,
      ),
    readInputRegisters: (first, count) =>
      request(
        `input registers ${first}+${count}`,
        async () => (await client.readInputRegisters(first, count)).data,
      ),
    // The package fills the last byte up.
    readCoils: (first, count) =>
      request(`coils ${first}+${count}`, async () =>
        (await client.readCoils(first, count)).data.slice(0, count),
      ),
    readDiscreteInputs: (first, count) =>
      request(`discrete inputs ${first}+${count}`, async () =>
        (await client.readDiscreteInputs(first, count)).data.slice(0, count),
      ),
    writeRegister: (register, value) =>
      request(`register ${register}`, async () => void (await client.writeRegister(register, value))),
    writeRegisters: (first, values) =>
      request(
        `registers ${first}+${values.length}`,
        async () => void (await client.writeRegisters(first, [...values])),
      ),
    writeCoil: (coil, isOn) => request(`coil ${coil}`, async () => void (await client.writeCoil(coil, isOn))),
    async close() {
      end('', { isOurs: true })
      await link.close()
      wire.fail()
      await last // never rejects
    },
  }
}

/** The package's own errors are no Errors. */
function saidBy(error: unknown): string {
  const { message } = error as { message?: unknown }
  return typeof message === 'string' ? message : String(error)
}

/** The package puts the slave's exception code into the error. */
function exceptionOf(error: unknown): number | undefined {
  const code = (error as { modbusCode?: unknown }).modbusCode
  return typeof code === 'number' ? code : undefined
}

const CRC_BYTES = 2
const EXCEPTION_BYTES = 5

/**
 * What the package calls a port: takes a whole RTU request, emits a whole RTU answer as `data`. What is no whole answer to
 * the request is not emitted: the package would read past its end, and throw where nobody catches.
 */
abstract class Wire extends EventEmitter {
  // The package writes and reads these two on the port.
  _transactionIdRead = 1
  _transactionIdWrite = 1
  protected request: Buffer = Buffer.alloc(0)
  protected received: Buffer = Buffer.alloc(0)
  protected readonly link: ByteLink

  constructor(link: ByteLink) {
    super()
    this.link = link
  }

  get isOpen(): boolean {
    return this.link.isOpen
  }

  open(done: () => void): void {
    done()
  }

  write(request: Buffer): void {
    this.request = request
    // What came unasked, or too late, is no answer to this.
    this.received = Buffer.alloc(0)
    this._transactionIdRead = this._transactionIdWrite
    void this.link.write(this.encode(request)).catch(() => undefined) // it shows in the answer that does not come
  }

  receive(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]).subarray(-MOST_RECEIVED_BYTES)
    const answer = this.take()
    if (answer !== undefined) this.emit('data', answer)
  }

  /** The request under way will have no answer: an empty one is refused by the package at once, not after its time is up. */
  fail(): void {
    this.emit('data', Buffer.alloc(0))
  }

  /** Of the answer, with unit, function and CRC, if `head` is the beginning of one; 0 if it is not. */
  protected answerLength(head: Buffer): number {
    const [unit, code] = [this.request[0], this.request[1] ?? 0]
    if (head[0] !== unit) return 0
    if (head[1] === (code | 0x80)) return EXCEPTION_BYTES
    if (head[1] !== code) return 0
    const count = this.request.length >= 6 ? this.request.readUInt16BE(4) : 0
    switch (code) {
      case 1:
      case 2:
        return head[2] === Math.ceil(count / 8) ? 3 + Math.ceil(count / 8) + CRC_BYTES : 0
      case 3:
      case 4:
        return head[2] === 2 * count ? 3 + 2 * count + CRC_BYTES : 0
      default:
        return 6 + CRC_BYTES
    }
  }

  protected abstract encode(request: Buffer): Buffer
  /** Takes a whole answer out of what was received, as RTU. */
  protected abstract take(): Buffer | undefined
}

/** Two of the longest frames. */
const MOST_RECEIVED_BYTES = 520

class RtuWire extends Wire {
  protected encode(request: Buffer): Buffer {
    return request
  }

  protected take(): Buffer | undefined {
    // Noise may come before the answer.
    for (let at = 0; at + EXCEPTION_BYTES <= this.received.length; at++) {
      const length = this.answerLength(this.received.subarray(at, at + 3))
      const answer = this.received.subarray(at, at + length)
      if (length === 0 || answer.length < length || crc16(answer) !== 0) continue
      this.received = Buffer.alloc(0)
      return answer
    }
    return undefined
  }
}

const MBAP_BYTES = 6

class TcpWire extends Wire {
  #transaction = 0

  protected encode(request: Buffer): Buffer {
    this.#transaction = (this.#transaction + 1) % 65_536
    const frame = Buffer.alloc(MBAP_BYTES + request.length - CRC_BYTES)
    frame.writeUInt16BE(this.#transaction, 0)
    frame.writeUInt16BE(request.length - CRC_BYTES, 4)
    request.copy(frame, MBAP_BYTES)
    return frame
  }

  protected take(): Buffer | undefined {
    while (this.received.length >= MBAP_BYTES + 3) {
      const length = this.received.readUInt16BE(4)
      if (this.received.length < MBAP_BYTES + length) return undefined
      const [transaction, protocol] = [this.received.readUInt16BE(0), this.received.readUInt16BE(2)]
      const body = this.received.subarray(MBAP_BYTES, MBAP_BYTES + length)
      this.received = this.received.subarray(MBAP_BYTES + length)
      const isAnswer = transaction === this.#transaction && protocol === 0
      if (!isAnswer || length === 0 || this.answerLength(body) !== length + CRC_BYTES) continue
      // The package checks what TCP has checked already.
      const answer = Buffer.alloc(length + CRC_BYTES)
      body.copy(answer)
      answer.writeUInt16LE(crc16(body), length)
      return answer
    }
    return undefined
  }
}

/** Over a frame with its CRC it is 0. */
function crc16(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1
  }
  return crc
}
