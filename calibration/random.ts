/**
 * The project's seeded randomness: sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32 so that
 * neighbouring seeds share nothing. Same seed, same sequence, on every machine.
 */

/** Next value in [0,1), 32 bits deep. */
export type Random = () => number

/** @param seed any finite number; its lower 32 integer bits count. */
export function seededRandom(seed: number): Random {
  let mix = seed | 0
  const next = (): number => {
    mix = (mix + 0x9e3779b9) | 0
    let z = mix ^ (mix >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return z ^ (z >>> 15)
  }
  let a = next()
  let b = next()
  let c = next()
  let counter = 1
  return () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return (sum >>> 0) / 4294967296
  }
}
