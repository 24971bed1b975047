/** Against gst-launch-1.0 and its test source. RTSP and the faults are in test/integration/gstreamer.realtime.ts. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { DriverError } from '../../drivers/driver.ts'
import { gstreamerCamera, gstreamerDepth } from '../../drivers/gstreamer-sensors.ts'
import { rawLayout, type PictureFormat } from '../../drivers/pixel-formats.ts'
import { block } from '../support/block.ts'
import { driverContract } from '../support/driver-contract.ts'
import { whyNoGstreamer } from '../support/gstreamer-peers.ts'

const skip = whyNoGstreamer()
const never = () => new AbortController().signal
const soon = () => AbortSignal.timeout(10_000)
let ordinal = 0
const trigger = () => ({ id: `part-${++ordinal}`, atMs: performance.now(), source: 'bench' }) as const

const source = (caps: string, pattern = 'snow') =>
  `videotestsrc is-live=true pattern=${pattern} ! video/x-raw,${caps},framerate=50/1`

interface Rest {
  readonly pipeline?: string
  readonly width?: number
  readonly command?: string
  readonly framesPerSecond?: number
}

function camera(format: PictureFormat, rest: Rest = {}) {
  const { width = 60, pipeline = source(`format=${format},width=60,height=36`), ...more } = rest
  return gstreamerCamera({
    name: 'rgb',
    pipeline,
    layout: rawLayout(format, { width, height: 36 }),
    framesPerSecond: 50,
    ...more,
  })
}

const depthPipeline = source('format=GRAY16_LE,width=31,height=20')
const depth = (invalid?: number) =>
  gstreamerDepth({
    name: 'xyz',
    pipeline: depthPipeline,
    layout: rawLayout('GRAY16_LE', { width: 31, height: 20 }),
    framesPerSecond: 50,
    depth: {
      depth: { scaleMetres: 0.001, offsetMetres: 0.1 },
      ...(invalid !== undefined && { invalid }),
      lateral: {
        kind: 'pinhole',
        focalXPixels: 40,
        focalYPixels: 40,
        principalXPixels: 15,
        principalYPixels: 9.5,
      },
    },
  })

t.test('pictures, as they come', { skip }, async (t) =>
  driverContract(t, { make: () => camera('RGB'), size: { width: 60, height: 36 } }),
)

t.test('pictures that are converted', { skip }, async (t) =>
  driverContract(t, {
    make: () => camera('BGRx'),
    makeWaiting: () =>
      gstreamerCamera({
        name: 'rgb',
        // A camera that is triggered by the line, and the line stands.
        pipeline: 'appsrc ! video/x-raw,format=RGB,width=60,height=36,framerate=1/1',
        layout: rawLayout('RGB', { width: 60, height: 36 }),
      }),
  }),
)

t.test('depth maps', { skip }, async (t) => driverContract(t, { make: () => depth() }))

t.test('every format shows the same picture', { skip }, async (t) => {
  const shoot = async (
    format: PictureFormat,
    pipeline = source(`format=${format},width=61,height=36`, 'smpte75'),
  ) => {
    const driver = camera(format, { pipeline, width: 61 })
    await driver.open(soon())
    const { pixels } = await driver.capture(trigger(), soon())
    await driver.close()
    return pixels
  }
  const plain = await shoot('RGB')
  t.same(await shoot('RGBA'), plain)
  t.same(await shoot('BGRx'), plain)
  const rgb = source('format=RGB,width=61,height=36', 'smpte75')
  for (const colorimetry of ['bt601', 'bt709', '1:4:0:0']) {
    const nv12 = `${rgb} ! videoconvert ! video/x-raw,format=NV12,colorimetry=(string)${colorimetry}`
    const converted = await shoot('NV12', nv12)
    // Chroma is halved: what lies on a border of two colours differs.
    const far = converted.filter((value, i) => Math.abs(value - (plain[i] ?? 0)) > 4).length
    t.ok(far < 0.12 * plain.length, `NV12 ${colorimetry}: ${far} of ${plain.length} samples differ`)
  }
  const grey = await shoot('GRAY8')
  t.ok(
    grey.every((value, i) => value === grey[i - (i % 3)]),
    'grey is grey',
  )
})

t.test('a code without a return is (0,0,0)', { skip }, async (t) => {
  const driver = gstreamerDepth({
    name: 'xyz',
    pipeline: source('format=GRAY16_LE,width=8,height=8', 'black'),
    layout: rawLayout('GRAY16_LE', { width: 8, height: 8 }),
    depth: {
      depth: { scaleMetres: 0.001, offsetMetres: 0.5 },
      // Its black, in 16 bits.
      invalid: 0x1010,
      lateral: {
        kind: 'grid',
        x: { scaleMetres: 1, offsetMetres: 0 },
        y: { scaleMetres: 1, offsetMetres: 0 },
      },
    },
  })
  await driver.open(soon())
  const { pointsMetres } = await driver.capture(trigger(), soon())
  t.ok(pointsMetres.every((value) => value === 0))
  await driver.close()
})

t.test('a daemon that stood still itself has lost no camera', { skip }, async (t) => {
  const driver = camera('RGB')
  t.teardown(() => driver.close())
  const lost: unknown[] = []
  await driver.open(soon(), (error) => lost.push(error))
  for (let part = 0; part < 3; part++) {
    // Longer than the camera may be silent.
    block(700)
    t.match(await driver.capture(trigger(), soon()), { width: 60 })
  }
  t.same(lost, [])
})

t.test('a size that the config does not name is told, not sheared', { skip }, async (t) => {
  const driver = camera('RGB', { pipeline: source('format=RGB,width=36,height=60') })
  await driver.open(soon())
  await t.rejects(driver.capture(trigger(), soon()), {
    code: 'DRIVER_BAD_FRAME',
    message: 'rgb: the frame is RGB 36x60, the config says RGB 60x36',
  })
  const report = await driver.report?.(soon())
  t.match(report?.identity, /width=\(int\)36/)
  t.ok((report?.counters['refusedFrames'] ?? 0) > 0)
  await driver.close()
})

t.test('a pipeline with its own fdsink sends bare frames', { skip }, async (t) => {
  const driver = camera('RGB', {
    pipeline: `${source('format=RGB,width=60,height=36')} ! fdsink fd=3 sync=false`,
  })
  await driver.open(soon())
  const { pixels } = await driver.capture(trigger(), soon())
  t.equal(pixels.length, 60 * 36 * 3)
  await driver.close()
})

t.test('what cannot be opened says what to do', { skip }, async (t) => {
  const cases: [{ pipeline?: string; command?: string }, RegExp][] = [
    [
      { command: 'gst-launch-0.0' },
      /could not be started: .*ENOENT; is there no gst-launch-0.0\? Install gstreamer1.0-tools/,
    ],
    [{ pipeline: 'nvarguscamerasrc ! fakesink' }, /no element "nvarguscamerasrc"; install NVIDIA's JetPack/],
    [{ pipeline: 'nonsuchsrc ! fakesink' }, /no element "nonsuchsrc"; install the plugin/],
    [{ pipeline: 'videotestsrc !' }, /erroneous pipeline|syntax error/],
    [{ pipeline: 'v4l2src device=/dev/video99 ! videoconvert' }, /Cannot identify device '\/dev\/video99'/],
    [{ pipeline: 'videotestsrc num-buffers=0' }, /ended with status 0/],
    [{ pipeline: 'audiotestsrc ! video/x-raw' }, /ended with status 1: .*could not link/],
  ]
  for (const [rest, message] of cases) {
    const driver = camera('RGB', rest)
    await t.rejects(driver.open(soon()), { code: 'DRIVER_UNAVAILABLE', message })
    await driver.close()
  }
})

t.test('an end with exit code 0 is a loss, told without being asked', { skip }, async (t) => {
  const driver = camera('RGB', {
    pipeline: source('format=RGB,width=60,height=36').replace('is-live', 'num-buffers=20 is-live'),
    // Its silence after the last frame is not to be noticed first.
    framesPerSecond: 1,
  })
  const lost: DriverError[] = []
  const told = new Promise<void>((resolve) => {
    void driver.open(soon(), (error) => {
      lost.push(error)
      resolve()
    })
  })
  await told
  t.match(lost, [{ code: 'DRIVER_LOST', message: 'rgb: the pipeline ended with status 0' }])
  await t.rejects(driver.capture(trigger(), soon()), { code: 'DRIVER_LOST' })
  await driver.close()
  t.equal(lost.length, 1)
})

t.test('silence is a loss; a source that is triggered by the line may be silent', { skip }, async (t) => {
  const silent = 'appsrc ! video/x-raw,format=RGB,width=60,height=36,framerate=1/1'
  const fiveFrames = source('format=RGB,width=60,height=36').replace('is-live', 'num-buffers=5 is-live')
  // Then no more, and no end.
  const pipeline = `${fiveFrames} ! f. appsrc ! f. funnel name=f`
  const lost = await new Promise<DriverError>((resolve) => {
    const driver = camera('RGB', { pipeline })
    t.teardown(() => driver.close())
    void driver.open(soon(), resolve)
  })
  t.match(lost, { code: 'DRIVER_LOST', message: /^rgb: no frame for \d+ ms$/ })
  const layout = rawLayout('RGB', { width: 60, height: 36 })
  const triggered = gstreamerCamera({ name: 'rgb', pipeline: silent, layout })
  await triggered.open(soon(), () => t.fail('it is silent by right'))
  await t.rejects(triggered.capture(trigger(), AbortSignal.timeout(800)), { name: 'TimeoutError' })
  await triggered.close()
})

t.test('an open that is called off leaves nothing', { skip }, async (t) => {
  const driver = camera('RGB', { pipeline: 'appsrc ! video/x-raw,format=RGB' })
  const control = new AbortController()
  const opening = driver.open(control.signal)
  const reason = new Error('the line stopped')
  control.abort(reason)
  await t.rejects(opening, reason)
  await t.rejects(driver.capture(trigger(), never()), { code: 'DRIVER_LOST', message: 'rgb is not open' })
})

t.test('the page’s twins of CSI and UVC cameras run', { skip: whyNoGstreamer('videoconvert') }, async (t) => {
  const page = readFileSync(new URL('../../docs/gstreamer.md', import.meta.url), 'utf8')
  const twins = [...page.matchAll(/x86 twin:\n\n {4}(.+)/g)].map((match) => match[1] ?? '')
  t.equal(twins.length, 2)
  for (const pipeline of twins) {
    const size = /width=(\d+),height=(\d+)/.exec(pipeline) ?? []
    const [width, height] = [Number(size[1]), Number(size[2])]
    const format = pipeline.endsWith('RGBA') ? 'RGBA' : 'RGB'
    const driver = gstreamerCamera({
      name: 'rgb',
      pipeline,
      layout: rawLayout(format, { width, height }),
      framesPerSecond: 30,
    })
    await driver.open(soon())
    t.match(await driver.capture(trigger(), soon()), { width, height }, pipeline)
    await driver.close()
  }
})
