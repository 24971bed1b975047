/** A plain MQTT client that remembers everything it hears. Not the product's code: the other side of the wire. */
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'

export interface Heard {
  readonly topic: string
  readonly payload: Buffer
  readonly packet: IPublishPacket
}

export interface Listener {
  readonly client: MqttClient
  readonly heard: readonly Heard[]
  /** Parsed payloads of a topic, in order. */
  json(topic: string): Record<string, unknown>[]
  /** Resolves as soon as what was heard satisfies the claim; the test's own timeout bounds it. */
  until(claim: () => boolean): Promise<void>
  close(): Promise<void>
}

export async function listen(url: string, options: IClientOptions = {}): Promise<Listener> {
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 50, ...options })
  const heard: Heard[] = []
  const waiters = new Set<() => void>()
  client.on('message', (topic, payload, packet) => {
    heard.push({ topic, payload, packet })
    for (const check of [...waiters]) check()
  })
  client.on('error', () => undefined)
  await client.subscribeAsync('radar/#', { qos: 1 })
  return {
    client,
    heard,
    json: (topic) =>
      heard.filter((each) => each.topic === topic).map((each) => JSON.parse(each.payload.toString('utf8'))),
    until: (claim) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!claim()) return
          waiters.delete(check)
          resolve()
        }
        waiters.add(check)
        check()
      }),
    close: () => client.endAsync(true),
  }
}
