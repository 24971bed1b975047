import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { peerProcess, type PeerProcess } from './peer-process.ts'

export const skipWithoutPython: false | string =
  process.env['CI'] !== undefined || spawnSync('python3', ['--version']).error === undefined
    ? false
    : 'SKIP: no python3 on the PATH'

const script = fileURLToPath(new URL('profiler-simulator.py', import.meta.url))

export interface SimulatorOptions {
  /** Where it is reached: a TCP port, or the path of a serial port. */
  readonly at: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly format: 'ascii' | 'stx' | 'length'
  readonly samples: number
  readonly perSecond: number
  /** Silent until it is told to start; then so many profiles, counted from 0. */
  readonly perStart?: number
  /** Put before the command, e.g. to run it in a network namespace. */
  readonly inside?: readonly string[]
}

/** A line profiler (profiler-simulator.py). `say`: normal, slow, half, wide, lossy. */
export function profilerSimulator(options: SimulatorOptions): PeerProcess {
  const { at, format, samples, perSecond, perStart, inside = [] } = options
  const where = 'path' in at ? ['serial', at.path] : ['tcp', at.host, String(at.port)]
  const numbers = [samples, perSecond, ...(perStart === undefined ? [] : [perStart])].map(String)
  const [command = 'python3', ...parameters] = [...inside, 'python3', script, ...where, format, ...numbers]
  return peerProcess(command, parameters)
}
