/**
 * GStreamer pipelines over real protocols: an RTSP camera (gst-rtsp-server), and frames over TCP. What each fault costs,
 * and what it leaves behind.
 */
import { readFile } from 'node:fs/promises'
import t from 'tap'
import { gstreamerCamera } from '../../drivers/gstreamer-sensors.ts'
import { rawLayout } from '../../drivers/pixel-formats.ts'
import { configSchema } from '../../runtime/config-schema.ts'
import { openSensors } from '../../runtime/sensors.ts'
import { whyNoCameraCable } from '../../drivers/bench/camera-cable.ts'
import { driverContract } from '../support/driver-contract.ts'
import { cableFor } from '../support/genicam-options.ts'
import {
  frameServer,
  pipelinePids,
  rtspCamera,
  whyNoGstreamer,
  whyNoRtsp,
  type FramePeer,
} from '../support/gstreamer-peers.ts'
import { measureSensorFault, type SensorFault, type SensorFaultCase } from '../support/sensor-faults.ts'

const skip = whyNoGstreamer('tcpclientsrc', 'gdpdepay')
const skipRtsp = whyNoRtsp()
const noCable = process.env['CI'] === undefined ? whyNoCameraCable() : false

const layout = rawLayout('RGB', { width: 640, height: 480 })
const PERIOD_MS = 40

/** The x86 twin of the Jetson's pipeline in docs/gstreamer.md. */
const rtspPipeline = (port: number, address = '127.0.0.1', protocols = 'tcp') =>
  `rtspsrc location=rtsp://${address}:${port}/cam protocols=${protocols} latency=0 ` +
  '! rtph264depay wait-for-keyframe=true ! h264parse ! avdec_h264 output-corrupt=false ' +
  '! videoconvert ! video/x-raw,format=RGB'

t.test('the page shows the pipeline that is tested here', async (t) => {
  const page = await readFile(new URL('../../docs/gstreamer.md', import.meta.url), 'utf8')
  t.ok(page.includes(`\n    ${rtspPipeline(8554)}\n`))
})

const cameraOf = (pipeline: string) => gstreamerCamera({ name: 'rgb', pipeline, layout, framesPerSecond: 25 })

t.test('an RTSP camera keeps the contract of drivers', { skip: skipRtsp }, async (t) => {
  const peer = rtspCamera()
  await peer.start()
  t.teardown(() => peer.kill())
  driverContract(t, { make: () => cameraOf(rtspPipeline(peer.port)), size: { width: 640, height: 480 } })
})

t.test('a station with a pipeline for each modality captures both of a part', { skip }, async (t) => {
  const source = (format: string) =>
    `videotestsrc is-live=true pattern=snow ! video/x-raw,format=${format},width=64,height=48,framerate=25/1`
  const size = { width: 64, height: 48, framesPerSecond: 25, deadlineMs: 10_000 }
  const lens = { focalXPixels: 60, focalYPixels: 60, principalXPixels: 32, principalYPixels: 24 }
  const config = configSchema.parse({
    station: { site: 'plant', name: 'cell' },
    product: 'cookie',
    skewToleranceMs: 5000,
    deadlines: { verdictMs: 15_000 },
    sensors: {
      rgb: { kind: 'gstreamer', pipeline: source('BGRx'), format: 'BGRx', ...size },
      xyz: { kind: 'gstreamer', pipeline: source('GRAY16_LE'), metresPerUnit: 1e-5, ...size, lens },
    },
  })
  const signal = AbortSignal.timeout(20_000)
  const { rig } = await openSensors(config, {}, signal)
  const sample = await rig.capture({ id: 'part-1', atMs: performance.now(), source: 'bench' }, signal)
  t.match(sample, { condition: 'complete', absent: {} })
  t.ok((sample.skewMs ?? Infinity) < 1000, `skew ${sample.skewMs} ms`)
  const { identity, counters } = await rig.report('xyz', signal)
  t.match(identity, /^video\/x-raw, format=\(string\)GRAY16_LE, width=\(int\)64/)
  t.ok((counters['frames'] ?? 0) > 0)
  await rig.close()
  t.same(pipelinePids(), [])
})

type Fault = Pick<SensorFaultCase<'rgb'>, 'fail' | 'reasons'> & Partial<SensorFaultCase<'rgb'>>

const nothing = async () => undefined

