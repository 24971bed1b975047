/**
 * Pulses to an ejector: bytes, or DTR or RTS. A pulse belongs to the session of the link in which its part was
 * triggered; when that ends it is dropped. It is never given late: the next part would be hit.
 */
import type { Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'
import type { KeptLink, LinkSession } from '../links/kept-link.ts'
import type { SerialLine } from '../links/line-links.ts'
import type { VerdictPayload } from '../messages.ts'
import type { SerialOutputConfig } from './output-config.ts'
import { OutputCounter, type OnDropped, type Output, type OutputCounts } from './output.ts'
import { signalOf } from './signal.ts'

export interface SerialOutputOptions {
  readonly link: Pick<KeptLink<SerialLine>, 'use' | 'name' | 'session'>
  readonly output: SerialOutputConfig
  readonly clock: Clock
  readonly onDropped: OnDropped
}

/** The last word to a device that holds back what it is sent. */
const CLOSE_LIMIT_MS = 200

export class SerialOutput implements Output {
  readonly #options: SerialOutputOptions
  readonly #counter: OutputCounter
  /** The pulses that wait, by what takes them back. */
  readonly #waiting = new Map<() => void, string>()
  readonly #stopUsing: () => void
  #cancelEnd = (): void => undefined
  #isClosed = false

  constructor(options: SerialOutputOptions) {
    this.#options = options
    this.#counter = new OutputCounter(options.link.name, options.onDropped)
    this.#stopUsing = options.link.use((session) => this.#begin(session))
  }

  tell(verdict: VerdictPayload, triggerMs: number): void {
    const { link, output, clock } = this.#options
    if (this.#isClosed || signalOf(verdict, output) !== output.signals) return
    const { triggerId } = verdict
    const { session } = link
    if (session === undefined) return this.#counter.drop(triggerId, 'down', 'the link is down')
    if (triggerMs < session.sinceMs) {
      return this.#counter.drop(triggerId, 'stale', 'its part was triggered before the link came up')
    }
    if (output.delayMs === undefined) return this.#pulse(session, triggerId)
    const dueMs = triggerMs + output.delayMs
    if (clock.now() >= dueMs) return this.#pulseInTime(session, triggerId, dueMs)
    if (this.#waiting.size >= output.maxWaiting) {
      return this.#counter.drop(triggerId, 'full', `${output.maxWaiting} pulses wait already`)
    }
    this.#wait(session, triggerId, dueMs)
  }

  counts(): OutputCounts {
    return this.#counter.counts()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopUsing()
    this.#cancelEnd()
    for (const [cancel, triggerId] of this.#waiting) {
      cancel()
      this.#counter.drop(triggerId, 'stale', 'the station stops')
    }
    this.#waiting.clear()
    const { link, clock } = this.#options
    const { session } = link
    if (session === undefined) return
    await new Promise<void>((resolve) => {
      const cancel = clock.after(CLOSE_LIMIT_MS, resolve)
      void this.#rest(session).then(() => {
        cancel()
        resolve()
      }) // never rejects
    })
  }

  #begin(session: LinkSession<SerialLine>): void {
    this.#cancelEnd()
    session.signal.addEventListener('abort', () => this.#forget(), { once: true })
    void this.#rest(session) // never rejects
  }

  #wait(session: LinkSession<SerialLine>, triggerId: string, dueMs: number): void {
    const { clock } = this.#options
    const cancel = clock.after(dueMs - clock.now(), () => {
      this.#waiting.delete(cancel)
      // Node.js counts whole milliseconds, from when its event loop last looked: its timers fire up to 2 ms too soon.
      if (clock.now() < dueMs) this.#wait(session, triggerId, dueMs)
      else this.#pulseInTime(session, triggerId, dueMs)
    })
    this.#waiting.set(cancel, triggerId)
  }

  /** The link is down: its pulses are not to be given on the next one. */
  #forget(): void {
    this.#cancelEnd()
    for (const [cancel, triggerId] of this.#waiting) {
      cancel()
      this.#counter.drop(triggerId, 'down', 'the link went down before the pulse was due')
    }
    this.#waiting.clear()
  }

  #pulseInTime(session: LinkSession<SerialLine>, triggerId: string, dueMs: number): void {
    const { output, clock } = this.#options
    const lateMs = clock.now() - dueMs
    if (lateMs > output.lateMs) {
      const detail = `${Math.round(lateMs)} ms late: the part has passed the ejector`
      return this.#counter.drop(triggerId, 'late', detail)
    }
    this.#pulse(session, triggerId)
  }

  #pulse(session: LinkSession<SerialLine>, triggerId: string): void {
    const { output, clock } = this.#options
    const { connection } = session
    if (session !== this.#options.link.session) {
      return this.#counter.drop(triggerId, 'down', 'the link went down')
    }
    const sent =
      output.line === undefined
        ? connection.write(Buffer.from(output.bytes ?? '', 'latin1')).then(() => true)
        : connection.setLines({ [output.line]: output.active === 'on' })
    sent.then(
      (isDone) => {
        if (isDone) return this.#counter.told()
        const detail = `this port has no line ${output.line}; signal by bytes, or use an adapter that has it`
        this.#counter.drop(triggerId, 'refused', detail)
      },
      (error: unknown) => this.#counter.drop(triggerId, 'down', messageOf(error)),
    )
    // A pulse within a pulse makes it longer.
    this.#cancelEnd()
    this.#cancelEnd = clock.after(output.pulseMs, () => void this.#rest(session)) // never rejects
  }

  /** Between pulses. */
  async #rest({ connection, signal }: LinkSession<SerialLine>): Promise<void> {
    const { output } = this.#options
    if (signal.aborted) return
    try {
      if (output.line !== undefined) await connection.setLines({ [output.line]: output.active === 'off' })
      else if (output.endBytes !== undefined) await connection.write(Buffer.from(output.endBytes, 'latin1'))
    } catch {
      // The link tells.
    }
  }
}
