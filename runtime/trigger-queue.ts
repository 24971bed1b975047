import type { Trigger } from '../drivers/driver.ts'

/** Triggers that wait for the rig, first come first served. The newest is the victim; its asker is told at once. */
export class TriggerQueue implements AsyncIterable<Trigger> {
  readonly #maxWaiting: number
  readonly #waiting: Trigger[] = []
  #isEnded = false
  #wake = (): void => undefined

  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** False when it is full or has ended. */
  offer(trigger: Trigger): boolean {
    if (this.#isEnded || this.#waiting.length >= this.#maxWaiting) return false
    this.#waiting.push(trigger)
    this.#wake()
    return true
  }

  /** No more; what waits is still handed out. */
  end(): void {
    this.#isEnded = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Trigger> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) yield next
      else if (this.#isEnded) return
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}
