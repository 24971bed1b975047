import { connectAsync } from 'mqtt'
import t from 'tap'
import { openBroker } from '../../runtime/broker.ts'

t.test('a message goes through the embedded broker, which lets its port go when closed', async (t) => {
  const broker = await openBroker(0)
  const client = await connectAsync(broker.url, { protocolVersion: broker.protocolVersion })
  const arrived = new Promise<string>((resolve) =>
    client.on('message', (_topic, body) => resolve(String(body))),
  )
  await client.subscribeAsync('a')
  await client.publishAsync('a', 'hello', { qos: 1 })
  t.equal(await arrived, 'hello')
  await client.endAsync(true)
  await broker.close()
  const again = await openBroker(Number(new URL(broker.url).port))
  await again.close()
})

t.test('a port in use is an error with its number in it', async (t) => {
  const broker = await openBroker(0)
  const port = Number(new URL(broker.url).port)
  await t.rejects(openBroker(port), { code: 'BROKER_UNAVAILABLE', message: new RegExp(String(port)) })
  await broker.close()
})

t.test('it listens on loopback only', async (t) => {
  const broker = await openBroker(0)
  t.equal(new URL(broker.url).hostname, '127.0.0.1')
  await broker.close()
})
