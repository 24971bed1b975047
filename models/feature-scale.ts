/**
 * Features are normalised by one mean and one deviation per bank, over all its entries (numerics 5.1). Per bank, as
 * intended, not with the other banks' figures as the released M3DM does. It changes no order of distances within a bank;
 * it makes the re-weighting's temperature and the fused parts comparable between encoders.
 */
export interface FeatureScale {
  readonly mean: number
  readonly std: number
}

export function scaleOf(values: Float32Array): FeatureScale {
  let mean = 0
  for (const value of values) mean += value / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  const std = Math.sqrt(squares / values.length)
  // Constant features carry nothing; left unscaled they stay constant instead of becoming NaN.
  return { mean, std: std > 0 ? std : 1 }
}

export function normalised(values: Float32Array, { mean, std }: FeatureScale): Float32Array {
  return values.map((value) => (value - mean) / std)
}
