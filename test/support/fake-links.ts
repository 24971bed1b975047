/** Links to the line that a test plugs and unplugs; what is written on them is kept, with the session it went over. */
import type { Clock } from '../../drivers/clock.ts'
import { ModbusError, type ModbusConnection } from '../../drivers/modbus.ts'
import { KeptLink } from '../../runtime/links/kept-link.ts'
import type { SerialLine } from '../../runtime/links/line-links.ts'
import { quiet } from './virtual-clock.ts'

export interface Written {
  readonly session: number
  readonly atMs: number
  readonly what: string
}

export interface ModemLines {
  readonly cts: boolean
  readonly dsr: boolean
  readonly dcd: boolean
}

/** Up at once when it is plugged in. */
export function fakeSerial(clock: Clock, { hasLines = true } = {}) {
  const written: Written[] = []
  let session = 0
  let isPlugged = true
  let lines: ModemLines | undefined = hasLines ? { cts: false, dsr: false, dcd: false } : undefined
  let listeners: ((bytes: Buffer) => void)[] = []
  let drop = (_reason: string): void => undefined
  const write = (of: number, what: string): void => {
    if (!isPlugged || of !== session) throw new Error('not open')
    written.push({ session: of, atMs: clock.now(), what })
  }
  const link = new KeptLink<SerialLine>({
    name: 'line',
    clock,
    async open(_signal, onClosed) {
      if (!isPlugged) throw new Error('No such file or directory')
      const own = ++session
      listeners = []
      drop = onClosed
      return {
        onBytes: (listener) => void listeners.push(listener),
        write: async (bytes) => write(own, Buffer.from(bytes).toString('latin1')),
        async readLines() {
          if (!isPlugged || own !== session) throw new Error('not open')
          return lines
        },
        async setLines(change) {
          if (lines !== undefined) write(own, JSON.stringify(change))
          return lines !== undefined
        },
        close: async () => undefined,
      }
    },
  })
  link.open()
  return {
    link,
    written,
    session: () => session,
    isUp: () => link.session !== undefined,
    receive: (text: string) => listeners.forEach((listener) => listener(Buffer.from(text, 'latin1'))),
    setLines: (change: Partial<ModemLines>) => (lines = { ...(lines as ModemLines), ...change }),
    unplug() {
      isPlugged = false
      drop('unplugged')
    },
    plug: () => void (isPlugged = true),
  }
}

/** A PLC with 100 registers; `silent` it answers nothing until the link is dropped. */
export function fakeModbus(clock: Clock) {
  const registers = new Map<number, number>()
  const written: Written[] = []
  let session = 0
  let isPlugged = true
  let isSilent = false
  let drop = (_reason: string): void => undefined
  let pending: ((error: Error) => void)[] = []
  const link = new KeptLink<ModbusConnection>({
    name: 'plc',
    clock,
    async open(_signal, onClosed) {
      if (!isPlugged) throw new Error('connect ECONNREFUSED')
      const own = ++session
      drop = onClosed
      const answer = async <T>(address: number, work: () => T): Promise<T> => {
        if (!isPlugged || own !== session) throw new ModbusError('MODBUS_CLOSED', 'not connected')
        if (address >= 100) throw new ModbusError('MODBUS_EXCEPTION', 'illegal address', 2)
        if (isSilent) return new Promise<T>((_, reject) => pending.push(reject))
        return work()
      }
      const read = (first: number, count: number) =>
        answer(first, () => Array.from({ length: count }, (_, i) => registers.get(first + i) ?? 0))
      const readBits = async (first: number, count: number) =>
        (await read(first, count)).map((value) => value !== 0)
      const write = (first: number, values: readonly number[]) =>
        answer(first, () => {
          values.forEach((value, index) => registers.set(first + index, value))
          written.push({ session: own, atMs: clock.now(), what: `${first}: ${values.join(' ')}` })
        })
      return {
        isOpen: true,
        readHoldingRegisters: read,
        readInputRegisters: read,
        readCoils: readBits,
        readDiscreteInputs: readBits,
        writeRegister: (register, value) => write(register, [value]),
        writeRegisters: write,
        writeCoil: (coil, isOn) => write(coil, [Number(isOn)]),
        close: async () => undefined,
      }
    },
  })
  link.open()
  return {
    link,
    registers,
    written,
    session: () => session,
    unplug() {
      isPlugged = false
      isSilent = false
      for (const reject of pending.splice(0)) reject(new ModbusError('MODBUS_CLOSED', 'not connected'))
      drop('unplugged')
    },
    plug: () => void (isPlugged = true),
    silence: () => void (isSilent = true),
  }
}

/** Connecting takes turns of the event loop, and no time. */
export const connected = quiet
