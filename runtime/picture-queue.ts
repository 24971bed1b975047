/**
 * Pictures that wait for their verdict to have arrived and for the link to have room. They are best effort: bounded
 * at a few, the newest is refused (so that its verdict can say so), and all go when the connection goes.
 */
export interface Picture {
  readonly topic: string
  readonly payload: Buffer
  readonly contentType: string
  /** MQTT 5 user properties; over 3.1.1 the topic and the picture itself carry the same facts. */
  readonly properties: Readonly<Record<string, string>>
}

export interface Showing {
  readonly seq: number
  /** Called only when the picture will be sent: a slow link saves the work as well. */
  render(): Promise<readonly Picture[]>
}

/** One in the making and one behind it hold at most two samples in memory. */
const MAX_WAITING = 2

export class PictureQueue {
  readonly #send: (picture: Picture) => Promise<void>
  readonly #onError: (error: unknown) => void
  #waiting: Showing[] = []
  #isShowing = false
  #arrivedSeq = 0
  #dropped = 0

  /** @param send resolves when the link has taken the picture, rejects when the link is gone. */
  constructor(send: (picture: Picture) => Promise<void>, onError: (error: unknown) => void) {
    this.#send = send
    this.#onError = onError
  }

  get dropped(): number {
    return this.#dropped
  }

  get isIdle(): boolean {
    return !this.#isShowing && this.#waiting.length === 0
  }

  hasRoom(): boolean {
    return this.#waiting.length < MAX_WAITING
  }

  offer(showing: Showing): void {
    if (this.hasRoom()) this.#waiting.push(showing)
    else this.#dropped += 1
  }

  countDropped(): void {
    this.#dropped += 1
  }

  /** Sends what may be sent now that the broker has the verdicts up to `arrivedSeq`. */
  async show(arrivedSeq: number): Promise<void> {
    this.#arrivedSeq = arrivedSeq
    if (this.#isShowing) return
    this.#isShowing = true
    try {
      for (;;) {
        const [next] = this.#waiting
        if (next === undefined || next.seq > this.#arrivedSeq) break
        try {
          for (const picture of await next.render()) await this.#send(picture)
        } catch (error) {
          // Otherwise `drop` has counted it, with all that waited.
          if (this.#waiting.includes(next)) this.#dropped += 1
          this.#onError(error)
        }
        // Not shift(): `drop` may have emptied the list meanwhile.
        this.#waiting = this.#waiting.filter((showing) => showing !== next)
      }
    } finally {
      this.#isShowing = false
    }
  }

  /** The connection is gone. */
  drop(): void {
    this.#dropped += this.#waiting.length
    this.#waiting = []
    this.#arrivedSeq = 0
  }
}
