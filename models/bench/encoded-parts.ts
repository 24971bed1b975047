/** Supplied parts as the product's own preprocessing and encoders see them. */
import type { Bundle } from '../bundle.ts'
import { extractFeatures } from '../extract.ts'
import type { Features } from '../features.ts'
import type { TeachProgress } from '../taught-banks.ts'
import type { SuppliedPart } from './part-supply.ts'

export interface EncodedPart {
  readonly partId: string
  /** `good` or the defect's kind. */
  readonly label: string
  readonly features: Features
}

export interface EncodeOptions {
  readonly bundle: Bundle
  /** Of the plane fits. */
  readonly seed: number
  readonly signal: AbortSignal
  readonly onProgress?: ((progress: TeachProgress) => void) | undefined
}

/** One part under a lamp of this age; undefined when it cannot be seen with both modalities. */
export async function encodedPart(
  part: SuppliedPart,
  age: number,
  { bundle, seed, signal }: EncodeOptions,
): Promise<EncodedPart | undefined> {
  const extracted = await extractFeatures(await part.sample(age, signal), { bundle, seed })
  if (extracted.condition !== 'complete') return undefined
  return { partId: part.partId, label: part.label, features: extracted.features }
}

/** Those that can be seen with both modalities. Rejects with the signal's reason. */
export async function encodedParts(
  parts: readonly SuppliedPart[],
  { age = 0, phase, ...options }: EncodeOptions & { readonly age?: number; readonly phase: string },
): Promise<EncodedPart[]> {
  const encoded: EncodedPart[] = []
  for (const [index, part] of parts.entries()) {
    options.signal.throwIfAborted()
    const one = await encodedPart(part, age, options)
    if (one) encoded.push(one)
    options.onProgress?.({ phase, done: index + 1, total: parts.length })
  }
  return encoded
}
