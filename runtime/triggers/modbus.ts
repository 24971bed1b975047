/**
 * A register or coil of a PLC that asks: each value that is not 0, and not the one before, is a part. With an
 * acknowledge register the PLC holds the value until it stands there, so a part that comes during an outage is taken
 * after it, once; without, what stands there when the link comes up is old.
 */
import { delay, type Clock } from '../../drivers/clock.ts'
import { ModbusError, type ModbusConnection } from '../../drivers/modbus.ts'
import type { KeptLink, LinkSession } from '../links/kept-link.ts'
import type { Ask, OnRefused, TriggerFeed } from './feed.ts'
import type { ModbusTriggerConfig } from './modbus-config.ts'

export interface ModbusFeedOptions {
  readonly link: Pick<KeptLink<ModbusConnection>, 'use' | 'name'>
  readonly trigger: ModbusTriggerConfig
  readonly clock: Clock
  readonly onRefused: OnRefused
}

export function modbusFeed(options: ModbusFeedOptions): TriggerFeed {
  return async (ask, signal) => {
    if (signal.aborted) return
    const poller = new Poller(options, ask, signal)
    const stop = options.link.use((session) => void poller.run(session)) // never rejects
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    stop()
  }
}

class Poller {
  readonly #options: ModbusFeedOptions
  readonly #ask: Ask
  readonly #stopped: AbortSignal
  /** The value of the latest part that was asked for, 0 after the PLC took it back. Outlives the connection. */
  #taken: number | undefined
  /** What stands in the acknowledge register, as far as we know. */
  #acknowledged: number | undefined

  constructor(options: ModbusFeedOptions, ask: Ask, stopped: AbortSignal) {
    this.#options = options
    this.#ask = ask
    this.#stopped = stopped
  }

  async run({ connection, signal }: LinkSession<ModbusConnection>): Promise<void> {
    const { trigger, clock } = this.#options
    const ends = AbortSignal.any([signal, this.#stopped])
    let isFirst = true
    let isTold = false
    // After an outage the PLC may not have it.
    this.#acknowledged = undefined
    while (!ends.aborted) {
      const startedMs = clock.now()
      try {
        await this.#look(connection, { isFirst, ends })
        isFirst = false
        isTold = false
      } catch (error) {
        if (!isTold && isRefusal(error)) {
          isTold = true
          const detail = `link ${this.#options.link.name}: ${error.message}`
          this.#options.onRefused({ source: 'modbus', detail })
        }
      }
      const pauseMs = Math.max(1, startedMs + trigger.pollEveryMs - clock.now())
      await delay(pauseMs, ends, clock).catch(() => undefined)
    }
  }

  async #look(
    connection: ModbusConnection,
    { isFirst, ends }: { isFirst: boolean; ends: AbortSignal },
  ): Promise<void> {
    const { acknowledgeRegister } = this.#options.trigger
    if (isFirst && acknowledgeRegister !== undefined && this.#taken === undefined) {
      // What a former run of the daemon took.
      this.#taken = (await connection.readHoldingRegisters(acknowledgeRegister, 1))[0]
    }
    const value = await this.#read(connection)
    if (ends.aborted) return
    if (isFirst && acknowledgeRegister === undefined) this.#taken = value
    if (value !== this.#taken && value !== 0) this.#ask({ source: 'modbus' })
    // Before the acknowledgement, which may fail: the part has been asked for.
    this.#taken = value
    if (acknowledgeRegister !== undefined && this.#acknowledged !== value) {
      await connection.writeRegister(acknowledgeRegister, value)
      this.#acknowledged = value
    }
  }

  async #read(connection: ModbusConnection): Promise<number> {
    const { table, address } = this.#options.trigger
    switch (table) {
      case 'holding-register':
        return (await connection.readHoldingRegisters(address, 1))[0] ?? 0
      case 'input-register':
        return (await connection.readInputRegisters(address, 1))[0] ?? 0
      case 'coil':
        return Number((await connection.readCoils(address, 1))[0] ?? false)
      case 'discrete-input':
        return Number((await connection.readDiscreteInputs(address, 1))[0] ?? false)
    }
  }
}

/** Of the other errors the link tells. */
function isRefusal(error: unknown): error is ModbusError {
  return error instanceof ModbusError && (error.code === 'MODBUS_EXCEPTION' || error.code === 'MODBUS_BUSY')
}
