/** Cases of the fault table for a profiler and the peer that it hears. */
import type { Driver } from '../../drivers/driver.ts'
import type { PeerProcess } from './peer-process.ts'
import type { SensorFault, SensorFaultCase } from './sensor-faults.ts'

export interface Faults {
  readonly adapter: string
  readonly make: () => Driver<'xyz'>
  readonly peer: PeerProcess
}

const PERIOD_MS = 150

/** Unless `rest` says otherwise the peer is killed, and started again. */
export function faultCase(
  { adapter, make, peer }: Faults,
  fault: SensorFault,
  rest: Partial<SensorFaultCase<'xyz'>>,
): SensorFaultCase<'xyz'> {
  return {
    adapter,
    fault,
    modality: 'xyz',
    make,
    start: () => peer.start(),
    fail: () => peer.kill(),
    stop: () => peer.kill(),
    reasons: ['lost', 'timeout', 'bad-frame'],
    periodMs: PERIOD_MS,
    ...rest,
  }
}

export const says = (peer: PeerProcess, fault: string): Partial<SensorFaultCase<'xyz'>> => ({
  fail: () => Promise.resolve(peer.say(fault)),
  mend: () => Promise.resolve(peer.say('normal')),
})
export const stops = (peer: PeerProcess): Partial<SensorFaultCase<'xyz'>> => ({
  fail: () => Promise.resolve(peer.signal('SIGSTOP')),
  mend: () => Promise.resolve(peer.signal('SIGCONT')),
})
