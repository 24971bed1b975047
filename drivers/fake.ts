/**
 * A sensor without hardware: a test pattern with a little noise, every frame different, the same for the same seed.
 * It enforces the Driver contract on its caller. `faulty` makes it fail by script.
 */
import { monotonicClock, type Clock } from './clock.ts'
import { DriverError, type Driver } from './driver.ts'
import type { Frame, FrameOf, Modality } from './frame.ts'
import { randomFrom } from './random.ts'

export interface FakeOptions<M extends Modality> {
  readonly modality: M
  readonly name?: string
  readonly width?: number
  readonly height?: number
  readonly seed?: number
  readonly clock?: Clock
}

export function fakeDriver<M extends Modality>(options: FakeOptions<M>): Driver<M> {
  const { modality, name = `fake-${modality}`, width = 16, height = 12, seed = 1 } = options
  const clock = options.clock ?? monotonicClock
  let isOpen = false
  let isCapturing = false
  let sequence = 0

  return {
    name,
    modality,
    async open(signal) {
      signal.throwIfAborted()
      if (!isOpen) sequence = 0
      isOpen = true
    },
    async capture(trigger, signal) {
      if (!isOpen) throw new DriverError('DRIVER_LOST', `${name} is not open`)
      if (isCapturing)
        throw new Error(`${name} was asked for a frame while it was capturing one: one at a time`)
      isCapturing = true
      try {
        const exposedAtMs = clock.now()
        // One turn of the microtask queue, so that overlapping calls meet as they would on a device.
        await Promise.resolve()
        signal.throwIfAborted()
        sequence++
        // By trigger too: a reopened sensor that repeated its noise would rightly be called frozen.
        const { between } = randomFrom(seed, `${trigger.id}/${sequence}`)
        const random = (): number => between(0, 1)
        const header = { sensor: name, sequence, exposedAtMs, width, height }
        const frame: Frame =
          modality === 'rgb'
            ? { ...header, modality: 'rgb', pixels: pattern(width, height, random) }
            : { ...header, modality: 'xyz', pointsMetres: slope(width, height, random) }
        // The union follows `modality`, which the compiler cannot see through the generic.
        return frame as FrameOf<M>
      } finally {
        isCapturing = false
      }
    },
    async close() {
      isOpen = false
    },
  }
}

/** Colour bars with sensor noise. */
function pattern(width: number, height: number, random: () => number): Uint8Array {
  const pixels = new Uint8Array(width * height * 3)
  for (let i = 0; i < pixels.length; i++) {
    const column = Math.floor(i / 3) % width
    pixels[i] = 40 + ((column * 160) / width) * (((i % 3) + 1) / 3) + random() * 8
  }
  return pixels
}

/** A tilted plane half a metre away, 0.1 mm of noise, every 17th pixel without a return. */
function slope(width: number, height: number, random: () => number): Float32Array {
  const points = new Float32Array(width * height * 3)
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (pixel % 17 === 0) continue
    const column = pixel % width
    const row = Math.floor(pixel / width)
    points[3 * pixel] = (column - width / 2) * 0.001
    points[3 * pixel + 1] = (row - height / 2) * 0.001
    points[3 * pixel + 2] = 0.5 + row * 0.0002 + random() * 0.0001
  }
  return points
}
