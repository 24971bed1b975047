/**
 * Serial ports: the only door to the package serialport. One SerialPort object for each connection, because the package
 * keeps what is written to a closed port and sends it after the next opening: a reject pulse for a part of yesterday.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { SerialPort } from 'serialport'
import { MAX_UNSENT_BYTES, type ByteLink, type ByteLinkEvents } from './byte-link.ts'
import { delay, monotonicClock } from './clock.ts'
import { messageOf } from './message-of.ts'

export interface SerialSettings {
  /** `/dev/serial/by-id/...` names the device, `/dev/ttyUSB0` only the order in which they were plugged in. */
  readonly path: string
  readonly baudRate: number
  /** Default 8. */
  readonly dataBits?: 7 | 8
  /** Default none. */
  readonly parity?: 'none' | 'even' | 'odd'
  /** Default 1. */
  readonly stopBits?: 1 | 2
  /** RTS and CTS hold the sender back. Default false. */
  readonly hardwareFlowControl?: boolean
}

export interface SerialLink extends ByteLink {
  /** The input lines of the modem; `undefined` where the port has none (a pty, some USB gadgets). Rejects when not open. */
  readLines(): Promise<{ readonly cts: boolean; readonly dsr: boolean; readonly dcd: boolean } | undefined>
  /** Lines that are not named keep their state; both are on after opening. False where the port has none. Rejects when not open. */
  setLines(lines: { readonly dtr?: boolean; readonly rts?: boolean }): Promise<boolean>
}

export interface SerialLinkOptions extends SerialSettings, ByteLinkEvents {
  readonly signal: AbortSignal
}

/**
 * The kernel lets go of a port's lock when a read that was under way has returned, on a busy machine a moment after the
 * close: who opens it again at once would find it locked.
 */
const OPENING_ATTEMPTS = 10
const REOPENING_PAUSE_MS = 30

/** Rejects with an Error that says why (gone, locked by another, no permission), or with the signal's reason. */
export async function openSerialLink(options: SerialLinkOptions): Promise<SerialLink> {
  const { path, signal } = options
  signal.throwIfAborted()
  const { baudRate, dataBits = 8, parity = 'none', stopBits = 1, hardwareFlowControl = false } = options
  const port = new SerialPort({
    path,
    baudRate,
    dataBits,
    parity,
    stopBits,
    rtscts: hardwareFlowControl,
    autoOpen: false,
  })
  let isClosedByUs = false
  let wasOpen = false
  let reason = 'the port was closed'
  /** Writes that are under way when the port goes would never be called back. */
  const unsent = new Set<(error: Error) => void>()
  const closed = new Promise<void>((settle) => {
    port.once('close', (error: Error | null) => {
      // An unplugged port says so here, with `disconnected`, and not as an error.
      if (error) reason = `unplugged: ${error.message}`
      for (const reject of unsent) reject(new Error(`${path}: ${reason}`))
      settle()
    })
  })
  const shut = async (): Promise<void> => {
    if (port.isOpen && !port.closing) {
      // The kernel would wait up to 30 s for a device that holds back what is unsent.
      await ended((done) => port.flush(done)).catch(() => undefined)
      if (port.isOpen && !port.closing) port.close(() => undefined)
    }
    if (wasOpen) await closed
  }
  const close = async (): Promise<void> => {
    isClosedByUs = true
    await shut()
  }
  port.on('error', (error) => {
    reason = error.message
    void shut() // a port in an unknown state is of no use; never rejects
  })
  port.on('data', (bytes: Buffer) => options.onBytes(bytes))
  for (let attempt = 1; !port.isOpen; attempt++) {
    try {
      await ended((done) => port.open(done))
    } catch (error) {
      const mayPass = /cannot lock/i.test(messageOf(error)) && attempt < OPENING_ATTEMPTS
      if (!mayPass) throw new Error(`${path}: ${messageOf(error)}`, { cause: error })
      await delay(REOPENING_PAUSE_MS, signal, monotonicClock)
    }
  }
  wasOpen = true
  // Opening cannot be interrupted.
  if (signal.aborted) {
    await close()
    throw signal.reason
  }
  void closed.then(() => {
    if (!isClosedByUs) options.onClosed(`${path}: ${reason}`)
  }) // never rejects
  const lines = { dtr: true, rts: true }
  const checkOpen = (): void => {
    if (!port.isOpen || port.closing) throw new Error(`${path} is not open`)
  }
  return {
    get isOpen() {
      return port.isOpen && !port.closing
    },
    async write(bytes) {
      checkOpen()
      if (port.writableLength > MAX_UNSENT_BYTES) throw new Error(`${path} does not take what it is sent`)
      await new Promise<void>((settle, reject) => {
        unsent.add(reject)
        port.write(bytes, (error) => {
          unsent.delete(reject)
          if (error) reject(error)
          else settle()
        })
      })
    },
    async readLines() {
      checkOpen()
      return new Promise((settle) => port.get((error, status) => settle(error ? undefined : status)))
    },
    async setLines(change) {
      checkOpen()
      // The package sets lines that are not named to its defaults.
      const next = { ...lines, ...change }
      try {
        await ended((done) => port.set(next, done))
      } catch {
        return false
      }
      Object.assign(lines, next)
      return true
    },
    close,
  }
}

export interface SerialPortInfo {
  /** By id where there is such a name. */
  readonly path: string
  readonly device: string
  readonly maker?: string
  readonly serialNumber?: string
}

export interface DeviceFolders {
  readonly byId: string
  readonly classes: string
}

const UNKNOWN_CHIP = '0'
const systemFolders: DeviceFolders = { byId: '/dev/serial/by-id', classes: '/sys/class/tty' }

/**
 * Never rejects: where there is no udevadm, the names in the device folders have to do.
 * @param list what the package finds, with udevadm
 */
export async function listSerialPorts(
  folders: DeviceFolders = systemFolders,
  list: () => Promise<
    readonly { path: string; manufacturer?: string | undefined; serialNumber?: string | undefined }[]
  > = () => SerialPort.list(),
): Promise<SerialPortInfo[]> {
  const names = await namesById(folders.byId)
  const found = await list().catch(async () =>
    (await hardwareTtys(folders.classes)).map((path) => ({ path })),
  )
  const infos = found.map((port): SerialPortInfo => {
    const {
      path: device,
      manufacturer,
      serialNumber,
    } = { manufacturer: undefined, serialNumber: undefined, ...port }
    return {
      path: names.get(device) ?? device,
      device,
      ...(manufacturer !== undefined && { maker: manufacturer }),
      ...(serialNumber !== undefined && { serialNumber }),
    }
  })
  return infos.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** From device to its name by id. */
async function namesById(folder: string): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const target = await readlink(path).catch(() => undefined)
    if (target !== undefined) names.set(resolve(folder, target), path)
  }
  return names
}

/** Those with a device behind them: the kernel lists consoles, ptys and legacy ports without a chip, too. */
async function hardwareTtys(folder: string): Promise<string[]> {
  const paths: string[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    const device = await readlink(join(folder, name, 'device')).catch(() => undefined)
    const type = await readFile(join(folder, name, 'type'), 'utf8').catch(() => 'not 8250')
    if (device !== undefined && type.trim() !== UNKNOWN_CHIP) paths.push(`/dev/${name}`)
  }
  return paths
}

function ended(begin: (done: (error: Error | null | undefined) => void) => void): Promise<void> {
  return new Promise((settle, reject) => begin((error) => (error ? reject(error) : settle())))
}
