/**
 * A GigE Vision camera in a process of its own at the far end of a cable: Aravis' fake one, or any that listens on its
 * port. Frames come at multiples of their period by the wall clock.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { CameraCable } from './camera-cable.ts'
import { until } from './processes.ts'

export interface GigeCamera {
  /** Resolves when it listens. */
  start(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
  /** Ends it without a goodbye, in whatever state it is. Twice is fine. */
  kill(): Promise<void>
}

const FAKE = 'arv-fake-gv-camera-0.8'

/** Why there can be no such camera, or false. */
export function whyNoFakeGigeCamera(): string | false {
  const { error } = spawnSync(FAKE, ['--help'])
  return error ? `SKIP: no ${FAKE} on the PATH (Debian: apt-get install aravis-tools)` : false
}

/** @param lostPerThousand packets that it drops; it never sends one again */
export function fakeGigeCamera(cable: CameraCable, { serial = 'R1', lostPerThousand = 0 } = {}): GigeCamera {
  return gigeCamera(cable, [FAKE, '-i', cable.cameraAddress, '-s', serial, '-r', String(lostPerThousand)])
}

export function gigeCamera(cable: CameraCable, command: readonly string[]): GigeCamera {
  let child: ChildProcess | undefined
  return {
    async start() {
      const [program, ...parameters] = [...cable.atCamera, ...command]
      const started = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'inherit'] })
      child = started
      await until(() => started.exitCode !== null || listens(started.pid))
      if (started.exitCode !== null) throw new Error(`${command[0]} ended with status ${started.exitCode}`)
    },
    signal(signal) {
      child?.kill(signal)
    },
    async kill() {
      if (child === undefined) return
      const gone = child
      child = undefined
      if (gone.exitCode !== null || gone.signalCode !== null) return
      const ended = once(gone, 'exit')
      gone.kill('SIGKILL')
      await ended
    },
  }
}

/** On GigE Vision's port, 3956, in the network that the process lives in. */
function listens(pid: number | undefined): boolean {
  try {
    return / [0-9A-F]+:0F74 /.test(readFileSync(`/proc/${pid}/net/udp`, 'utf8'))
  } catch {
    return false
  }
}
