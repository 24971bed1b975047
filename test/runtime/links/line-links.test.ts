import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { monotonicClock } from '../../../drivers/clock.ts'
import type { LinkHealth } from '../../../runtime/links/kept-link.ts'
import { openLinks } from '../../../runtime/links/line-links.ts'
import { link } from '../../../runtime/links/link-config.ts'
import { freePort } from '../../support/free-port.ts'
import { until } from '../../support/processes.ts'
import { ptyPair, skipWithoutSocat } from '../../support/pty-pair.ts'

const clock = monotonicClock

t.test('what is absent at start is down, says why, and is closed at once', async (t) => {
  const path = join(t.testdir(), 'ttyUSB0')
  const edges: LinkHealth[] = []
  const links = openLinks(
    [
      link.parse({ kind: 'serial', name: 'io', path }),
      link.parse({ kind: 'modbus-rtu', name: 'rtu', path }),
      link.parse({ kind: 'modbus-tcp', name: 'plc', host: '127.0.0.1', port: await freePort() }),
    ],
    { clock, onHealth: (health) => void edges.push(health) },
  )
  t.same(
    links.health().map((health) => `${health.link} ${health.state}`),
    ['io connecting', 'rtu connecting', 'plc connecting'],
  )
  await until(() => edges.length === 3)
  const details = new Map(edges.map((health) => [health.link, health.detail]))
  t.match(details.get('io'), /No such file/)
  t.match(details.get('rtu'), /No such file/)
  t.match(details.get('plc'), /ECONNREFUSED/)
  t.equal(links.serial('io').name, 'io')
  t.equal(links.modbus('rtu').name, 'rtu')
  t.throws(() => links.serial('plc'), /no link plc/)
  await links.close()
  t.equal(edges.length, 3, 'closing is no edge')
})

t.test('a serial port that comes later is opened', { skip: skipWithoutSocat }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  const links = openLinks([link.parse({ kind: 'serial', name: 'io', path: pair.paths[0] })], { clock })
  await until(() => links.health()[0]?.state === 'down')
  await pair.plug()
  await until(() => links.health()[0]?.state === 'up')
  t.match(links.health(), [{ connections: 1 }])
  await links.close()
})

t.test('a socket that opens is no PLC: without an answer the link is down', async (t) => {
  const server = createServer((socket) => void socket.resume())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const config = { kind: 'modbus-tcp', name: 'plc', host: '127.0.0.1', port, timeoutMs: 50 }
  const links = openLinks([link.parse(config)], { clock })
  await until(() => links.health()[0]?.state === 'down')
  t.match(links.health(), [{ connections: 0 }])
  await links.close()
  await new Promise((resolve) => server.close(resolve))
})
