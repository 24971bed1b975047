/**
 * Profilers over TCP and Modbus TCP, against a simulator that sends what the makers' manuals say, and pymodbus. No real
 * profiler was there.
 */
import { performance } from 'node:perf_hooks'
import t from 'tap'
import type { Trigger } from '../../drivers/driver.ts'
import type { XyzFrame } from '../../drivers/frame.ts'
import { whyNoCameraCable, type CameraCable } from '../../drivers/bench/camera-cable.ts'
import { driverContract } from '../support/driver-contract.ts'
import { freePort } from '../support/free-port.ts'
import { cableFor } from '../support/genicam-options.ts'
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
import { pymodbusSlave, skipWithoutPymodbus } from '../support/pymodbus.ts'
import { measureSensorFault, type SensorFaultCase } from '../support/sensor-faults.ts'

const never = () => new AbortController().signal
const HOST = '127.0.0.1'
const simulated = { samples: SAMPLES, perSecond: PROFILES_PER_SECOND }
let ordinal = 0
const trigger = (): Trigger => ({ id: `t${++ordinal}`, atMs: performance.now(), source: 'bench' })

/** Millimetres. */
const pointOf = ({ pointsMetres, width }: XyzFrame, row: number, column: number) =>
  [0, 1, 2].map((axis) => Math.round((pointsMetres[3 * (row * width + column) + axis] ?? NaN) * 1e6) / 1000)

t.test('over TCP', { skip: skipWithoutPython }, async (t) => {
  for (const format of ['ascii', 'stx', 'length'] as const) {
    t.test(`${format}: the conformance suite, and the points`, async (t) => {
      const port = await freePort()
      const simulator = profilerSimulator({ at: { host: HOST, port }, format, ...simulated })
      t.teardown(() => simulator.kill())
      await simulator.start()
      const make = () => profilerOver({ via: 'tcp', host: HOST, port }, format, patient)
      const driver = make()
      await driver.open(never())
      const frame = await driver.capture(trigger(), never())
      t.match(frame, { width: SAMPLES, height: PROFILES })
      t.notOk(frame.remarks, 'nothing is missing')
      const [x, y, z = 0] = pointOf(frame, 7, 3)
      t.same([x, y], [0.3, 0.35])
      t.ok(z >= 10.03 && z < 10.13, `height ${z} mm`)
      t.same(pointOf(frame, 7, 9), [0, 0, 0], 'a sample without a return')
      t.match(await driver.report?.(never()), { counters: { missing: 0, damaged: 0 }, advice: [] })
      await driver.close()
      driverContract(t, { make, size: { width: SAMPLES, height: PROFILES } })
    })
  }

  t.test('a sensor that is started for each part', async (t) => {
    const port = await freePort()
    const at = { host: HOST, port }
    const simulator = profilerSimulator({ at, format: 'ascii', ...simulated, perStart: PROFILES })
    t.teardown(() => simulator.kill())
    await simulator.start()
    const make = () =>
      profilerOver({ via: 'tcp', host: HOST, port }, 'ascii', {
        ...patient,
        startCommand: 'start\r\n',
        map: { ...patient.map, restartsAt: 0 },
      })
    const driver = make()
    await driver.open(never())
    for (let part = 0; part < 3; part++) {
      const frame = await driver.capture(trigger(), never())
      t.notOk(frame.remarks)
      t.same(pointOf(frame, 0, 0), [0, 0, 10], 'row 0 is the part’s first profile')
    }
    await driver.close()
  })
})

t.test(
  'over Modbus TCP: the conformance suite, and a profile of three requests',
  { skip: skipWithoutPymodbus },
  async (t) => {
    const port = await freePort()
    const slave = pymodbusSlave(port, { profiles: { perSecond: 20, width: 300 } })
    t.teardown(() => slave.kill())
    await slave.start()
    const make = (samples = SAMPLES) =>
      profilerOver({ via: 'modbus-tcp', host: HOST, port }, 'registers', {
        ...patientRegisters,
        map: { ...patientRegisters.map, samples },
      })
    const wide = make(300)
    await wide.open(never())
    const frame = await wide.capture(trigger(), never())
    t.match(frame, { width: 300, height: 10 })
    t.ok(pointOf(frame, 0, 299).every((value, axis) => axis < 2 || (value >= 12.99 && value < 13)))
    await wide.close()
    const refusing = profilerOver({ via: 'modbus-tcp', host: HOST, port }, 'registers', {
      format: { firstRegister: 5000, timeoutMs: 5000 },
    })
    let lost = ''
    await refusing.open(never(), (error) => (lost = error.message))
    await t.rejects(refusing.capture(trigger(), never()), {
      code: /DRIVER_(LOST|BAD_FRAME)/,
      message: /exception/,
    })
    await refusing.close()
    t.match(lost, /^$|exception/)
    driverContract(t, { make, size: { width: SAMPLES, height: 10 } })
  },
)

