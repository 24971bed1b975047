/**
 * A GigE Vision camera in a process of its own at the far end of a cable: Aravis' fake one, or any that listens on its
 * port. Frames come at multiples of their period by the wall clock.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CameraCable } from './camera-cable.ts'

export interface GigeCamera {
  /** Resolves when it listens. */
  start(): Promise<void>
  /** SIGUSR1, SIGUSR2 and SIGHUP are for the 3D camera: see fake-3d-camera.c. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR1' | 'SIGUSR2' | 'SIGHUP'): void
  /** Ends it without a goodbye, in whatever state it is. Twice is fine. */
  kill(): Promise<void>
}

const FAKE = 'arv-fake-gv-camera-0.8'
const START_LIMIT_MS = 20_000

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
      // A camera whose test or bench has crashed goes with it.
      const [program, ...parameters] = [...cable.atCamera, 'setpriv', '--pdeathsig', 'KILL', ...command]
      const started = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'inherit'] })
      child = started
      const deadlineMs = performance.now() + START_LIMIT_MS
      while (started.exitCode === null && !listens(started.pid)) {
        if (performance.now() > deadlineMs)
          throw new Error(`${command[0]} does not listen on GigE Vision's port`)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
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

/** Why the camera of `buildFake3dCamera` cannot be built here, or false. */
export function whyNoFake3dCamera(): string | false {
  const { status } = spawnSync('pkg-config', ['--exists', 'aravis-0.8'])
  const { error } = spawnSync('gcc', ['--version'])
  return status !== 0 || error
    ? 'SKIP: no compiler or no libaravis to compile against (Debian: apt-get install gcc pkg-config libaravis-dev)'
    : false
}

/** Compiles fake-3d-camera.c. @returns the program's path in that folder */
export function buildFake3dCamera(folder: string): string {
  const program = join(folder, 'fake-3d-camera')
  const flags = spawnSync('pkg-config', ['--cflags', '--libs', 'aravis-0.8'], { encoding: 'utf8' })
  const source = peerFile('fake-3d-camera.c')
  const parameters = ['-O2', '-o', program, source, ...flags.stdout.trim().split(/\s+/), '-lm']
  const { status, stderr } = spawnSync('gcc', parameters, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return program
}

/** @param program from `buildFake3dCamera` */
export function fake3dCamera(cable: CameraCable, program: string, { serial = 'R3' } = {}): GigeCamera {
  const description = peerFile('fake-3d-camera.xml')
  return gigeCamera(cable, [program, cable.cameraAddress, serial, description])
}

/** Found from the sources as well as from dist/. */
function peerFile(name: string): string {
  const fromSource = fileURLToPath(new URL(`./peers/${name}`, import.meta.url))
  return existsSync(fromSource)
    ? fromSource
    : fileURLToPath(new URL(`../../../drivers/bench/peers/${name}`, import.meta.url))
}
