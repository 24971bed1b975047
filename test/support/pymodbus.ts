import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { peerProcess, type PeerProcess } from './peer-process.ts'

/** Debian's, which has python3-pymodbus and python3-serial-asyncio. */
const PYTHON = '/usr/bin/python3'

export const skipWithoutPymodbus: false | string =
  process.env['CI'] !== undefined || spawnSync(PYTHON, ['-c', 'import pymodbus, serial_asyncio']).status === 0
    ? false
    : 'SKIP: no pymodbus (Debian: apt-get install python3-pymodbus python3-serial python3-serial-asyncio)'

const script = fileURLToPath(new URL('modbus-slave.py', import.meta.url))

export interface SlaveOptions {
  /** It plays a line profiler. */
  readonly profiles?: { readonly perSecond: number; readonly width: number }
  /** With a TCP port. Default: loopback. */
  readonly host?: string
  /** Put before the command, e.g. to run it in a network namespace. */
  readonly inside?: readonly string[]
}

/**
 * `say`: see modbus-slave.py.
 *
 * @param where a TCP port, or the path of a serial port
 */
export function pymodbusSlave(
  where: number | string,
  { profiles, host = '127.0.0.1', inside = [] }: SlaveOptions = {},
): PeerProcess {
  const place = typeof where === 'number' ? ['tcp', host, String(where)] : ['rtu', where]
  const played = profiles ? ['--profiles', String(profiles.perSecond), String(profiles.width)] : []
  const [command = PYTHON, ...parameters] = [...inside, PYTHON, script, ...place, ...played]
  return peerProcess(command, parameters)
}
