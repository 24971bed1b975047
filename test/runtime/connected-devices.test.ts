import { join } from 'node:path'
import t from 'tap'
import { DriverError } from '../../drivers/driver.ts'
import { connectedDevices } from '../../runtime/connected-devices.ts'

const camera = { id: 'Maker-1', address: '10.0.0.2', protocol: 'GigEVision' }

t.test('cameras and video devices are listed with what they call themselves', async (t) => {
  const folder = t.testdir({
    devices: { video0: '', video1: '', videocodec: '', null: '' },
    classes: { video4linux: { video0: { name: 'UVC Camera\n' } } },
  })
  const [cameras, video, serial] = await connectedDevices({
    devices: join(folder, 'devices'),
    classes: join(folder, 'classes'),
    listCameras: () => [camera],
  })
  t.match(cameras, { name: 'GenICam cameras', state: 'ok', found: 'Maker-1 (GigEVision, 10.0.0.2)' })
  t.match(video, {
    state: 'ok',
    found: `${join(folder, 'devices/video0')} (UVC Camera); ${join(folder, 'devices/video1')}`,
  })
  t.match(serial, { name: 'serial ports' })
})

t.test('what this user may not open has the fix', async (t) => {
  const folder = t.testdir({ devices: { video0: '' } })
  const mayOpen = () => Promise.resolve(false)
  const [, video] = await connectedDevices({
    devices: join(folder, 'devices'),
    listCameras: () => [],
    mayOpen,
  })
  t.match(video, { state: 'warning', found: /may not open .*video0/, fix: /usermod -aG video/ })
})

t.test('without the library cameras are not looked for, and that is no fault', async (t) => {
  const [cameras] = await connectedDevices({
    listCameras: () => {
      throw new DriverError('DRIVER_UNAVAILABLE', 'apt-get install libaravis-0.8-0')
    },
  })
  t.match(cameras, { state: 'ok', found: /not looked for: apt-get install/ })
})
