/** What `radar-edge doctor` looks at of serial ports: which there are, and whether this user may open them. */
import { readFile, realpath, stat } from 'node:fs/promises'
import { messageOf } from '../drivers/message-of.ts'
import { listSerialPorts, type SerialPortInfo } from '../drivers/serial-port.ts'
import type { Check } from './checks.ts'
import { groupFix, mayOpen } from './device-access.ts'

/** @param configured paths of the ports in the config; the others are shown, too. Never rejects. */
export async function checkSerialPorts(
  configured: readonly string[],
  list: () => Promise<readonly SerialPortInfo[]> = listSerialPorts,
): Promise<Check[]> {
  const ports = await list()
  const checks: Check[] = []
  for (const path of configured) checks.push(await checkConfigured(path, ports))
  const known = await Promise.all(configured.map((path) => realpath(path).catch(() => path)))
  for (const port of ports) {
    if (known.includes(port.device)) continue
    const { maker, serialNumber } = port
    const about = [maker, serialNumber].filter((word) => word !== undefined).join(' ')
    const fix = await permissionFix(port.device)
    checks.push({
      name: `serial port ${port.path}`,
      state: fix === undefined ? 'ok' : 'warning',
      found: `${port.device}${about === '' ? '' : ` (${about})`}, in no link or sensor of the config`,
      ...(fix !== undefined && { fix }),
    })
  }
  return checks
}

async function checkConfigured(path: string, ports: readonly SerialPortInfo[]): Promise<Check> {
  const name = `serial port ${path}`
  let device: string
  try {
    device = await realpath(path)
  } catch (error) {
    const names = ports.map((port) => port.path).join(', ')
    return {
      name,
      state: 'failed',
      found: messageOf(error),
      fix: names === '' ? 'plug the adapter in: there is no serial port' : `set path to one of: ${names}`,
    }
  }
  const fix = await permissionFix(device)
  if (fix !== undefined) return { name, state: 'failed', found: `${device} may not be opened`, fix }
  const byId = ports.find((port) => port.device === device)?.path
  if (byId !== undefined && byId !== device && path === device) {
    return {
      name,
      state: 'warning',
      found: `${device} names the order of plugging in`,
      fix: `set path to ${byId}`,
    }
  }
  return { name, state: 'ok', found: `${device} can be opened` }
}

/** Undefined when it may be read and written. */
async function permissionFix(device: string): Promise<string | undefined> {
  return (await mayOpen(device)) ? undefined : groupFix(await groupOf(device))
}

async function groupOf(device: string): Promise<string> {
  try {
    const { gid } = await stat(device)
    const lines = (await readFile('/etc/group', 'utf8')).split('\n').map((line) => line.split(':'))
    return lines.find(([, , id]) => Number(id) === gid)?.[0] ?? 'dialout'
  } catch {
    return 'dialout'
  }
}
