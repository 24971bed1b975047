/**
 * Against cameras that speak GigE Vision over a network cable of their own: Aravis' fake camera, and our fake 3D camera.
 * Needs root, iproute2, aravis-tools, and for 3D gcc, pkg-config and libaravis-dev.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import koffi from 'koffi'
import t, { type Test } from 'tap'
import { openAravis } from '../../drivers/aravis-library.ts'
import { DriverError, type Driver, type Trigger } from '../../drivers/driver.ts'
import type { RgbFrame } from '../../drivers/frame.ts'
import { genicam } from '../../drivers/genicam.ts'
import { genicam3d } from '../../drivers/genicam3d.ts'
import { whyNoCameraCable } from '../../drivers/bench/camera-cable.ts'
import { block } from '../support/block.ts'
import { driverContract } from '../support/driver-contract.ts'
import { at, cableFor, depth, picture } from '../support/genicam-options.ts'
import { machineStalls } from '../support/machine-stalls.ts'
import { pictureStampNs, stampMs } from '../support/picture-stamp.ts'
import { until } from '../support/processes.ts'
import {
  buildFake3dCamera,
  fake3dCamera,
  fakeGigeCamera,
  whyNoFake3dCamera,
  whyNoFakeGigeCamera,
  type GigeCamera,
} from '../../drivers/bench/fake-gige-camera.ts'

const missing = whyNoCameraCable() || whyNoFakeGigeCamera()
const missing3d = missing || whyNoFake3dCamera()
const onCi = process.env['CI'] !== undefined
/** In CI a missing peer is a failure, not a skip. */
const skip = onCi ? false : missing
const skip3d = onCi ? false : missing3d

const never = () => new AbortController().signal
const shot = (): Trigger => ({ id: 'shot', atMs: performance.now(), source: 'bench' })
/** The sender comes second. */
const G_CONNECT_SWAPPED = 2
const lateMsOf = (frame: RgbFrame): number => frame.exposedAtMs - stampMs(pictureStampNs(frame))

/** A camera that runs until the test ends. */
async function running(t: Test, camera: GigeCamera): Promise<GigeCamera> {
  await camera.start()
  t.teardown(() => camera.kill())
  return camera
}

async function opened<D extends Driver<'rgb'> | Driver<'xyz'>>(t: Test, driver: D): Promise<D> {
  await driver.open(never())
  t.teardown(() => driver.close())
  return driver
}

t.test('the contract, running freely', { skip }, async (t) => {
  const cable = cableFor(t)
  await running(t, fakeGigeCamera(cable))
  driverContract(t, {
    make: () => genicam({ ...picture, region: at(64, 48), camera: cable.cameraAddress }),
    makeWaiting: () =>
      genicam({
        ...picture,
        region: at(64, 48),
        camera: cable.cameraAddress,
        trigger: { kind: 'hardware', line: 'Line0', activation: 'RisingEdge' },
      }),
    // Small: the suite compares frames byte by byte.
    size: { width: 64, height: 48 },
  })
})

t.test('the contract in 3D, by software trigger', { skip: skip3d }, async (t) => {
  const cable = cableFor(t)
  await running(t, fake3dCamera(cable, buildFake3dCamera(t.testdir())))
  driverContract(t, {
    make: () =>
      genicam3d({ ...depth, region: at(64, 48), camera: cable.cameraAddress, trigger: { kind: 'software' } }),
    size: { width: 64, height: 48 },
  })
})

t.test('each pixel format arrives as a picture of the camera’s ramp', { skip }, async (t) => {
  const cable = cableFor(t)
  await running(t, fakeGigeCamera(cable, { serial: 'PIX' }))
  for (const pixelFormat of ['Mono8', 'Mono16', 'RGB8', 'BayerRG8', 'BayerGR8', 'BayerGB8', 'BayerBG8']) {
    const driver = genicam({ ...picture, camera: 'Aravis-PIX', pixelFormat, packetBytes: 'auto' })
    await driver.open(never())
    const { pixels } = await driver.capture(shot(), never())
    const levels = new Set(pixels)
    t.equal(pixels.length, 640 * 480 * 3)
    t.ok(levels.size > 50, `${pixelFormat}: ${levels.size} levels`)
    await driver.close()
  }
})

