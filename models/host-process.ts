/** One life of the inference host: a forked process, its channel, and its end. */
import { fork } from 'node:child_process'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FromHost, ToHost } from './host-protocol.ts'

export interface HostProcess {
  /** Undefined when the system could not start it. */
  readonly pid: number | undefined
  /** @throws when the message holds something that cannot be cloned. */
  send(message: ToHost): void
  /** SIGKILL: a blocked `run()` hears nothing else. `onGone` follows when the process has ended. */
  kill(reason: string): void
  /** Closes the channel, which a host that is not blocked obeys at once; kills after `withinMs`. Resolves when it is gone. */
  leave(withinMs: number): Promise<void>
}

export interface HostHandlers {
  onMessage(message: FromHost): void
  /** Once, after the process has ended and was reaped. */
  onGone(detail: string): void
}

export function startHostProcess(inspectorModule: URL, handlers: HostHandlers): HostProcess {
  const child = fork(siblingFile('host-main'), [inspectorModule.href], {
    // Structured clone: typed arrays cross as bytes, 4 MB in about 3 ms.
    serialization: 'advanced',
    env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    // stdout belongs to the daemon's own lines; whatever a native library prints goes to stderr.
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  let killedFor: string | undefined
  const gone = new Promise<void>((resolve) => {
    const end = (detail: string) => {
      resolve()
      handlers.onGone(killedFor ?? detail)
    }
    child.once('exit', (code, signal) => {
      end(signal === null ? `exited with status ${code}` : `was ended by ${signal}`)
    })
    child.on('error', (error) => {
      // Otherwise it runs and 'exit' will follow.
      if (child.pid === undefined) end(`could not be started: ${error.message}`)
    })
  })
  child.on('message', (message) => handlers.onMessage(message as FromHost))
  const kill = (reason: string) => {
    killedFor ??= reason
    child.kill('SIGKILL')
  }
  // A host that closed its channel can neither be asked nor answer. One that has ended closes it too: its status is the reason.
  child.once('disconnect', () => child.kill('SIGKILL'))
  return {
    pid: child.pid,
    send(message) {
      // What could not be started, or has left, says so by `onGone`.
      if (child.connected) child.send(message, () => {})
    },
    kill,
    async leave(withinMs) {
      const timer = setTimeout(kill, withinMs, 'did not leave')
      child.removeAllListeners('disconnect')
      if (child.connected) child.disconnect()
      await gone
      clearTimeout(timer)
    },
  }
}

/** The module beside this one, in the sources (.ts) or compiled (.js). */
export function siblingUrl(name: string): URL {
  return new URL(`./${name}${path.extname(import.meta.url)}`, import.meta.url)
}

const siblingFile = (name: string) => fileURLToPath(siblingUrl(name))
