/** What is plugged in, configured or not, and whether this user may open it. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { listGenicamDevices, type GenicamDevice } from '../drivers/genicam-discovery.ts'
import { messageOf } from '../drivers/message-of.ts'
import { listSerialPorts } from '../drivers/serial-port.ts'
import type { Check } from './checks.ts'
import * as deviceAccess from './device-access.ts'
import { userName } from './user-name.ts'

export interface ConnectedDevicesOptions {
  /** Default: the system's. */
  readonly devices?: string
  readonly classes?: string
  listCameras?(): readonly GenicamDevice[]
  mayOpen?(path: string): Promise<boolean>
}

export async function connectedDevices(options: ConnectedDevicesOptions = {}): Promise<Check[]> {
  const { devices = '/dev', classes = '/sys/class', listCameras = listGenicamDevices } = options
  const { mayOpen = deviceAccess.mayOpen } = options
  const serial = (await listSerialPorts()).map(({ path, device, maker }) => ({
    path: device,
    found: [path, ...(path === device ? [] : [device]), ...(maker === undefined ? [] : [maker])].join(', '),
  }))
  return [
    cameraCheck(listCameras),
    await deviceCheck('video devices', await videoDevices(devices, classes), { group: 'video', mayOpen }),
    await deviceCheck('serial ports', serial, { group: 'dialout', mayOpen }),
  ]
}

function cameraCheck(listCameras: () => readonly GenicamDevice[]): Check {
  const name = 'GenICam cameras'
  try {
    const cameras = listCameras()
    const found = cameras.map(({ id, address, protocol }) => `${id} (${protocol}, ${address})`).join('; ')
    return { name, state: 'ok', found: found === '' ? 'none answers' : found }
  } catch (error) {
    // Only a station with such a camera needs the library.
    return { name, state: 'ok', found: `not looked for: ${messageOf(error)}` }
  }
}

interface Device {
  readonly path: string
  readonly found: string
}

async function videoDevices(devices: string, classes: string): Promise<Device[]> {
  const names = (await readdir(devices).catch(() => [])).filter((name) => /^video\d+$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const title = await readFile(join(classes, 'video4linux', name, 'name'), 'utf8').catch(() => '')
      const path = join(devices, name)
      return { path, found: title.trim() === '' ? path : `${path} (${title.trim()})` }
    }),
  )
}

/** The group is who may open such devices on Debian and its kin. */
async function deviceCheck(
  name: string,
  devices: readonly Device[],
  { group, mayOpen }: { readonly group: string; mayOpen(path: string): Promise<boolean> },
): Promise<Check> {
  if (devices.length === 0) return { name, state: 'ok', found: 'none' }
  const closed: string[] = []
  for (const { path } of devices) if (!(await mayOpen(path))) closed.push(path)
  const found = devices.map((device) => device.found).join('; ')
  if (closed.length === 0) return { name, state: 'ok', found }
  const refused = `${userName()} may not open ${closed.join(', ')}`
  return { name, state: 'warning', found: `${found}; ${refused}`, fix: deviceAccess.groupFix(group) }
}