t.test('faults of an RTSP camera', { skip: skipRtsp }, async (t) => {
  const peer = rtspCamera()
  // Learns its port, which it keeps.
  await peer.start()
  await peer.kill()
  const told = (bad: string, good: string): Pick<Fault, 'fail' | 'mend'> => ({
    fail: () => peer.tell(bad),
    mend: () => peer.tell(good),
  })
  const faults: Partial<Record<SensorFault, Fault>> = {
    killed: { fail: () => peer.kill(), reasons: ['lost'] },
    stopped: {
      fail: async () => peer.signal('SIGSTOP'),
      mend: async () => peer.signal('SIGCONT'),
      lastsMs: 2000,
      reasons: ['timeout', 'lost'],
    },
    'absent at start': { fail: nothing, reasons: ['lost'] },
    'back after 10 s': { fail: () => peer.kill(), reasons: ['lost'] },
    slow: { ...told('slow 2', 'slow 0'), reasons: ['timeout', 'lost'] },
    // A server that hangs up on a client that it is just greeting leaves it waiting for `openDeadlineMs`: another fault.
    'wrong size': { ...told('size 320 240', 'next 640 480'), reasons: ['lost', 'bad-frame'], lastsMs: 2000 },
  }
  for (const [fault, how] of Object.entries(faults)) {
    await t.test(fault, async (t) => {
      await measureSensorFault(t, {
        adapter: 'gstreamer rtsp',
        fault: fault as SensorFault,
        modality: 'rgb',
        make: () => cameraOf(rtspPipeline(peer.port)),
        start: () => peer.start(),
        stop: () => peer.kill(),
        periodMs: PERIOD_MS,
        ...how,
      })
    })
  }
})

t.test('faults on the way to an RTSP camera', { skip: skipRtsp || noCable }, async (t) => {
  const cable = cableFor(t, { mtuBytes: 1500 })
  const address = cable.cameraAddress
  const peer = rtspCamera({ address, at: cable.atCamera })
  await peer.start()
  await peer.kill()
  const faultOf = (fault: SensorFault, protocols: string, how: Fault) =>
    t.test(fault, async (t) => {
      await measureSensorFault(t, {
        adapter: 'gstreamer rtsp',
        fault,
        modality: 'rgb',
        make: () => cameraOf(rtspPipeline(peer.port, address, protocols)),
        start: () => peer.start(),
        stop: () => peer.kill(),
        periodMs: PERIOD_MS,
        ...how,
      })
    })
  await faultOf('cable out', 'tcp', {
    fail: async () => cable.unplug(),
    mend: async () => cable.plug(),
    lastsMs: 2000,
    reasons: ['timeout', 'lost'],
  })
  // Of its packets, every second one.
  await faultOf('half frames', 'udp', {
    fail: () => peer.tell('lose 2'),
    mend: () => peer.tell('lose 0'),
    reasons: ['timeout', 'lost', 'bad-frame'],
  })
  // Frames wait for the next key frame after a loss: none is shown that is smeared.
  await faultOf('packet loss 2 ‰', 'udp', {
    fail: () => peer.tell('lose 500'),
    mend: () => peer.tell('lose 0'),
    reasons: ['timeout', 'lost', 'bad-frame'],
  })
})

t.test('faults of a pipeline and of what feeds it', { skip }, async (t) => {
  const peer = frameServer()
  await peer.start()
  await peer.kill()
  const pipeline = () => `tcpclientsrc host=127.0.0.1 port=${peer.port} ! gdpdepay`
  const signalled = (signal: 'SIGKILL' | 'SIGSTOP'): Fault => ({
    fail: async () => pipelinePids().forEach((pid) => process.kill(pid, signal)),
    // The driver starts another one.
    mend: nothing,
    reasons: ['timeout', 'lost'],
  })
  const faults: Partial<Record<SensorFault, Fault>> = {
    killed: signalled('SIGKILL'),
    stopped: signalled('SIGSTOP'),
    'absent at start': { fail: nothing, reasons: ['lost'] },
    'back after 10 s': { fail: () => peer.kill(), reasons: ['lost'] },
    slow: { ...told(peer, 'slow 2', 'slow 0'), reasons: ['timeout', 'lost'] },
    'half frames': { ...told(peer, 'half 1', 'half 0'), reasons: ['bad-frame'] },
    'wrong size': { ...told(peer, 'size 480 640', 'size 640 480'), reasons: ['bad-frame'] },
  }
  for (const [fault, how] of Object.entries(faults)) {
    await t.test(fault, async (t) => {
      await measureSensorFault(t, {
        adapter: 'gstreamer',
        fault: fault as SensorFault,
        modality: 'rgb',
        make: () => cameraOf(pipeline()),
        start: () => peer.start(),
        stop: () => peer.kill(),
        periodMs: PERIOD_MS,
        ...how,
      })
    })
  }
})

t.test('the cable to what feeds a pipeline', { skip: skip || noCable }, async (t) => {
  const cable = cableFor(t, { mtuBytes: 1500 })
  const address = cable.cameraAddress
  const peer = frameServer({ address, at: cable.atCamera })
  await peer.start()
  await measureSensorFault(t, {
    adapter: 'gstreamer',
    fault: 'cable out',
    modality: 'rgb',
    make: () => cameraOf(`tcpclientsrc host=${address} port=${peer.port} ! gdpdepay`),
    start: nothing,
    stop: () => peer.kill(),
    fail: async () => cable.unplug(),
    mend: async () => cable.plug(),
    lastsMs: 2000,
    reasons: ['timeout', 'lost'],
    periodMs: PERIOD_MS,
  })
})

function told(peer: FramePeer, bad: string, good: string): Pick<Fault, 'fail' | 'mend'> {
  return { fail: () => peer.tell(bad), mend: () => peer.tell(good) }
}
