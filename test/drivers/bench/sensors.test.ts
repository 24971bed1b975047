import t from 'tap'
import { benchSensors, type SensorBenchCase } from '../../../drivers/bench/sensors.ts'
import { fakeDriver } from '../../../drivers/fake.ts'

const signal = new AbortController().signal
const about = { peer: 'none', exposure: 'stamp', framesPerSecond: 200, asks: true }
const opened: string[] = []

const works: SensorBenchCase = {
  ...about,
  sensor: 'fake camera',
  open: () =>
    Promise.resolve({
      driver: fakeDriver({ modality: 'rgb', width: 20, height: 10 }),
      latencyOf: ({ exposedAtMs }) => performance.now() - exposedAtMs,
      close: async () => void opened.push('closed'),
    }),
}
const absent: SensorBenchCase = {
  ...about,
  sensor: 'no camera',
  open: () => Promise.reject(new Error('gcc is not installed')),
}

t.test(
  'a row has rate, latency and the loop’s delay; what is not there says why, and stops nothing',
  async (t) => {
    const told: string[] = []
    const report = await benchSensors([absent, works], {
      seconds: 0.2,
      driversFolder: 'drivers',
      signal,
      onProgress: ({ sensor }, done, total) => told.push(`${done}/${total} ${sensor}`),
    })
    t.match(report, {
      schema: 'radar-edge/bench-sensors@1',
      rows: [
        { sensor: 'no camera', skipped: 'gcc is not installed' },
        { sensor: 'fake camera', rate: { askedPerSecond: 200, failed: 0, megabytesPerFrame: 600 / 1e6 } },
      ],
    })
    const { rate } = report.rows[1]!
    t.ok(rate!.frames > 0 && rate!.gotPerSecond > 0)
    t.ok(rate!.latencyMs!.p50 <= rate!.latencyMs!.p99 && rate!.latencyMs!.p99 <= rate!.latencyMs!.worst)
    t.ok(rate!.eventLoopDelayMs.p99 >= 0)
    t.same(told, ['1/2 no camera', '2/2 fake camera'])
    t.same(opened, ['closed'])
  },
)

t.test('only what was asked for; an abort is no row', async (t) => {
  const options = { seconds: 0.1, driversFolder: 'drivers' }
  const { rows } = await benchSensors([absent, works], { ...options, only: 'no cam', signal })
  t.equal(rows.length, 1)
  const reason = new Error('enough')
  await t.rejects(benchSensors([works], { ...options, signal: AbortSignal.abort(reason) }), reason)
})
