/**
 * A program that brings frames: a GStreamer pipeline, a vendor's bridge. It runs in a process group of its own, so that
 * what it starts ends with it, and it has an end for every reason: a program that ends by itself is a fault, also with
 * exit code 0.
 */
import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from './clock.ts'

export interface ProgramOptions {
  readonly command: string
  readonly arguments: readonly string[]
  /** Where it writes its frames. 3 leaves stdout, and whatever a library prints there, alone. */
  readonly frameDescriptor: 1 | 3
  readonly environment?: Readonly<Record<string, string>>
  /** What it takes as a request to end in good order. Default SIGTERM. */
  readonly stopSignal?: 'SIGINT' | 'SIGTERM'
  /** What of its stderr says why it ended; empty for nothing. Default: the last three lines. */
  lastWords?(said: string): string
  readonly clock: Clock
}

export interface Program {
  /** Undefined when the system could not start it. */
  readonly pid: number | undefined
  /** Its stdin. What is written after its end is dropped. */
  readonly input: Writable
  readonly frames: Readable
  /** How it ended, in one sentence with the last that it said on stderr, after it was reaped. Never rejects. */
  readonly ended: Promise<string>
  /** The stop signal, and SIGKILL for what is left of the group after a second. Resolves when it is gone. */
  stop(): Promise<void>
}

const TERM_GRACE_MS = 1000
const KEPT_STDERR_CHARACTERS = 2000

const lastLines = (said: string): string => said.trim().split('\n').slice(-3).join('; ')

export function startProgram(options: ProgramOptions): Program {
  const { command, frameDescriptor, lastWords = lastLines, clock } = options
  const child = spawn(command, [...options.arguments], {
    detached: true, // leads a group of its own
    stdio: frameDescriptor === 1 ? ['pipe', 'pipe', 'pipe'] : ['pipe', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', ...options.environment },
  })
  const frames = child.stdio[frameDescriptor] as Readable
  const input = child.stdin as Writable
  const stderr = child.stderr as Readable
  // A pipe whose other end is gone says so here; the end of the program says the rest.
  for (const stream of [frames, input, stderr]) stream.on('error', () => undefined)
  let said = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT_STDERR_CHARACTERS)
  })
  const signalGroup = (signal: NodeJS.Signals): void => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, signal)
    } catch {
      // The whole group is gone.
    }
  }
  const ended = new Promise<string>((resolve) => {
    const tell = (how: string): void => {
      // What it started must not outlive it.
      signalGroup('SIGKILL')
      // A grandchild that was killed only now may still hold the pipes.
      frames.destroy()
      const words = lastWords(said)
      resolve(words === '' ? how : `${how}: ${words}`)
    }
    child.once('exit', (code, signal) => {
      const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`
      // The last words may still be in the pipe.
      setImmediate(() => tell(how))
    })
    child.on('error', (error) => {
      if (child.pid === undefined) tell(`could not be started: ${error.message}`)
    })
  })
  return {
    pid: child.pid,
    input,
    frames,
    ended,
    async stop() {
      signalGroup(options.stopSignal ?? 'SIGTERM')
      const cancel = clock.after(TERM_GRACE_MS, () => signalGroup('SIGKILL'))
      await ended
      cancel()
    },
  }
}
