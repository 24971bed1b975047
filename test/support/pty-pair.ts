/** Two serial ports and the cable between them: ptys are real ttys, opened, locked and unplugged like any other. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

/** For tap: false, or why the tests that need ptys are skipped. In CI a missing program is a failure. */
export const skipWithoutSocat: false | string =
  process.env['CI'] !== undefined || spawnSync('socat', ['-V']).error === undefined
    ? false
    : 'SKIP: no socat on the PATH (Debian: apt-get install socat)'

export interface PtyPair {
  readonly paths: readonly [string, string]
  plug(): Promise<void>
  /** Both ports are gone at once. */
  unplug(): Promise<void>
  /** Also removes the folder of the links. */
  close(): Promise<void>
}

/** Unplugged; the paths stay the same. */
export function ptyPair(): PtyPair {
  const folder = mkdtempSync(join(tmpdir(), 'radar-edge-pty-'))
  const paths = [join(folder, 'near'), join(folder, 'far')] as const
  let socat: ChildProcess | undefined
  const unplug = async (): Promise<void> => {
    if (socat === undefined) return
    const ended = once(socat, 'exit')
    socat.kill('SIGKILL')
    await ended
    socat = undefined
    // Killed, it leaves its links behind, and they point at the next pty of somebody else.
    for (const path of paths) rmSync(path, { force: true })
  }
  return {
    paths,
    async plug() {
      if (socat !== undefined) return
      const ends = paths.map((path) => `pty,raw,echo=0,link=${path}`)
      socat = spawn('socat', ends, { stdio: 'ignore' })
      await until(() => paths.every((path) => existsSync(path)))
    },
    unplug,
    async close() {
      await unplug()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
