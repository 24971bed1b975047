/**
 * Verdicts in two registers of a PLC, written together: what to do, and the verdict's number, which tells two equal
 * ones apart. Only for parts that were triggered since the link came up, and not too late; nothing is tried twice.
 */
import type { Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'
import { ModbusError, type ModbusConnection } from '../../drivers/modbus.ts'
import type { KeptLink, LinkSession } from '../links/kept-link.ts'
import type { VerdictPayload } from '../messages.ts'
import type { ModbusOutputConfig } from './output-config.ts'
import { OutputCounter, type OnDropped, type Output, type OutputCounts } from './output.ts'
import { signalOf } from './signal.ts'

export interface ModbusOutputOptions {
  readonly link: Pick<KeptLink<ModbusConnection>, 'name' | 'session'>
  readonly output: ModbusOutputConfig
  readonly clock: Clock
  readonly onDropped: OnDropped
}

/** Of a PLC that is too slow; the newest goes. */
const MOST_WAITING = 16
const CODES = { accept: 1, reject: 2 } as const

interface Word {
  readonly session: LinkSession<ModbusConnection>
  readonly triggerId: string
  readonly triggerMs: number
  readonly values: readonly [code: number, number: number]
}

export class ModbusOutput implements Output {
  readonly #options: ModbusOutputOptions
  readonly #counter: OutputCounter
  readonly #waiting: Word[] = []
  #writing: Promise<void> = Promise.resolve()
  #isWriting = false
  #isClosed = false

  constructor(options: ModbusOutputOptions) {
    this.#options = options
    this.#counter = new OutputCounter(options.link.name, options.onDropped)
  }

  tell(verdict: VerdictPayload, triggerMs: number): void {
    const { link, output } = this.#options
    const signal = signalOf(verdict, output)
    if (this.#isClosed || signal === 'nothing') return
    const { triggerId, seq } = verdict
    const { session } = link
    if (session === undefined) return this.#counter.drop(triggerId, 'down', 'the link is down')
    if (triggerMs < session.sinceMs) {
      return this.#counter.drop(triggerId, 'stale', 'its part was triggered before the link came up')
    }
    if (this.#waiting.length >= MOST_WAITING) {
      return this.#counter.drop(triggerId, 'full', `${MOST_WAITING} verdicts wait already`)
    }
    this.#waiting.push({ session, triggerId, triggerMs, values: [CODES[signal], seq % 65_536] })
    if (!this.#isWriting) this.#writing = this.#write()
  }

  counts(): OutputCounts {
    return this.#counter.counts()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { triggerId } of this.#waiting.splice(0)) {
      this.#counter.drop(triggerId, 'stale', 'the station stops')
    }
    await this.#writing
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { link, output, clock } = this.#options
    this.#isWriting = true
    for (let word = this.#waiting.shift(); word !== undefined; word = this.#waiting.shift()) {
      const { session, triggerId, triggerMs, values } = word
      const ageMs = clock.now() - triggerMs
      if (session !== link.session) this.#counter.drop(triggerId, 'down', 'the link went down')
      else if (ageMs > (output.latestMs ?? Infinity)) {
        const detail = `${Math.round(ageMs)} ms after its trigger, expected at most ${output.latestMs} ms`
        this.#counter.drop(triggerId, 'late', detail)
      } else {
        try {
          await session.connection.writeRegisters(output.verdictRegister, values)
          this.#counter.told()
        } catch (error) {
          const isRefused = error instanceof ModbusError && error.code === 'MODBUS_EXCEPTION'
          this.#counter.drop(triggerId, isRefused ? 'refused' : 'down', messageOf(error))
        }
      }
    }
    this.#isWriting = false
  }
}
