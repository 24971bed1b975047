/** Profilers over serial ports: a simulator and pymodbus at the other end of a pair of ptys. */
import t from 'tap'
import { driverContract } from '../support/driver-contract.ts'
import type { PeerProcess } from '../support/peer-process.ts'
import { faultCase, says, stops } from '../support/profiler-faults.ts'
import {
  patient,
  patientRegisters,
  profilerOver,
  PROFILES,
  PROFILES_PER_SECOND,
  SAMPLES,
} from '../support/profiler-sensors.ts'
import { profilerSimulator, skipWithoutPython } from '../support/profiler-simulator.ts'
import { ptyPair, skipWithoutSocat, type PtyPair } from '../support/pty-pair.ts'
import { pymodbusSlave, skipWithoutPymodbus } from '../support/pymodbus.ts'
import { measureSensorFault } from '../support/sensor-faults.ts'

const simulated = { samples: SAMPLES, perSecond: PROFILES_PER_SECOND }
const skip = skipWithoutSocat || skipWithoutPython

t.test('over a serial port: the conformance suite', { skip }, async (t) => {
  for (const format of ['ascii', 'stx'] as const) {
    t.test(format, async (t) => {
      const pair = ptyPair()
      t.teardown(() => pair.close())
      await pair.plug()
      const simulator = profilerSimulator({ at: { path: pair.paths[1] }, format, ...simulated })
      t.teardown(() => simulator.kill())
      await simulator.start()
      const make = () => profilerOver({ via: 'serial', path: pair.paths[0] }, format, patient)
      driverContract(t, { make, size: { width: SAMPLES, height: PROFILES } })
    })
  }
})

t.test('over Modbus RTU: the conformance suite', { skip: skip || skipWithoutPymodbus }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  await pair.plug()
  const slave = pymodbusSlave(pair.paths[1], { profiles: { perSecond: 20, width: SAMPLES } })
  t.teardown(() => slave.kill())
  await slave.start()
  const make = () => profilerOver({ via: 'modbus-rtu', path: pair.paths[0] }, 'registers', patientRegisters)
  driverContract(t, { make, size: { width: SAMPLES, height: 10 } })
})

/** The sensor and its cable as one peer. */
function plugged(pair: PtyPair, peer: PeerProcess): PeerProcess {
  return {
    ...peer,
    async start() {
      await pair.plug()
      await peer.start()
    },
  }
}

t.test('faults over a serial port', { skip }, async (t) => {
  const pair = ptyPair()
  t.teardown(() => pair.close())
  const peer = plugged(pair, profilerSimulator({ at: { path: pair.paths[1] }, format: 'stx', ...simulated }))
  const make = () => profilerOver({ via: 'serial', path: pair.paths[0] }, 'stx')
  const stop = async () => {
    await peer.kill()
    await pair.unplug()
  }
  for (const [fault, rest] of [
    ['killed', { reasons: ['timeout', 'bad-frame'] }],
    ['stopped', { ...stops(peer), reasons: ['timeout', 'bad-frame'], lastsMs: 1500 }],
    // The system does not always tell that a port is gone; then its silence does.
    ['cable out', { fail: stop, reasons: ['lost', 'timeout'] }],
    ['absent at start', { reasons: ['lost'] }],
    ['back after 10 s', { fail: stop, reasons: ['lost', 'timeout'] }],
    ['slow', { ...says(peer, 'slow'), reasons: ['bad-frame', 'timeout'] }],
    ['half frames', { ...says(peer, 'half'), reasons: ['bad-frame', 'lost'] }],
    ['wrong size', { ...says(peer, 'wide'), reasons: ['bad-frame'] }],
    // Of its bytes: each is a whole profile that its checksum refuses.
    ['packet loss 2 ‰', { ...says(peer, 'lossy'), reasons: ['bad-frame'] }],
  ] as const) {
    t.test(fault, async (t) => {
      await measureSensorFault(
        t,
        faultCase({ adapter: 'profiler serial', make, peer }, fault, { stop, ...rest }),
      )
    })
  }
})
