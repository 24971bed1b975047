/**
 * An MQTT broker inside the daemon, for a station without one and for tests. It speaks MQTT 3.1.1 only, listens on
 * loopback only, and forgets everything with the process: a line that counts on its verdicts configures a real broker.
 */
import { Aedes } from 'aedes'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { messageOf } from '../drivers/message-of.ts'
import { RuntimeError } from './runtime-error.ts'

export interface EmbeddedBroker {
  readonly url: string
  readonly protocolVersion: 4
  close(): Promise<void>
}

/** @param port 0 takes a free one. @throws RuntimeError BROKER_UNAVAILABLE */
export async function openBroker(port: number): Promise<EmbeddedBroker> {
  const aedes = await Aedes.createBroker({ id: 'radar-edge' })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    aedes.handle(socket)
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
  } catch (error) {
    aedes.close()
    const reason = messageOf(error)
    const message = `the embedded broker cannot listen on 127.0.0.1:${port}: ${reason}`
    throw new RuntimeError('BROKER_UNAVAILABLE', message, { cause: error })
  }
  const address = server.address() as AddressInfo
  return {
    url: `mqtt://127.0.0.1:${address.port}`,
    protocolVersion: 4,
    async close() {
      await new Promise<void>((resolve) => aedes.close(resolve))
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