t.test('features by name, and what the camera says of them', { skip }, async (t) => {
  const cable = cableFor(t)
  await running(t, fakeGigeCamera(cable))
  const camera = cable.cameraAddress
  const driver = genicam({
    ...picture,
    camera,
    exposureMicroseconds: 2000,
    gain: 3,
    features: { TestRegister: 7, TestBoolean: true, GainAuto: 'Off', Width: 320 },
  })
  await driver.open(never())
  const frame = await driver.capture(shot(), never())
  t.match(frame, { width: 320, height: 480 }, 'features come after the region')
  const report = await driver.report?.(never())
  t.match(report, { identity: 'Aravis Fake R1', counters: { 'packet bytes': 1500, 'missing packets': 0 } })
  t.ok(report?.advice.some(({ fix }) => fix.includes('mtu 9000')))
  await driver.close()
  for (const [features, message] of [
    [{ Nonsense: 1 }, /feature Nonsense cannot be set to 1: the camera has no such feature/],
    [{ Width: 'wide' }, /feature Width cannot be set to wide: it is no text/],
    [{ AcquisitionStop: 1 }, /expected true/],
    [{ PixelFormat: 'Mono7' }, /feature PixelFormat cannot be set to Mono7: /],
  ] as const) {
    const refused = genicam({ ...picture, camera, features })
    await t.rejects(refused.open(never()), { code: 'DRIVER_UNAVAILABLE', message })
    await refused.close()
  }
})

t.test(
  'a software trigger: one command, one frame, and idle for long without a fault',
  { skip },
  async (t) => {
    const cable = cableFor(t)
    await running(t, fakeGigeCamera(cable))
    const lost: string[] = []
    const driver = genicam({ ...picture, camera: cable.cameraAddress, trigger: { kind: 'software' } })
    await driver.open(never(), (error) => lost.push(error.message))
    t.teardown(() => driver.close())
    const first = shot()
    const frame = await driver.capture(first, never())
    t.ok(frame.exposedAtMs >= first.atMs)
    await new Promise((resolve) => setTimeout(resolve, 1200))
    t.equal((await driver.report?.(never()))?.counters['frames'], 1, 'nothing comes by itself')
    t.equal((await driver.capture(shot(), never())).sequence, 2)
    t.same(lost, [])
  },
)

t.test('3D formats, from the camera’s own numbers to metres', { skip: skip3d }, async (t) => {
  const cable = cableFor(t)
  await running(t, fake3dCamera(cable, buildFake3dCamera(t.testdir())))
  const camera = cable.cameraAddress
  // Column 240 of 320, row 120 of 240: 80 pixels right of the middle, 524 mm deep.
  const rectified = [-0.04, -0.06, 0.524]
  const lens = { focalXPixels: 400, focalYPixels: 400, principalXPixels: 160, principalYPixels: 120 }
  const throughLens = [(0.524 * 80) / 400, 0, 0.524]
  for (const [title, options, expected] of [
    ['points', {}, [0.04, 0, 0.524]],
    ['float depth, resampled', { pixelFormat: 'Coord3D_C32f' }, rectified],
    ['16-bit depth, resampled', { pixelFormat: 'Coord3D_C16' }, rectified],
    ['16-bit depth as grey levels', { pixelFormat: 'Mono16' }, rectified],
    [
      'a lens from the camera',
      { pixelFormat: 'Coord3D_C16', features: { Scan3dOutputMode: 'CalibratedC' } },
      [((240 - 320) * 0.524) / 600, ((120 - 240) * 0.524) / 600, 0.524],
    ],
    [
      'a lens from the config',
      { pixelFormat: 'Coord3D_C16', overrides: { lateral: { kind: 'pinhole', ...lens } } },
      throughLens,
    ],
  ] as const) {
    const driver = genicam3d({ ...depth, camera, ...options })
    await driver.open(never())
    const { pointsMetres } = await driver.capture(shot(), never())
    const pixel = (x: number, y: number) => [
      ...pointsMetres.subarray((y * 320 + x) * 3, (y * 320 + x) * 3 + 3),
    ]
    const got = pixel(240, 120)
    t.ok(
      got.every((value, axis) => Math.abs(value - expected[axis]!) < 2e-4),
      `${title}: ${got.join()} is ${expected.join()}`,
    )
    t.same(pixel(0, 120), [0, 0, 0], `${title}: the invalid code is no point`)
    await driver.close()
  }
  const disparity = genicam3d({
    ...depth,
    camera,
    pixelFormat: 'Coord3D_C16',
    features: { Scan3dOutputMode: 'DisparityC' },
  })
  await t.rejects(disparity.open(never()), { code: 'DRIVER_UNAVAILABLE', message: /DisparityC/ })
  const grey = genicam3d({ ...depth, camera, pixelFormat: 'Mono8' })
  await t.rejects(grey.open(never()), { code: 'DRIVER_UNAVAILABLE', message: /Coord3D_ABC32f/ })
  const flat = genicam({ ...picture, camera, pixelFormat: 'Coord3D_C16' })
  await t.rejects(flat.open(never()), { code: 'DRIVER_UNAVAILABLE', message: /set pixelFormat to one of/ })
})

