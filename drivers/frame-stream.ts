/**
 * Frames that come by themselves, for captures that ask for one: free-running cameras, hardware triggers, bridges,
 * profilers. A capture gets the first frame that was exposed at or after its trigger.
 *
 * A few frames are kept, because a line that triggers camera and daemon at once may be seen by the camera first. The
 * oldest is the victim, and is counted. Keep what is cheap to keep: convert pixels when a capture takes the frame.
 */
import { DriverError, type Trigger } from './driver.ts'

export interface FrameStreamOptions<F = unknown> {
  readonly sensor: string
  /** A frame exposed this long before its trigger still counts. Default 0. */
  readonly earlyMs?: number
  /** Default 4. */
  readonly keeps?: number
  /** Nobody will take this frame: its buffer may be used again. */
  onDrop?(frame: F): void
}

interface Waiting<F> {
  readonly earliestMs: number
  take(frame: F): void
  fail(reason: unknown): void
}

export class FrameStream<F extends { readonly exposedAtMs: number }> {
  readonly #options: FrameStreamOptions<F>
  #kept: F[] = []
  #waiting: Waiting<F> | undefined
  #end: DriverError | undefined
  #dropped = 0

  constructor(options: FrameStreamOptions<F>) {
    this.#options = options
  }

  /** Frames that nobody asked for. A free-running camera has many, and that is fine. */
  get dropped(): number {
    return this.#dropped
  }

  /** Frames after the end are dropped. */
  push(frame: F): void {
    if (this.#end !== undefined) {
      this.#kept.push(frame)
      this.#drop(1)
    } else if (this.#waiting !== undefined && frame.exposedAtMs >= this.#waiting.earliestMs) {
      this.#waiting.take(frame)
    } else {
      this.#kept.push(frame)
      if (this.#kept.length > (this.#options.keeps ?? 4)) this.#drop(1)
    }
  }

  /** No frame comes any more: the waiting capture, and every later one, rejects with it. The first reason stays. */
  end(error: DriverError): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#drop(this.#kept.length)
    this.#waiting?.fail(error)
  }

  /**
   * The waiting capture rejects, later ones may succeed: a trigger's own frame came and was damaged. One that is known to
   * have been exposed before the trigger was another trigger's.
   */
  refuse(error: DriverError, exposedAtMs = Infinity): void {
    if (this.#waiting !== undefined && exposedAtMs >= this.#waiting.earliestMs) this.#waiting.fail(error)
  }

  /** Rejects with the signal's reason, or with why the stream has ended. One at a time. */
  async next(trigger: Trigger, signal: AbortSignal): Promise<F> {
    signal.throwIfAborted()
    const { sensor, earlyMs = 0 } = this.#options
    if (this.#end !== undefined) throw this.#end
    if (this.#waiting !== undefined) {
      throw new DriverError('DRIVER_TIMEOUT', `${sensor} is busy with the capture before`)
    }
    const earliestMs = trigger.atMs - earlyMs
    const index = this.#kept.findIndex(({ exposedAtMs }) => exposedAtMs >= earliestMs)
    // Older frames than the trigger's belong to parts that are gone.
    this.#drop(index === -1 ? this.#kept.length : index)
    const ready = this.#kept.shift()
    if (ready !== undefined) return ready
    return new Promise((resolve, reject) => {
      const abort = (): void => fail(signal.reason)
      const forget = (): void => {
        this.#waiting = undefined
        signal.removeEventListener('abort', abort)
      }
      const fail = (reason: unknown): void => {
        forget()
        reject(reason)
      }
      const take = (frame: F): void => {
        forget()
        resolve(frame)
      }
      this.#waiting = { earliestMs, take, fail }
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  #drop(count: number): void {
    this.#dropped += count
    for (const frame of this.#kept.splice(0, count)) this.#options.onDrop?.(frame)
  }
}
