import { delay, type Clock } from '../../drivers/clock.ts'
import type { ModbusConnection } from '../../drivers/modbus.ts'
import type { KeptLink, LinkSession } from './kept-link.ts'

export interface HeartbeatOptions {
  readonly register: number
  readonly everyMs: number
  readonly clock: Clock
}

/** Writes 1 and 0 by turns: a PLC that sees no change for three periods knows that nobody inspects. */
export function startHeartbeat(
  link: Pick<KeptLink<ModbusConnection>, 'use'>,
  options: HeartbeatOptions,
): void {
  link.use((session) => void beat(session, options)) // never rejects
}

async function beat(
  { connection, signal }: LinkSession<ModbusConnection>,
  { register, everyMs, clock }: HeartbeatOptions,
): Promise<void> {
  for (let value = 1; !signal.aborted; value = 1 - value) {
    // A refusal, or a full queue, is this beat's; the PLC sees that it is missing. The link's own end ends the loop.
    await connection.writeRegister(register, value).catch(() => undefined)
    await delay(everyMs, signal, clock).catch(() => undefined)
  }
}
