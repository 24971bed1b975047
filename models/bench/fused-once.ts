/** Fifty updates ask for the same parts' fused patches again and again: a bench has the memory to keep them. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import type { Fuse, PatchRows } from '../fusion.ts'

/** As `fuse`, which is asked once for each condition of a part. What it gave goes when the part's own features go. */
export function fusedOnce(fuse: Fuse): Fuse {
  const kept = new WeakMap<Float32Array, Map<DecidableCondition, Promise<PatchRows>>>()
  return (features) => {
    // Narrowing shares the values of the modalities that stay.
    const values = (features.rgb ?? features.xyz)?.values
    if (values === undefined) return fuse(features)
    const known = kept.get(values) ?? new Map<DecidableCondition, Promise<PatchRows>>()
    kept.set(values, known)
    const fused = known.get(features.condition) ?? fuse(features)
    known.set(features.condition, fused)
    return fused
  }
}
