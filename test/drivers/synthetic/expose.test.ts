import t from 'tap'
import type { View } from '../../../drivers/synthetic/camera.ts'
import { exposePicture } from '../../../drivers/synthetic/expose.ts'

const side = 64
const view: View = {
  width: side,
  height: side,
  column: Float32Array.from({ length: side * side }, (_, index) => index % side),
  row: Float32Array.from({ length: side * side }, (_, index) => Math.floor(index / side)),
  depthMetres: new Float32Array(side * side),
}
const even = (light: number) => {
  const map = new Float32Array((side + 1) * (side + 1)).fill(light)
  return { red: map, green: map, blue: map, gloss: map, facing: map }
}
const plain = { exposure: 1, whiteBalance: [1, 1, 1] as const, vignetting: 0, blur: 0 }

t.test('light is coded as sRGB, highlights roll off', async (t) => {
  for (const [light, coded] of [
    [0, 0],
    [0.2140411, 127.5],
    [0.5, 187.5],
    [50, 255],
  ] as const) {
    const value = exposePicture(view, side + 1, even(light), plain)[0]!
    t.ok(Math.abs(value - coded) <= 1.5, `${light}: ${value}`)
  }
  const bright = [0.8, 1, 1.5].map((light) => exposePicture(view, side + 1, even(light), plain)[0]!)
  t.ok(bright[0]! < bright[1]! && bright[1]! < bright[2]! && bright[2]! < 255, bright.join())
})

t.test('noise is fresh per seed and about as large as its photons say', async (t) => {
  const light = 0.2140411
  const values = exposePicture(view, side + 1, even(light), { ...plain, noiseSeed: 1 })
  t.notOk(Buffer.from(values).equals(exposePicture(view, side + 1, even(light), { ...plain, noiseSeed: 2 })))
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const sigma = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  // sqrt(0.214 / 9000 + 0.0015^2) = 0.0051 of full scale; the sRGB curve's slope there is 1.06.
  t.ok(Math.abs(mean - 127.5) < 1 && sigma > 1.1 && sigma < 1.8, `${mean} +- ${sigma}`)
})

t.test('corners lose light', async (t) => {
  const pixels = exposePicture(view, side + 1, even(0.5), { ...plain, vignetting: 0.3 })
  t.ok(pixels[0]! < pixels[(side * (side / 2) + side / 2) * 3]! - 15)
})
