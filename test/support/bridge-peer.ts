/** Real bridges as peers: the shipped reference in Python, and it with faults. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Debian's: the one first on the PATH may have no numpy. */
export const PYTHON = '/usr/bin/python3'
const hasNumpy = spawnSync(PYTHON, ['-c', 'import numpy']).status === 0
/** For `t.test`; on CI a missing peer is a failure. */
export const skipWithoutNumpy =
  hasNumpy || process.env['CI'] !== undefined
    ? false
    : 'SKIP: no numpy for /usr/bin/python3 (Debian: apt-get install python3-numpy)'

const root = fileURLToPath(new URL('../..', import.meta.url))
export const REFERENCE_BRIDGE = join(root, 'drivers/bridges/bridge.py')
export const REFERENCE_BRIDGE_IN_C = join(root, 'drivers/bridges/bridge.c')
const PEER = join(root, 'test/support/bridge-peer.py')

export type BridgeFault =
  'slow' | 'silent' | 'half' | 'size' | 'garbage' | 'repeat' | 'gap' | 'late' | 'epoch' | 'printing' | 'deaf'

export interface BridgePeer {
  readonly command: readonly [string, ...string[]]
  /** The program is there to be started. */
  install(): void
  /** The program is gone; one that runs stays. */
  uninstall(): void
  setFault(fault: BridgeFault | ''): void
  /** Of the one that was started last. */
  signal(signal: NodeJS.Signals): void
}

/** @param folder empty, for this peer alone. */
export function bridgePeer(folder: string, picture: readonly [string, string, string]): BridgePeer {
  mkdirSync(folder, { recursive: true })
  const python = join(folder, 'python3')
  return {
    command: [python, PEER, folder, ...picture],
    install() {
      rmSync(python, { force: true })
      symlinkSync(PYTHON, python)
    },
    uninstall: () => rmSync(python, { force: true }),
    setFault: (fault) => writeFileSync(join(folder, 'fault'), fault),
    signal(signal) {
      try {
        process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), signal)
      } catch {
        // It has ended, or never started.
      }
    },
  }
}
