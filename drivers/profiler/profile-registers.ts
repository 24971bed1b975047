/**
 * Profiles out of Modbus registers, which hold the newest one and its counter. They are read again and again; a profile
 * is new when its counter is.
 */
import type { Clock } from '../clock.ts'
import { messageOf } from '../message-of.ts'
import { ModbusError, openModbus, type ModbusAddress } from '../modbus.ts'
import { DamageCount } from './profile.ts'
import type { OpenProfileSource } from './profile-source.ts'
import { profileFrom, sampleBytes, type SampleLayout } from './sample-layout.ts'

export interface ProfileRegistersOptions {
  readonly address: ModbusAddress
  readonly unit: number
  readonly table: 'holding' | 'input'
  /** First register, counted from 0. */
  readonly firstRegister: number
  readonly samples: number
  /** Big-endian, from the first register on. */
  readonly layout: SampleLayout & { readonly counterAtByte: number }
  readonly pollMs: number
  readonly timeoutMs: number
  readonly clock: Clock
}

/** The most that one request may ask for. */
const MOST_REGISTERS = 125

export function profileRegisters(options: ProfileRegistersOptions): OpenProfileSource {
  const { layout, firstRegister, pollMs, clock } = options
  const bytes = layout.samplesAtByte + options.samples * sampleBytes(layout) * (layout.order === 'xz' ? 2 : 1)
  const registers = Math.ceil(bytes / 2)
  const counterFirst = firstRegister + Math.floor(layout.counterAtByte / 2)
  const counterRegisters = layout.counterBytes / 2
  return async (events, signal) => {
    const damage = new DamageCount()
    let cancel = (): void => undefined
    const connection = await openModbus({
      ...options,
      signal,
      onClosed(reason) {
        cancel()
        events.onClosed(reason)
      },
    })
    const read = (first: number, count: number): Promise<readonly number[]> =>
      options.table === 'holding'
        ? connection.readHoldingRegisters(first, count)
        : connection.readInputRegisters(first, count)
    let lastCounter: number | undefined

    const poll = async (): Promise<void> => {
      const values: number[] = []
      for (let at = 0; at < registers; at += MOST_REGISTERS) {
        values.push(...(await read(firstRegister + at, Math.min(MOST_REGISTERS, registers - at))))
      }
      events.onAnything()
      const body = bodyOf(values).subarray(0, bytes)
      const profile = profileFrom(body, layout)
      if (typeof profile === 'string') throw new Error(profile)
      if (profile.counter === lastCounter) return
      if (registers > MOST_REGISTERS) {
        // The next profile may have come between the requests.
        const at = layout.counterAtByte
        const again = bodyOf(await read(counterFirst, counterRegisters))
        if (!again.equals(body.subarray(at, at + layout.counterBytes))) {
          damage.note('a profile that changed while it was read')
          events.onDamage()
          return
        }
      }
      lastCounter = profile.counter
      damage.good()
      events.onProfile(profile)
    }
    const turn = async (): Promise<void> => {
      const dueMs = clock.now() + pollMs
      try {
        await poll()
      } catch (error) {
        // One that has ended the connection is told by it.
        if (!connection.isOpen) return
        damage.note(error instanceof ModbusError ? `an exception: ${error.message}` : messageOf(error))
        events.onDamage()
      }
      if (connection.isOpen) later(Math.max(0, dueMs - clock.now()))
    }
    let turning: Promise<void> | undefined
    const later = (ms: number): void => {
      cancel = clock.after(ms, () => {
        turning = turn() // never rejects
      })
    }
    later(0)
    return {
      damage,
      async close() {
        cancel()
        await connection.close()
        await turning
        cancel()
      },
    }
  }
}

function bodyOf(registers: readonly number[]): Buffer {
  const body = Buffer.alloc(2 * registers.length)
  registers.forEach((value, index) => body.writeUInt16BE(value, 2 * index))
  return body
}
