import { connect } from 'node:net'
import { MAX_UNSENT_BYTES, type ByteLink, type ByteLinkEvents } from './byte-link.ts'
import type { Clock } from './clock.ts'

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

export interface TcpLinkOptions extends TcpAddress, ByteLinkEvents {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * A lost SYN is sent again after 1, 3 and 7 s: giving up sooner and trying anew finds a cable that is back within a second.
 */
export const CONNECT_LIMIT_MS = 1000
const KEEP_ALIVE_AFTER_MS = 1000

/** Rejects with an Error that says why, within a second, or with the signal's reason. */
export async function openTcpLink(options: TcpLinkOptions): Promise<ByteLink> {
  const { host, port, clock, signal } = options
  signal.throwIfAborted()
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
  })
  let reason = 'the other side ended the connection'
  let isClosedByUs = false
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', (error) => (reason = error.message))
  const close = async (): Promise<void> => {
    isClosedByUs = true
    socket.destroy()
    await closed
  }
  // Set before the connection is there, so that no byte can come before somebody listens.
  socket.on('data', (bytes) => options.onBytes(bytes))
  try {
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => settle(() => reject(signal.reason))
      const cancel = clock.after(CONNECT_LIMIT_MS, () =>
        settle(() => reject(new Error(`${host}:${port} does not answer`))),
      )
      const settle = (then: () => void): void => {
        cancel()
        signal.removeEventListener('abort', abort)
        then()
      }
      signal.addEventListener('abort', abort, { once: true })
      socket.once('connect', () => settle(resolve))
      void closed.then(() => settle(() => reject(new Error(`${host}:${port}: ${reason}`)))) // never rejects
    })
  } catch (error) {
    await close()
    throw error
  }
  void closed.then(() => {
    if (!isClosedByUs) options.onClosed(`${host}:${port}: ${reason}`)
  }) // never rejects
  return {
    get isOpen() {
      return socket.readyState === 'open'
    },
    async write(bytes) {
      if (socket.readyState !== 'open') throw new Error(`${host}:${port} is not connected`)
      if (socket.writableLength > MAX_UNSENT_BYTES)
        throw new Error(`${host}:${port} does not read what it is sent`)
      await new Promise<void>((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
    },
    close,
  }
}