t.test('a camera that is not there is named', { skip }, async (t) => {
  const driver = genicam({ ...picture, camera: 'no-such-camera' })
  await t.rejects(driver.open(never()), {
    code: 'DRIVER_UNAVAILABLE',
    message: 'top: no-such-camera was not found on any network interface or USB port',
  })
  await driver.close()
})

t.test('a program that died in control of the camera is outwaited', { skip, timeout: 60_000 }, async (t) => {
  const cable = cableFor(t)
  await running(t, fakeGigeCamera(cable))
  const script = `
    const { genicam } = await import(${JSON.stringify(new URL('../../drivers/genicam.ts', import.meta.url).href)})
    await genicam(${JSON.stringify({ ...picture, camera: cable.cameraAddress })}).open(new AbortController().signal)
    process.stdout.write('open')
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const impatient = genicam({ ...picture, camera: cable.cameraAddress })
  await t.rejects(impatient.open(never()), {
    code: 'DRIVER_UNAVAILABLE',
    message: /another program controls the camera/,
  })
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  const driver = await opened(t, genicam({ ...picture, camera: cable.cameraAddress }))
  t.equal((await driver.capture(shot(), never())).width, 640)
})

t.test('damaged frames are refused with counts, and never shown', { skip }, async (t) => {
  const cable = cableFor(t)
  await running(t, fakeGigeCamera(cable, { lostPerThousand: 2 }))
  const driver = await opened(t, genicam({ ...picture, camera: cable.cameraAddress }))
  let [good, bad] = [0, 0]
  while (good < 5 || bad < 5) {
    try {
      await driver.capture(shot(), never())
      good++
    } catch (error) {
      t.ok(error instanceof DriverError && error.code === 'DRIVER_BAD_FRAME')
      t.match(String(error), /top sent a frame that is incomplete, \d+ packets missing .*\(\d+ of \d+\)/)
      bad++
    }
  }
  const { counters = {} } = (await driver.report?.(never())) ?? {}
  t.ok((counters['incomplete'] ?? 0) >= bad && (counters['missing packets'] ?? 0) >= bad)
})

t.test(
  'a daemon that was busy when the first frames came tells right when they were exposed',
  { skip: skip3d },
  async (t) => {
    const cable = cableFor(t)
    await running(t, fake3dCamera(cable, buildFake3dCamera(t.testdir())))
    const stalls = await machineStalls(t)
    const aravis = openAravis()
    const beforeOpening = shot()
    const driver = genicam({
      ...picture,
      region: at(64, 48),
      camera: cable.cameraAddress,
      library: () => ({
        ...aravis,
        async call(name, ...parameters) {
          const result = await aravis.call(name, ...parameters)
          // Five frames come meanwhile.
          if (name === 'start') block(200)
          return result
        },
      }),
    })
    await opened(t, driver)
    const frame = await driver.capture(beforeOpening, never())
    const lateMs = lateMsOf(frame)
    t.ok(Math.abs(lateMs) < 30 + stalls.longestMs(), `told ${lateMs.toFixed(1)} ms late`)
  },
)

t.test(
  'without pathMs an exposure began with its first packet, or its time before the whole frame',
  { skip: skip3d },
  async (t) => {
    const cable = cableFor(t)
    await running(t, fake3dCamera(cable, buildFake3dCamera(t.testdir())))
    const { name, trigger, pixelFormat, packetBytes } = picture
    const camera = {
      name,
      trigger,
      pixelFormat,
      packetBytes,
      region: at(64, 48),
      camera: cable.cameraAddress,
    }
    // The fake camera sends at once, whatever it says of its exposure.
    for (const [exposureMicroseconds, atLeastMs, atMostMs] of [
      [100, -10, 30],
      [200_000, -210, -120],
    ] as const) {
      const driver = genicam({ ...camera, exposureMicroseconds })
      await driver.open(never())
      const frame = await driver.capture({ ...shot(), atMs: 0 }, never())
      const lateMs = lateMsOf(frame)
      t.ok(lateMs > atLeastMs && lateMs < atMostMs, `told ${lateMs.toFixed(1)} ms late`)
      await driver.close()
    }
  },
)

t.test(
  'a frame whose first packet was lost spoils nothing for those after it',
  { skip: skip3d },
  async (t) => {
    const cable = cableFor(t)
    const camera = await running(t, fake3dCamera(cable, buildFake3dCamera(t.testdir())))
    const driver = await opened(
      t,
      genicam({
        ...picture,
        trigger: { kind: 'free-run', framesPerSecond: 100 },
        region: at(64, 48),
        // Three packets a frame: one in eight comes whole.
        packetBytes: 8228,
        camera: cable.cameraAddress,
      }),
    )
    const stalls = await machineStalls(t)
    camera.signal('SIGUSR2')
    let [good, bad] = [0, 0]
    while (good < 5 || bad < 20) {
      const before = shot()
      block(40)
      try {
        const frame = await driver.capture(before, never())
        good++
        const lateMs = lateMsOf(frame)
        t.ok(Math.abs(lateMs) < 30 + stalls.longestMs(), `told ${lateMs.toFixed(1)} ms late`)
      } catch (error) {
        t.ok(error instanceof DriverError && error.code === 'DRIVER_BAD_FRAME', String(error))
        bad++
      }
    }
  },
)

t.test(
  'control lost: the driver says so by itself, without a frame gap to watch',
  { skip, timeout: 60_000 },
  async (t) => {
    const cable = cableFor(t)
    const camera = await running(t, fakeGigeCamera(cable))
    const driver = genicam({
      ...picture,
      camera: cable.cameraAddress,
      trigger: { kind: 'hardware', line: 'Line0', activation: 'RisingEdge' },
    })
    const lost: DriverError[] = []
    await driver.open(never(), (error) => lost.push(error))
    await camera.kill()
    await until(() => lost.length > 0)
    t.match(lost[0], { code: 'DRIVER_LOST', message: /does not answer any more/ })
    await t.rejects(driver.capture(shot(), never()), { code: 'DRIVER_LOST' })
    await driver.close()
  },
)

t.test('a device outlives the thread that tells of its lost control', { skip }, async (t) => {
  const cable = cableFor(t)
  const camera = await running(t, fakeGigeCamera(cable))
  const aravis = openAravis()
  let device: bigint | null = null
  const driver = genicam({
    ...picture,
    camera: cable.cameraAddress,
    // No frame gap to notice first.
    trigger: { kind: 'hardware', line: 'Line0', activation: 'RisingEdge' },
    library: () => ({
      ...aravis,
      direct(name, ...parameters) {
        const result = aravis.direct(name, ...parameters)
        if (name === 'device') device = result as bigint
        return result
      },
    }),
  })
  const lost: string[] = []
  await driver.open(never(), (error) => lost.push(error.message))
  // Heard after the driver: the heartbeat's thread goes on telling, and the driver closes meanwhile.
  const tellingMs = 700
  const usleep = koffi.load('libc.so.6').symbol('usleep')
  aravis.direct('connect', device, 'control-lost', usleep, 1000 * tellingMs, null, G_CONNECT_SWAPPED)
  // It has forgotten who its controller was.
  await camera.kill()
  await camera.start()
  await until(() => lost.length > 0)
  t.match(lost, [/another program has taken control/])
  const toldUntilMs = performance.now() + tellingMs
  await driver.close()
  // Where nobody waits for that thread the process ends here.
  await until(() => performance.now() > toldUntilMs + 100)
  const again = await opened(t, genicam({ ...picture, camera: cable.cameraAddress }))
  t.equal((await again.capture(shot(), never())).width, 640)
})
