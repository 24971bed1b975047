import t from 'tap'
import type { Frame } from '../../drivers/frame.ts'
import { freezeWatch } from '../../drivers/freeze.ts'

let nowMs = 0
const shot = (pixels: Uint8Array, width: number, exposedAtMs = ++nowMs): Frame => ({
  modality: 'rgb',
  sensor: 'top',
  sequence: 1,
  exposedAtMs,
  width,
  height: pixels.length / 3 / width,
  pixels,
})
const scene = Uint8Array.from({ length: 300 }, (_, i) => (i * 31) % 251)

t.test('the second identical frame is frozen, and each one after it', async (t) => {
  const watch = freezeWatch({ comparesPixels: true })
  t.equal(watch.see(shot(scene, 10)), undefined)
  t.match(watch.see(shot(scene.slice(), 10)), { reason: 'frozen', detail: /1 in a row/ })
  t.match(watch.see(shot(scene.slice(), 10)), { reason: 'frozen', detail: /2 in a row/ })
  t.equal(
    watch.see(
      shot(
        scene.map((value) => value ^ 1),
        10,
      ),
    ),
    undefined,
  )
  t.equal(watch.see(shot(scene, 10)), undefined, 'a picture may come back')
})

t.test('a still scene with the least noise a sensor can have is not frozen', async (t) => {
  const watch = freezeWatch({ comparesPixels: true })
  for (let i = 0; i < 100; i++) {
    const noisy = scene.slice()
    noisy[(i * 77) % noisy.length]! ^= 1
    t.equal(watch.see(shot(noisy, 10)), undefined)
  }
})

t.test('the watch keeps its own copy, of large frames a part that covers all of it', async (t) => {
  const watch = freezeWatch({ comparesPixels: true })
  const small = scene.slice()
  watch.see(shot(small, 10))
  small[0]! ^= 1
  t.equal(watch.see(shot(small, 10)), undefined, 'the caller may write into its frame')
  const large = new Uint8Array(3 * 512 * 512).fill(9)
  watch.see(shot(large, 512))
  large.fill(10)
  t.equal(watch.see(shot(large, 512)), undefined, 'into a large one too')
  // Noise of a real sensor touches most pixels; a change of every tenth is far less.
  const changed = large.map((value, i) => (i % 30 === 0 ? value + 1 : value))
  t.equal(watch.see(shot(changed, 512)), undefined)
  t.match(watch.see(shot(changed.slice(), 512)), { reason: 'frozen' })
})

t.test('a clock that stands still or goes back is stale, whatever the pixels', async (t) => {
  for (const comparesPixels of [true, false]) {
    const watch = freezeWatch({ comparesPixels })
    t.equal(watch.see(shot(scene, 10, 1000)), undefined)
    t.match(watch.see(shot(scene, 10, 1000)), { reason: 'stale', detail: /0 ms older/ })
    t.match(
      watch.see(
        shot(
          scene.map((value) => value ^ 1),
          10,
          990,
        ),
      ),
      { reason: 'stale', detail: /10 ms older/ },
    )
    t.equal(
      watch.see(
        shot(
          scene.map((value) => value ^ 2),
          10,
          1001,
        ),
      ),
      undefined,
    )
  }
})

t.test('a test pattern without noise is let through when pixels are not compared', async (t) => {
  const watch = freezeWatch({ comparesPixels: false })
  for (let i = 0; i < 3; i++) t.equal(watch.see(shot(scene, 10)), undefined)
})
