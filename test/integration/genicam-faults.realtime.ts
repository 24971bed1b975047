/** What the faults of a GigE Vision camera cost, over a network cable that can be pulled. Needs what genicam.realtime.ts needs. */
import t, { type Test } from 'tap'
import type { Driver } from '../../drivers/driver.ts'
import { genicam } from '../../drivers/genicam.ts'
import { genicam3d } from '../../drivers/genicam3d.ts'
import { whyNoCameraCable } from '../../drivers/bench/camera-cable.ts'
import { buildFake3dCamera, fake3dCamera, whyNoFake3dCamera } from '../../drivers/bench/fake-gige-camera.ts'
import { cableFor, depth, picture } from '../support/genicam-options.ts'
import {
  measureSensorFault,
  SENSOR_FAULTS,
  type SensorFault,
  type SensorFaultCase,
} from '../support/sensor-faults.ts'

const missing = whyNoCameraCable() || whyNoFake3dCamera()
/** In CI a missing peer is a failure, not a skip. */
const skip = process.env['CI'] === undefined ? missing : false

const PACE = 25
const PERIOD_MS = 1000 / PACE

interface FaultyCamera<M extends 'rgb' | 'xyz'> {
  readonly adapter: string
  readonly modality: M
  readonly program: string
  make(camera: string, framesPerSecond: number): Driver<M>
}

/** All on our own camera, which can lose packets and change its size while it runs. */
function measureFaults<M extends 'rgb' | 'xyz'>(
  t: Test,
  { adapter, modality, program, make }: FaultyCamera<M>,
) {
  const cable = cableFor(t)
  const camera = fake3dCamera(cable, program)
  let framesPerSecond = PACE
  const shared = {
    adapter,
    modality,
    make: () => make(cable.cameraAddress, framesPerSecond),
    start: () => camera.start(),
    stop: () => camera.kill(),
    // A frame that was under way comes in pieces.
    reasons: ['lost', 'timeout', 'bad-frame'],
    periodMs: PERIOD_MS,
  } satisfies Partial<SensorFaultCase<M>>
  const signalled = (signal: 'SIGUSR1' | 'SIGUSR2' | 'SIGHUP') => ({
    fail: async () => camera.signal(signal),
    mend: async () => camera.signal(signal),
    reasons: ['bad-frame'] as const,
  })
  const unplugged = {
    fail: async () => cable.unplug(),
    mend: async () => cable.plug(),
  }
  const cases: Record<SensorFault, Pick<SensorFaultCase<M>, 'fail'> & Partial<SensorFaultCase<M>>> = {
    killed: { fail: () => camera.kill() },
    stopped: { fail: async () => camera.signal('SIGSTOP'), mend: async () => camera.signal('SIGCONT') },
    'cable out': unplugged,
    'absent at start': { fail: async () => undefined },
    'back after 10 s': unplugged,
    // It comes back from a power cut with the pace that somebody has given it.
    slow: {
      async fail() {
        framesPerSecond = 1
        await camera.kill()
        await camera.start()
      },
      mend: async () => void (framesPerSecond = PACE),
      reasons: ['timeout', 'lost'],
    },
    'half frames': signalled('SIGUSR2'),
    'wrong size': signalled('SIGHUP'),
    'packet loss 2 ‰': signalled('SIGUSR1'),
  }
  for (const fault of SENSOR_FAULTS) {
    const special = cases[fault]
    void t.test(fault, async (t) => void (await measureSensorFault(t, { ...shared, ...special, fault })))
  }
}

t.test('what the library opens for the life of the process is no leak', { skip }, async (t) => {
  const driver = genicam({ ...picture, camera: 'no-such-camera' })
  await t.rejects(driver.open(new AbortController().signal), { code: 'DRIVER_UNAVAILABLE' })
  await driver.close()
})

t.test('faults of a camera', { skip, timeout: 100_000 }, async (t) => {
  measureFaults(t, {
    adapter: 'genicam',
    modality: 'rgb',
    program: buildFake3dCamera(t.testdir()),
    make: (camera, framesPerSecond) =>
      genicam({ ...picture, camera, trigger: { kind: 'free-run', framesPerSecond } }),
  })
})

t.test('faults of a 3D camera', { skip, timeout: 100_000 }, async (t) => {
  measureFaults(t, {
    adapter: 'genicam3d',
    modality: 'xyz',
    program: buildFake3dCamera(t.testdir()),
    make: (camera, framesPerSecond) =>
      genicam3d({ ...depth, camera, packetBytes: 1500, trigger: { kind: 'free-run', framesPerSecond } }),
  })
})
