/**
 * The fused feature of a patch, until the trained fusion arrives: both normalised features side by side, each divided by
 * the root of its width, so that neither encoder outweighs the other by being wider. It exists for `complete` samples
 * only: with one modality it would repeat that modality's own bank and count it twice.
 */

/** Normalised rows of one encoder (feature-scale.ts). */
export interface PatchRows {
  readonly width: number
  readonly values: Float32Array
}

export function fuse(rgb: PatchRows, xyz: PatchRows): PatchRows {
  const width = rgb.width + xyz.width
  // The common factor gives a fused entry unit variance, like an entry of the other banks (numerics 5.2 divides by sqrt D).
  const rgbFactor = Math.sqrt(width / 2 / rgb.width)
  const xyzFactor = Math.sqrt(width / 2 / xyz.width)
  const rows = rgb.values.length / rgb.width
  const values = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    const start = row * width
    for (let i = 0; i < rgb.width; i++) values[start + i] = rgb.values[row * rgb.width + i]! * rgbFactor
    for (let i = 0; i < xyz.width; i++)
      values[start + rgb.width + i] = xyz.values[row * xyz.width + i]! * xyzFactor
  }
  return { width, values }
}
