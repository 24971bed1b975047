/** The way to a bridge: a program of our own on its stdin and stdout, or somebody's behind a unix socket. */
import { connect } from 'node:net'
import type { Clock } from './clock.ts'
import { startProgram } from './program.ts'

export interface BridgeConnection {
  /** Of a program of our own that could be started. */
  readonly pid?: number | undefined
  /** Commands that the bridge has not read, bytes. */
  readonly unread: number
  send(line: string): void
  /** How it ended, in one sentence about the bridge. Never rejects. */
  readonly ended: Promise<string>
  /** Says stop and closes; a program that still runs a second later is killed. Resolves when nothing of it is held. */
  stop(): Promise<void>
}

export type BridgeAddress = { readonly command: readonly [string, ...string[]] } | { readonly socket: string }

/** A program that has closed its stdout should end; this long until it is called lost for that. */
const CLOSED_GRACE_MS = 200

/** What Linux keeps for a unix socket, unless it is told otherwise. */
const SOCKET_BUFFER_BYTES = 212_992

export interface BridgeListener {
  readonly clock: Clock
  /** The bytes are the caller's again when it returns. */
  onBytes(chunk: Uint8Array): void
}

/** Never rejects: what could not be started or connected has `ended`. */
export function connectBridge(address: BridgeAddress, listener: BridgeListener): BridgeConnection {
  return 'command' in address
    ? startCommand(address.command, listener)
    : connectSocket(address.socket, listener)
}

function startCommand(
  [command, ...rest]: readonly [string, ...string[]],
  { clock, onBytes }: BridgeListener,
): BridgeConnection {
  const program = startProgram({ command, arguments: rest, frameDescriptor: 1, clock })
  program.frames.on('data', onBytes)
  const ended = new Promise<string>((resolve) => {
    let cancel = (): void => undefined
    program.frames.once('end', () => {
      cancel = clock.after(CLOSED_GRACE_MS, () => resolve('closed its stdout, where its frames go'))
    })
    void program.ended.then((how) => {
      cancel()
      resolve(how)
    })
  })
  return {
    pid: program.pid,
    get unread() {
      return program.input.writableLength
    },
    send: (line) => void (program.input.writable && program.input.write(`${line}\n`)),
    ended,
    async stop() {
      // After the end of its stdin even a bridge that knows no command should stop; SIGTERM comes at once behind it.
      program.input.end('stop\n')
      await program.stop()
    },
  }
}

function connectSocket(path: string, { onBytes }: BridgeListener): BridgeConnection {
  const socket = connect({
    path,
    // One buffer for all reads: with one of its own for each, 28 MB take twice as long.
    onread: {
      buffer: Buffer.allocUnsafeSlow(SOCKET_BUFFER_BYTES),
      callback(count, buffer) {
        onBytes(buffer.subarray(0, count))
        return true
      },
    },
  })
  let how = `closed the connection at ${path}`
  socket.on('error', ({ message }) => (how = `is not to be had: ${message}`))
  const ended = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(how))
  })
  return {
    get unread() {
      return socket.writableLength
    },
    send: (line) => void (socket.writable && socket.write(`${line}\n`)),
    ended,
    async stop() {
      if (socket.writable) socket.write('stop\n')
      // A bridge that does not read must not hold us: what the system has not taken of the line is lost with it.
      socket.destroy()
      await ended
    },
  }
}
