/** The colour camera: light in, 8-bit picture out. */
import { bilinear, type View } from './camera.ts'
import type { Radiance } from './light.ts'
import { hash32 } from '../random.ts'

export interface ColourSensor {
  readonly exposure: number
  readonly whiteBalance: readonly [red: number, green: number, blue: number]
  /** Light lost in the corners, 0..1. */
  readonly vignetting: number
  /** Share of a pixel's light that falls on its neighbours, 0..0.5. */
  readonly blur: number
  /** Noise of one exposure; absent for a noiseless picture. */
  readonly noiseSeed?: number
}

/** Photoelectrons of a white pixel: 9,000 gives the noise of a small industrial sensor at low gain. */
const FULL_WELL = 9000
const READ_NOISE = 0.0015

/** Interleaved 8-bit R,G,B. */
export function exposePicture(
  view: View,
  columns: number,
  radiance: Radiance,
  sensor: ColourSensor,
): Uint8Array {
  const { width, height } = view
  const pixels = new Uint8Array(width * height * 3)
  const encode = srgbTable()
  const plane = new Float32Array(width * height)
  const channels = [radiance.red, radiance.green, radiance.blue] as const
  const reach = 4 / (width * width + height * height)
  for (const [channel, map] of channels.entries()) {
    const gain = sensor.exposure * sensor.whiteBalance[channel]!
    for (let v = 0, index = 0; v < height; v++) {
      const dy = v - height / 2
      for (let u = 0; u < width; u++, index++) {
        const dx = u - width / 2
        const falloff = 1 - sensor.vignetting * (dx * dx + dy * dy) * reach
        plane[index] = gain * falloff * bilinear(map, columns, view.column[index]!, view.row[index]!)
      }
    }
    blurInPlace(plane, width, height, sensor.blur)
    const noiseKey = sensor.noiseSeed === undefined ? undefined : hash32(sensor.noiseSeed * 3 + channel)
    for (let index = 0; index < plane.length; index++) {
      let light = shoulder(plane[index]!)
      if (noiseKey !== undefined) {
        light +=
          nearlyNormal(hash32(index + noiseKey)) * Math.sqrt(light / FULL_WELL + READ_NOISE * READ_NOISE)
      }
      pixels[index * 3 + channel] = encode[light <= 0 ? 0 : light >= 1 ? 4095 : (light * 4095) | 0]!
    }
  }
  return pixels
}

/** Highlights roll off above 0.8 instead of clipping. */
const shoulder = (light: number): number => (light < 0.8 ? light : 1 - 0.04 / (light - 0.6))

/** Sum of four bytes of a hash, scaled to unit variance: a bell cut at 3.5 sigma, ten times cheaper than an exact one. */
export function nearlyNormal(hash: number): number {
  const sum = (hash & 255) + ((hash >>> 8) & 255) + ((hash >>> 16) & 255) + (hash >>> 24)
  return (sum - 510) * 0.006766
}

function srgbTable(): Uint8Array {
  const table = new Uint8Array(4096)
  for (let level = 0; level < 4096; level++) {
    const light = level / 4095
    const coded = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055
    table[level] = Math.round(coded * 255)
  }
  return table
}

function blurInPlace(plane: Float32Array, width: number, height: number, share: number): void {
  if (share <= 0) return
  const keep = 1 - share
  const side = share / 2
  for (let row = 0; row < height; row++) {
    let before = plane[row * width]!
    for (let index = row * width; index < (row + 1) * width - 1; index++) {
      const here = plane[index]!
      plane[index] = keep * here + side * (before + plane[index + 1]!)
      before = here
    }
  }
  for (let column = 0; column < width; column++) {
    let before = plane[column]!
    for (let index = column; index < (height - 1) * width; index += width) {
      const here = plane[index]!
      plane[index] = keep * here + side * (before + plane[index + width]!)
      before = here
    }
  }
}
