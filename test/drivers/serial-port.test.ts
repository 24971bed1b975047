import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { MAX_UNSENT_BYTES } from '../../drivers/byte-link.ts'
import { listSerialPorts, openSerialLink, type SerialLink } from '../../drivers/serial-port.ts'
import { until } from '../support/processes.ts'
import { ptyPair, skipWithoutSocat } from '../support/pty-pair.ts'

const never = () => new AbortController().signal

function listener() {
  const heard = { text: '', closed: [] as string[] }
  return {
    heard,
    events: {
      onBytes: (bytes: Buffer) => void (heard.text += bytes.toString('latin1')),
      onClosed: (reason: string) => void heard.closed.push(reason),
    },
  }
}

const open = (path: string, events: ReturnType<typeof listener>['events']): Promise<SerialLink> =>
  openSerialLink({ path, baudRate: 115_200, ...events, signal: never() })

t.test('real ttys', { skip: skipWithoutSocat }, async (t) => {
  t.test('what one end writes the other end hears', async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const [near, far] = [listener(), listener()]
    const [a, b] = [await open(pair.paths[0], near.events), await open(pair.paths[1], far.events)]
    await a.write(Buffer.from('trigger\r'))
    await until(() => far.heard.text === 'trigger\r')
    await b.write(Buffer.from('pass\r'))
    await until(() => near.heard.text === 'pass\r')
    await t.rejects(open(pair.paths[0], near.events), /lock/, 'a port has one owner')
    await Promise.all([a.close(), a.close(), b.close()])
    t.notOk(a.isOpen)
    t.same([near.heard.closed, far.heard.closed], [[], []], 'a close is no loss')
    await t.rejects(a.write(Buffer.from('late')), /not open/)
  })

  t.test('an unplugged port says so, and nothing of before is sent after the replug', async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const near = listener()
    const link = await open(pair.paths[0], near.events)
    await pair.unplug()
    await until(() => near.heard.closed.length > 0)
    t.match(near.heard.closed, [/unplugged/])
    t.notOk(link.isOpen)
    await t.rejects(link.write(Buffer.from('REJECT 17\r')), /not open/)
    await t.rejects(link.readLines(), /not open/)
    await t.rejects(link.setLines({ dtr: true }), /not open/)
    await t.rejects(open(pair.paths[0], near.events), /No such file/, 'still out')
    await pair.plug()
    const far = listener()
    const [again, other] = [await open(pair.paths[0], near.events), await open(pair.paths[1], far.events)]
    await link.close()
    await again.write(Buffer.from('fresh\r'))
    await until(() => far.heard.text.endsWith('\r'))
    t.equal(far.heard.text, 'fresh\r')
    await Promise.all([again.close(), other.close()])
  })

  t.test('modem lines are a capability, and a pty has none', async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const link = await open(pair.paths[0], listener().events)
    t.equal(await link.setLines({ dtr: false }), false)
    t.equal(await link.readLines(), undefined)
    t.ok(link.isOpen, 'it stays open')
    await link.close()
  })

  t.test('an abort during opening leaves the port free', async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const { events } = listener()
    const reason = new Error('the line stopped')
    const control = new AbortController()
    const opening = openSerialLink({
      path: pair.paths[0],
      baudRate: 115_200,
      ...events,
      signal: control.signal,
    })
    control.abort(reason)
    await t.rejects(opening, reason)
    await (await open(pair.paths[0], events)).close()
    const aborted = AbortSignal.abort(reason)
    await t.rejects(
      openSerialLink({ path: pair.paths[0], baudRate: 9600, ...events, signal: aborted }),
      reason,
    )
  })

  t.test('a device that does not read is told nothing more, and close does not wait for it', async (t) => {
    const pair = ptyPair()
    t.teardown(() => pair.close())
    await pair.plug()
    const link = await open(pair.paths[0], listener().events)
    const outcomes = Promise.allSettled(
      Array.from({ length: 40 }, () => link.write(Buffer.alloc(MAX_UNSENT_BYTES / 8))),
    )
    await link.close()
    const refused = (await outcomes).filter(({ status }) => status === 'rejected')
    t.ok(refused.length > 20, `${refused.length} of 40 were refused`)
  })
})

t.test('ports are listed by id, and without udevadm from the device folders', async (t) => {
  const folder = t.testdir()
  const [byId, classes] = [join(folder, 'by-id'), join(folder, 'tty')]
  await mkdir(byId)
  await symlink('../ttyUSB0', join(byId, 'usb-FTDI_A1-if00'))
  for (const [name, type] of [
    ['ttyUSB0', undefined],
    ['ttyTHS1', undefined],
    ['ttyS0', '4'],
    ['ttyS1', '0'],
  ] as const) {
    await mkdir(join(classes, name), { recursive: true })
    await symlink('../../device', join(classes, name, 'device'))
    if (type !== undefined) await writeFile(join(classes, name, 'type'), `${type}\n`)
  }
  await mkdir(join(classes, 'console'))
  const noUdevadm = () => Promise.reject(new Error('spawn udevadm ENOENT'))
  const found = await listSerialPorts({ byId, classes }, noUdevadm)
  t.same(
    found.map(({ path }) => path).sort(),
    ['/dev/ttyS0', '/dev/ttyTHS1', '/dev/ttyUSB0'],
    'what has a device behind it, and a chip',
  )
  const device = join(folder, 'ttyUSB0')
  const list = () => Promise.resolve([{ path: device, manufacturer: 'FTDI', serialNumber: undefined }])
  t.same(await listSerialPorts({ byId, classes }, list), [
    { path: join(byId, 'usb-FTDI_A1-if00'), device, maker: 'FTDI' },
  ])
  t.same(await listSerialPorts({ byId: join(folder, 'none'), classes: join(folder, 'none') }, noUdevadm), [])
  t.ok(Array.isArray(await listSerialPorts()), 'on this machine, whatever it has')
})
