/** MT19937 (Matsumoto and Nishimura 1998): NumPy's `RandomState`, for figures that were computed with it. */
export function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624)
  state[0] = seed
  for (let i = 1; i < 624; i++) {
    const before = state[i - 1]!
    state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i
  }
  let next = 624
  /** 32 bits. */
  return () => {
    if (next === 624) {
      for (let i = 0; i < 624; i++) {
        const mixed = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff)
        state[i] = state[(i + 397) % 624]! ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0)
      }
      next = 0
    }
    let bits = state[next++]!
    bits ^= bits >>> 11
    bits ^= (bits << 7) & 0x9d2c5680
    bits ^= (bits << 15) & 0xefc60000
    return (bits ^ (bits >>> 18)) >>> 0
  }
}

/** NumPy's `random()`: 53 bits in [0,1). */
export function double53(next: () => number): number {
  const high = next() >>> 5
  const low = next() >>> 6
  return (high * 67108864 + low) / 9007199254740992
}
