/** A program that plays the device at the other end. It says "ready" on stdout when it can be spoken to. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export interface PeerProcess {
  /** Resolves when it is ready; rejects with what it said when it ends before. */
  start(): Promise<void>
  /** A line for its stdin. */
  say(line: string): void
  /** Ends it without a goodbye, also when it is stopped. Twice is fine. */
  kill(): Promise<void>
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void
}

export function peerProcess(command: string, parameters: readonly string[]): PeerProcess {
  let child: ChildProcess | undefined
  return {
    async start() {
      const started = spawn(command, [...parameters], { stdio: ['pipe', 'pipe', 'pipe'] })
      child = started
      started.stdin.on('error', () => undefined)
      let said = ''
      started.stderr.on('data', (text) => (said = (said + String(text)).slice(-2000)))
      await new Promise<void>((resolve, reject) => {
        started.stdout.on('data', (text) => {
          if (String(text).includes('ready')) resolve()
        })
        started.once('error', reject)
        started.once('exit', (code) => reject(new Error(`${command} ended with status ${code}: ${said}`)))
      })
    },
    say(line) {
      child?.stdin?.write(`${line}\n`)
    },
    async kill() {
      if (child === undefined) return
      const gone = child
      child = undefined
      if (gone.exitCode === null && gone.signalCode === null) {
        const ended = once(gone, 'exit')
        gone.kill('SIGKILL')
        await ended
      }
      for (const stream of gone.stdio) stream?.destroy()
    },
    signal(signal) {
      child?.kill(signal)
    },
  }
}
