import { fromArrayBuffer } from 'geotiff'
import t from 'tap'
import { encodePointMap } from '../../../drivers/synthetic/point-map-tiff.ts'

t.test('an independent reader finds the same floats', async (t) => {
  const points = Float32Array.from({ length: 5 * 3 * 3 }, (_, index) => Math.fround(index * 0.0137 - 0.2))
  const bytes = encodePointMap(points, 5, 3)
  const file = await fromArrayBuffer(bytes.buffer as ArrayBuffer)
  const image = await file.getImage()
  t.equal(image.getWidth(), 5)
  t.equal(image.getHeight(), 3)
  t.equal(image.getSamplesPerPixel(), 3)
  t.equal(image.getSampleFormat(), 3)
  t.equal(image.getBitsPerSample(), 32)
  t.same(Array.from(await image.readRasters({ interleave: true })), Array.from(points))
})

t.test('a wrong size is refused with both figures', async (t) => {
  t.throws(() => encodePointMap(new Float32Array(7), 2, 2), { message: /12 floats, got 7/ })
})
