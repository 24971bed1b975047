import t from 'tap'
import type { Driver } from '../../drivers/driver.ts'
import { fakeDriver } from '../../drivers/fake.ts'
import { openRig } from '../../drivers/rig.ts'
import { trySensors } from '../../runtime/sensor-trial.ts'

const never = new AbortController().signal
const now = () => performance.now()

t.test('a trial tells frames, latencies, skew, remarks, and what the device says of itself', async (t) => {
  const fake = fakeDriver({ modality: 'rgb', name: 'camera' })
  const camera: Driver<'rgb'> = {
    ...fake,
    open: (signal) => fake.open(signal),
    close: () => fake.close(),
    async capture(trigger, signal) {
      const remarks = [{ code: 'blurred', detail: 'is blurred', degrades: true }]
      return { ...(await fake.capture(trigger, signal)), remarks }
    },
    report: () =>
      Promise.resolve({ identity: 'Fake 1', counters: { frames: 4 }, advice: [{ found: 'a', fix: 'b' }] }),
  }
  const rig = await openRig(
    {
      rgb: { make: () => camera },
      xyz: {
        make: () => fakeDriver({ modality: 'xyz', name: 'scanner' }),
        faults: [{ from: 2, to: 2, kind: 'bad' }],
      },
      skewToleranceMs: 10_000,
      staleMs: 10_000,
    },
    never,
  )
  const sensors = { rgb: 'camera', xyz: 'scanner' }
  const { sensors: tried, skewMs } = await trySensors(rig, { sensors, captures: 4, signal: never, now })
  await rig.close()
  const [rgb, xyz] = tried
  t.match(rgb, {
    sensor: 'camera',
    captures: 4,
    frames: 4,
    absences: [],
    remarks: [{ code: 'blurred', count: 4, detail: 'is blurred' }],
    device: { identity: 'Fake 1', counters: { frames: 4 } },
  })
  t.ok(rgb!.framesPerSecond! > 0)
  t.ok(rgb!.latencyMs!.median <= rgb!.latencyMs!.worst)
  t.match(xyz, { frames: 3, absences: [{ reason: 'bad-frame', count: 1 }], device: { counters: {} } })
  t.equal(xyz!.frame?.modality, 'xyz')
  t.ok(skewMs!.worst >= skewMs!.median)
})

t.test('a sensor that is gone has no figures, but a reason', async (t) => {
  const rig = await openRig(
    {
      rgb: {
        make: () => fakeDriver({ modality: 'rgb', name: 'camera' }),
        faults: [{ from: 0, to: 99, kind: 'unplugged' }],
      },
      skewToleranceMs: 1,
    },
    never,
  )
  const { sensors, skewMs } = await trySensors(rig, {
    sensors: { rgb: 'camera' },
    captures: 2,
    signal: never,
    now,
  })
  await rig.close()
  t.match(sensors, [{ frames: 0, absences: [{ reason: 'lost', count: 2 }], deviceDetail: /lost/ }])
  t.equal(sensors[0]!.frame, undefined)
  t.equal(skewMs, undefined)
})
