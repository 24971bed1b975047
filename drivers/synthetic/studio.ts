/** Our end of the rendering thread. Runs while it has users; the daemon's event loop never renders. */
import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { DriverError } from '../driver.ts'
import type { StudioAnswer, StudioRequest } from './studio-worker.ts'

/** Requests that wait for the thread. Only aborted captures can pile up; the newest is refused. */
const MOST_WAITING = 16

interface Waiting {
  readonly user: object
  resolve(samples: Uint8Array | Float32Array): void
  reject(reason: unknown): void
}

/** Beside this file under the same extension: .ts under the test runner's loader, .js when built. */
const rendering = new URL(`./studio-worker${extname(import.meta.url)}`, import.meta.url)

export class Studio {
  readonly #script: URL
  readonly #users = new Set<object>()
  readonly #waiting = new Map<number, Waiting>()
  #thread: { worker: Worker; ready: Promise<unknown> } | undefined
  #nextId = 0

  /** @param script what the thread runs: the renderer, unless a test gives something worse. */
  constructor(script = rendering) {
    this.#script = script
  }

  /** Starts the thread if nobody had. Entering twice is fine. */
  async enter(user: object, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#users.add(user)
    this.#thread ??= this.#start()
    const waited = new AbortController()
    try {
      await Promise.race([this.#thread.ready, aborted(signal, waited.signal)])
    } catch (cause) {
      await this.leave(user)
      signal.throwIfAborted()
      throw new DriverError('DRIVER_UNAVAILABLE', 'the rendering thread did not start', { cause })
    } finally {
      waited.abort()
    }
  }

  /** Rejects what the user still waits for; the last one out ends the thread. */
  async leave(user: object): Promise<void> {
    this.#users.delete(user)
    this.#rejectAll('the sensor was closed', user)
    if (this.#users.size > 0 || this.#thread === undefined) return
    const { worker } = this.#thread
    this.#thread = undefined
    await worker.terminate()
  }

  /** Rejects with DRIVER_LOST when the thread dies, with the signal's reason when that comes first. */
  ask(
    request: Omit<StudioRequest, 'id'>,
    { user, signal }: { user: object; signal: AbortSignal },
  ): Promise<Uint8Array | Float32Array> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      if (this.#thread === undefined || !this.#users.has(user)) {
        return reject(
          new DriverError('DRIVER_LOST', 'the rendering thread is not running: open the sensor first'),
        )
      }
      if (this.#waiting.size >= MOST_WAITING) {
        return reject(
          new DriverError('DRIVER_BAD_FRAME', `the rendering thread is ${MOST_WAITING} requests behind`),
        )
      }
      const id = this.#nextId++
      const abort = (): void => reject(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      const done = (): void => {
        signal.removeEventListener('abort', abort)
        this.#waiting.delete(id)
      }
      this.#waiting.set(id, {
        user,
        resolve: (samples) => {
          done()
          resolve(samples)
        },
        reject: (reason) => {
          done()
          reject(reason)
        },
      })
      this.#thread.worker.postMessage({ ...request, id } satisfies StudioRequest)
    })
  }

  #start(): { worker: Worker; ready: Promise<unknown> } {
    // Plain JavaScript needs none of our flags; the test runner's loader among them would cost a second per start.
    const options = extname(this.#script.pathname) === '.js' ? { execArgv: [] } : {}
    const worker = new Worker(this.#script, options)
    const ready = once(worker, 'message')
    worker.on('message', (answer: StudioAnswer) => this.#settle(answer))
    const lost = (reason: string): void => {
      if (this.#thread?.worker !== worker) return
      this.#thread = undefined
      this.#rejectAll(reason)
    }
    worker.on('error', (error) => lost(`the rendering thread failed: ${error.message}`))
    worker.on('exit', (code) => lost(`the rendering thread ended with code ${code}`))
    return { worker, ready }
  }

  #settle(answer: StudioAnswer): void {
    switch (answer.kind) {
      case 'ready':
        return
      case 'done':
        return this.#waiting.get(answer.id)?.resolve(answer.samples)
      case 'failed':
        return this.#waiting.get(answer.id)?.reject(new DriverError('DRIVER_BAD_FRAME', answer.reason))
    }
  }

  #rejectAll(reason: string, user?: object): void {
    for (const waiting of this.#waiting.values()) {
      if (user === undefined || waiting.user === user) waiting.reject(new DriverError('DRIVER_LOST', reason))
    }
  }
}

/** Rejects with the signal's reason; stops listening when `waited` aborts. */
function aborted(signal: AbortSignal, waited: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true, signal: waited })
  })
}
