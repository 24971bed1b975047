import t from 'tap'
import type { FeatureReader } from '../../drivers/genicam-features.ts'
import { pointDecoder, readScan3d, type Scan3dFeatures } from '../../drivers/scan3d.ts'

const C16 = 0x011000b8
const C32F = 0x012000bf
const ABC32F = 0x026000c0
const bare: Scan3dFeatures = { a: {}, b: {}, c: {} }
const grid = { a: { scale: 2 }, b: { scale: 4, offset: 1 } }

const image = (pixelFormat: number, samples: Uint16Array | Float32Array, width = samples.length) => ({
  pixelFormat,
  width,
  height: 1,
  bytes: new Uint8Array(samples.buffer),
})
const rounded = (points: Float32Array) => [...points].map((value) => Math.round(value * 1e6) / 1e6)

t.test('units: millimetres unless the camera or the config says otherwise', async (t) => {
  const points = image(ABC32F, Float32Array.of(1, 2, 4), 1)
  for (const [distanceUnit, metres] of [
    [undefined, 0.004],
    ['Millimeter', 0.004],
    ['Inch', 0.1016],
    ['Meter', 4],
  ] as const) {
    const decode = pointDecoder(ABC32F, { ...bare, ...(distanceUnit && { distanceUnit }) })
    t.equal(rounded(decode(points))[2], metres, String(distanceUnit))
  }
  t.equal(rounded(pointDecoder(ABC32F, bare, { metresPerUnit: 0.5 })(points))[2], 2)
  t.throws(() => pointDecoder(ABC32F, { ...bare, distanceUnit: 'Pixel' }), /Scan3dDistanceUnit is Pixel/)
})

t.test('depth: scale, offset and invalid code of coordinate C, the config before them', async (t) => {
  const features = { ...bare, ...grid, c: { scale: 0.25, offset: 100 }, invalidFlag: true, invalidValue: 7 }
  const samples = image(C16, Uint16Array.of(7, 40))
  t.same(rounded(pointDecoder(C16, features)(samples)), [0, 0, 0, 0.002, 0.001, 0.11])
  t.same(
    rounded(pointDecoder(C16, { ...features, invalidFlag: false })(samples)).slice(0, 3),
    [0, 0.001, 0.10175],
    'without its flag the value means nothing',
  )
  const overrides = { depthScale: 1, depthOffset: 0, invalid: 40 }
  t.same(rounded(pointDecoder(C16, features, overrides)(samples)), [0, 0.001, 0.007, 0, 0, 0])
})

t.test('depth alone: a lens, or a grid, or a clear word of what is missing', async (t) => {
  const samples = image(C32F, Float32Array.of(NaN, 1000))
  const lens = { ...bare, focalLengthPixels: 2, principalUPixels: 10, principalVPixels: 5 }
  const decode = pointDecoder(C32F, { ...lens, offsetXPixels: 9, offsetYPixels: 5 })
  t.same(rounded(decode(samples)), [0, 0, 0, 0, 0, 1], 'the image is a part of the sensor')
  t.same(
    rounded(pointDecoder(C32F, { ...lens, ...grid, outputMode: 'RectifiedC' })(samples)),
    [0, 0, 0, 0.002, 0.001, 1],
    'a rectified map is a grid though there is a lens',
  )
  t.throws(() => pointDecoder(C32F, bare), { code: 'DRIVER_UNAVAILABLE', message: /set lens or grid/ })
  t.throws(() => pointDecoder(C32F, { ...bare, focalLengthPixels: 2 }), /no principal point: set lens/)
  t.throws(() => pointDecoder(C32F, { ...bare, outputMode: 'DisparityC' }), /DisparityC/)
  t.throws(() => pointDecoder(0x01080001, bare), /holds no depth/)
})

t.test('an image of another format or size is refused', async (t) => {
  const decode = pointDecoder(ABC32F, bare)
  t.throws(() => decode(image(C32F, Float32Array.of(1))), RangeError)
  t.throws(() => decode(image(ABC32F, Float32Array.of(1, 2, 3), 2)), RangeError)
})

t.test('features are read by coordinate; depth’s are read last', async (t) => {
  let selected = ''
  const reader = (hasSelector: boolean): FeatureReader => ({
    select: async (_, value) => {
      if (hasSelector) selected = value
      return hasSelector
    },
    number: async (name) => {
      if (name === 'Scan3dCoordinateScale') return { CoordinateA: 1, CoordinateB: 2 }[selected] ?? 3
      return name === 'Scan3dInvalidDataValue' ? 9 : undefined
    },
    text: async (name) => (name === 'Scan3dOutputMode' ? 'RectifiedC' : undefined),
    flag: async () => true,
  })
  t.same(await readScan3d(reader(true)), {
    a: { scale: 1 },
    b: { scale: 2 },
    c: { scale: 3 },
    outputMode: 'RectifiedC',
    invalidFlag: true,
    invalidValue: 9,
  })
  selected = ''
  t.match(await readScan3d(reader(false)), { a: {}, b: {}, c: { scale: 3 } })
})
