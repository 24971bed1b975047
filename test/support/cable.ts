/** A TCP connection to a broker that can be cut without a goodbye, and plugged in again. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Cable {
  readonly url: string
  /** Ends what is connected; who connects meanwhile is thrown out. */
  cut(): void
  plug(): void
  close(): Promise<void>
}

export async function openCable(brokerUrl: string): Promise<Cable> {
  const sockets = new Set<Socket>()
  let isPlugged = true
  const server = createServer((near) => {
    if (!isPlugged) return near.destroy()
    const far = connect(Number(new URL(brokerUrl).port), '127.0.0.1')
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const cut = () => {
    isPlugged = false
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `mqtt://127.0.0.1:${port}`,
    cut,
    plug: () => (isPlugged = true),
    async close() {
      cut()
      server.close()
      await once(server, 'close')
    },
  }
}
