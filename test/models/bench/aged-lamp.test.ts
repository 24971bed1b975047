import t from 'tap'
import { photograph, stagePart } from '../../../drivers/synthetic/render.ts'
import { agedPicture, photographAged } from '../../../models/bench/aged-lamp.ts'

const part = stagePart({ category: 'hex-nut', width: 64, height: 64, seed: 3 })

const mean = (pixels: Uint8Array, channel: number): number =>
  pixels.reduce((sum, level, at) => sum + (at % 3 === channel ? level : 0), 0) / (pixels.length / 3)

t.test('a new lamp changes nothing', async (t) => {
  const pixels = photograph(part, 7)
  t.same(photographAged(part, 0, 7), pixels)
  t.same(agedPicture(frameOf(pixels), 0).pixels, pixels)
})

t.test('the older the lamp, the darker and the yellower the picture, rendered or recorded', async (t) => {
  const recorded = photograph(part, 7)
  for (const show of [
    (age: number) => photographAged(part, age, 7),
    (age: number) => agedPicture(frameOf(recorded), age).pixels,
  ]) {
    const [young, middle, old] = [show(0), show(0.5), show(1)]
    for (const channel of [0, 1, 2]) {
      t.ok(mean(young, channel) > mean(middle, channel))
      t.ok(mean(middle, channel) > mean(old, channel))
    }
    t.ok(mean(old, 0) / mean(young, 0) > mean(old, 2) / mean(young, 2), 'blue goes first')
  }
})

function frameOf(pixels: Uint8Array) {
  const header = { sensor: 'camera', sequence: 0, exposedAtMs: 0, width: 64, height: 64 }
  return { ...header, modality: 'rgb', pixels } as const
}
