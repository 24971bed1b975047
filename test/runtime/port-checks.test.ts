import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkSerialPorts } from '../../runtime/port-checks.ts'

t.test('a port that is there is ok, best by its id; others are shown', async (t) => {
  const folder = t.testdir({ ttyUSB0: '', ttyUSB1: '' })
  const device = join(folder, 'ttyUSB0')
  const byId = join(folder, 'usb-FTDI')
  symlinkSync(device, byId)
  const other = join(folder, 'ttyUSB1')
  const list = async () => [
    { path: byId, device, maker: 'FTDI', serialNumber: 'A1' },
    { path: other, device: other, maker: 'Prolific' },
  ]
  const [named, rest] = await checkSerialPorts([byId], list)
  t.match(named, { name: `serial port ${byId}`, state: 'ok', found: `${device} can be opened` })
  t.match(rest, { name: `serial port ${other}`, state: 'ok', found: `${other} (Prolific), in no link` })
  const [byDevice] = await checkSerialPorts([device], list)
  t.match(byDevice, { state: 'warning', found: /order of plugging in/, fix: `set path to ${byId}` })
})

t.test('a port that is absent fails, with those that are there', async (t) => {
  const folder = t.testdir({ ttyUSB1: '' })
  const path = join(folder, 'ttyUSB0')
  const other = join(folder, 'ttyUSB1')
  const [absent] = await checkSerialPorts([path], async () => [{ path: other, device: other }])
  t.match(absent, { state: 'failed', found: /ENOENT/, fix: `set path to one of: ${other}` })
  const [none] = await checkSerialPorts([path], async () => [])
  t.match(none, { state: 'failed', fix: 'plug the adapter in: there is no serial port' })
})