t.test('faults over TCP', { skip: skipWithoutPython }, async (t) => {
  const port = await freePort()
  const peer = profilerSimulator({ at: { host: HOST, port }, format: 'ascii', ...simulated })
  const faults = {
    adapter: 'profiler tcp',
    make: () => profilerOver({ via: 'tcp', host: HOST, port }, 'ascii'),
    peer,
  }
  for (const [fault, rest] of [
    ['killed', {}],
    ['stopped', { ...stops(peer), reasons: ['timeout', 'bad-frame'], lastsMs: 1500 }],
    ['absent at start', { reasons: ['lost'] }],
    ['back after 10 s', {}],
    ['slow', { ...says(peer, 'slow'), reasons: ['bad-frame', 'timeout'] }],
    ['half frames', { ...says(peer, 'half'), reasons: ['bad-frame', 'lost'] }],
    ['wrong size', { ...says(peer, 'wide'), reasons: ['bad-frame'] }],
  ] as const) {
    t.test(fault, async (t) => void (await measureSensorFault(t, faultCase(faults, fault, rest))))
  }
})

const noCable = process.env['CI'] === undefined ? whyNoCameraCable() : false

const unplugged = (cable: CameraCable): Partial<SensorFaultCase<'xyz'>> => ({
  fail: () => Promise.resolve(cable.unplug()),
  mend: () => Promise.resolve(cable.plug()),
  reasons: ['lost', 'timeout', 'bad-frame'],
  lastsMs: 3000,
})

t.test('cable out over TCP', { skip: skipWithoutPython || noCable }, async (t) => {
  const cable = cableFor(t, { mtuBytes: 1500 })
  const at = { host: cable.cameraAddress, port: 8190 }
  const peer = profilerSimulator({ at, format: 'length', ...simulated, inside: cable.atCamera })
  const make = () => profilerOver({ via: 'tcp', ...at }, 'length')
  const faults = { adapter: 'profiler tcp', make, peer }
  await measureSensorFault(t, faultCase(faults, 'cable out', unplugged(cable)))
})

const modbusProfiles = { profiles: { perSecond: 200, width: SAMPLES } }
const overModbus = (host: string, port: number) =>
  profilerOver({ via: 'modbus-tcp', host, port }, 'registers', {
    map: { profiles: 20, mostMissingShare: 0.5 },
  })

t.test('faults over Modbus TCP', { skip: skipWithoutPymodbus }, async (t) => {
  const port = await freePort()
  const peer = pymodbusSlave(port, modbusProfiles)
  const faults = { adapter: 'profiler modbus', make: () => overModbus(HOST, port), peer }
  for (const [fault, rest] of [
    ['killed', {}],
    ['stopped', stops(peer)],
    ['absent at start', { reasons: ['lost'] }],
    ['back after 10 s', {}],
    ['slow', { ...says(peer, 'slow'), reasons: ['bad-frame', 'timeout'] }],
    ['half frames', { ...says(peer, 'half'), reasons: ['bad-frame', 'lost'] }],
    ['wrong size', { ...says(peer, 'narrow'), reasons: ['bad-frame', 'lost'] }],
  ] as const) {
    t.test(fault, async (t) => void (await measureSensorFault(t, faultCase(faults, fault, rest))))
  }
})

t.test('cable out over Modbus TCP', { skip: skipWithoutPymodbus || noCable }, async (t) => {
  const cable = cableFor(t, { mtuBytes: 1500 })
  const host = cable.cameraAddress
  const peer = pymodbusSlave(502, { ...modbusProfiles, host, inside: cable.atCamera })
  const faults = { adapter: 'profiler modbus', make: () => overModbus(host, 502), peer }
  await measureSensorFault(t, faultCase(faults, 'cable out', unplugged(cable)))
})
