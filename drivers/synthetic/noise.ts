/** Noise fields over the plane, all seeded and all zero-mean in about [-1, 1] unless they say otherwise. */
import { hash32 } from '../random.ts'

export type Field = (x: number, y: number) => number

/** Smoothly interpolated lattice noise; features are about one unit wide. */
export function valueNoise(seed: number): Field {
  const key = hash32(seed)
  return (x, y) => {
    const column = Math.floor(x)
    const row = Math.floor(y)
    const u = x - column
    const v = y - row
    const a = u * u * (3 - 2 * u)
    const b = v * v * (3 - 2 * v)
    // Two odd multipliers keep the lattice from repeating along any direction that fits in a picture.
    const here = Math.imul(column, 0x27d4eb2f) + key
    const next = here + 0x27d4eb2f
    const above = Math.imul(row, 0x165667b1)
    const below = above + 0x165667b1
    const top = hash32(here ^ above) * (1 - a) + hash32(next ^ above) * a
    const bottom = hash32(here ^ below) * (1 - a) + hash32(next ^ below) * a
    return (top * (1 - b) + bottom * b) / 2147483648 - 1
  }
}

/** Octaves of value noise, each half as large and half as wide as the one before. */
export function fractalNoise(seed: number, octaves: number): Field {
  const fields = Array.from({ length: octaves }, (_, octave) => valueNoise(seed + octave * 7919))
  const whole = 2 - 2 ** (1 - octaves)
  return (x, y) => {
    let sum = 0
    let amplitude = 1 / whole
    let frequency = 1
    for (let octave = 0; octave < octaves; octave++) {
      sum += amplitude * fields[octave]!(x * frequency, y * frequency)
      amplitude *= 0.5
      frequency *= 2.03
    }
    return sum
  }
}
