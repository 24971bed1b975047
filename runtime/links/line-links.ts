/** The config's `links`: one connection each, whoever triggers and signals over it. */
import type { Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'
import { ModbusError, openModbus, type ModbusAddress, type ModbusConnection } from '../../drivers/modbus.ts'
import { openSerialLink, type SerialLink } from '../../drivers/serial-port.ts'
import { startHeartbeat } from './heartbeat.ts'
import { KeptLink, type LinkHealth } from './kept-link.ts'
import type { LinkConfig, ModbusLinkConfig, SerialLinkConfig } from './link-config.ts'

/** A serial port whose bytes go to whoever listens. */
export interface SerialLine extends Pick<SerialLink, 'write' | 'readLines' | 'setLines' | 'close'> {
  /** Until the connection ends. */
  onBytes(listener: (bytes: Buffer) => void): void
}

export interface LineLinks {
  serial(name: string): KeptLink<SerialLine>
  modbus(name: string): KeptLink<ModbusConnection>
  health(): readonly LinkHealth[]
  close(): Promise<void>
}

export interface LineLinksOptions {
  readonly clock: Clock
  onHealth?(health: LinkHealth): void
}

/** Begins to connect; waits for nothing. */
export function openLinks(links: readonly LinkConfig[], options: LineLinksOptions): LineLinks {
  const serial = new Map<string, KeptLink<SerialLine>>()
  const modbus = new Map<string, KeptLink<ModbusConnection>>()
  for (const link of links) {
    if (link.kind === 'serial') serial.set(link.name, serialLine(link, options))
    else modbus.set(link.name, modbusLink(link, options))
  }
  const all = [...serial.values(), ...modbus.values()]
  for (const link of all) link.open()
  return {
    serial: (name) => found(serial, name),
    modbus: (name) => found(modbus, name),
    health: () => all.map((link) => link.health()),
    close: async () => void (await Promise.all(all.map((link) => link.close()))),
  }
}

function found<Link>(links: ReadonlyMap<string, Link>, name: string): Link {
  const link = links.get(name)
  // The schema has checked the names.
  if (link === undefined) throw new Error(`no link ${name}`)
  return link
}

function serialLine(config: SerialLinkConfig, options: LineLinksOptions): KeptLink<SerialLine> {
  const { name, ...settings } = config
  return new KeptLink<SerialLine>({
    name,
    ...options,
    async open(signal, onClosed) {
      const listeners: ((bytes: Buffer) => void)[] = []
      const port = await openSerialLink({
        ...settings,
        signal,
        onClosed,
        onBytes: (bytes) => listeners.forEach((listener) => listener(bytes)),
      })
      return {
        onBytes: (listener) => void listeners.push(listener),
        write: (bytes) => port.write(bytes),
        readLines: () => port.readLines(),
        setLines: (lines) => port.setLines(lines),
        close: () => port.close(),
      }
    },
  })
}

function modbusLink(config: ModbusLinkConfig, options: LineLinksOptions): KeptLink<ModbusConnection> {
  const { name, unit, timeoutMs, heartbeatRegister, heartbeatEveryMs } = config
  const address = addressOf(config)
  const { clock } = options
  const link = new KeptLink<ModbusConnection>({
    name,
    ...options,
    async open(signal, onClosed) {
      const connection = await openModbus({ address, unit, timeoutMs, clock, signal, onClosed })
      try {
        // A socket that opens, or a serial port, says nothing of the slave behind it.
        await connection.readHoldingRegisters(heartbeatRegister ?? 0, 1)
      } catch (error) {
        // Whoever refuses a register lives.
        if (!(error instanceof ModbusError && error.code === 'MODBUS_EXCEPTION')) {
          await connection.close()
          throw new Error(messageOf(error), { cause: error })
        }
      }
      return connection
    },
  })
  if (heartbeatRegister !== undefined) {
    startHeartbeat(link, { register: heartbeatRegister, everyMs: heartbeatEveryMs, clock })
  }
  return link
}

function addressOf(config: ModbusLinkConfig): ModbusAddress {
  if (config.kind === 'modbus-tcp') {
    const { host, port } = config
    return { transport: 'tcp', host, port }
  }
  const { path, baudRate, dataBits, parity, stopBits, hardwareFlowControl } = config
  return { transport: 'rtu', path, baudRate, dataBits, parity, stopBits, hardwareFlowControl }
}
