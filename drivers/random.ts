/**
 * Seeded randomness of everything that is made up: the synthetic station and the fake sensor. `hash32` is the
 * counter-based source: noise fields hash their lattice points and sensors their pixels with it, so that what one pixel
 * draws does not depend on how many others were drawn before. `randomFrom` is a stream for the choices that make one
 * part; every purpose has its own stream, so that one more draw in one place changes nothing elsewhere.
 * (The method draws from `seededRandom` in calibration/.)
 */

/** The lowbias32 mixer of Chris Wellons (public domain): a bijection of 32 bits whose bias cannot be seen here. */
export function hash32(value: number): number {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return hash32(hash)
}

export interface Random {
  /** Uniform in [low, high). */
  between(low: number, high: number): number
  /** Uniform over the whole numbers low..high, both included. */
  integer(low: number, high: number): number
  /** Standard normal, cut at about 3.5 sigma. */
  normal(): number
  chance(probability: number): boolean
  pick<T>(items: readonly [T, ...T[]]): T
  /** A seed for a noise field. */
  seed(): number
}

/** The stream of one purpose, e.g. `randomFrom(seed, 'pose')`. */
export function randomFrom(seed: number, purpose: string): Random {
  const key = hash32(hash32(seed) ^ hashText(purpose))
  let counter = 0
  const draw = (): number => hash32(key + Math.imul(counter++, 0x9e3779b9))
  const unit = (): number => draw() / 4294967296
  return {
    between: (low, high) => low + (high - low) * unit(),
    integer: (low, high) => low + Math.floor((high - low + 1) * unit()),
    // Twelve uniforms have variance one (Irwin and Hall).
    normal: () => {
      let sum = -6
      for (let term = 0; term < 12; term++) sum += unit()
      return sum
    },
    chance: (probability) => unit() < probability,
    pick: ([first, ...rest]) => rest[Math.floor((rest.length + 1) * unit()) - 1] ?? first,
    seed: draw,
  }
}
