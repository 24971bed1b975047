/** A sample as it is stored: reduced as it is inspected, and what the encoders say of it. Encoded again from these frames it is the same. */
import type { Sample } from '../drivers/sample.ts'
import { admitFrames } from '../models/admit.ts'
import type { Bundle } from '../models/bundle.ts'
import { ENGINE } from '../models/engine.ts'
import { extractFeatures } from '../models/extract.ts'
import { reduceSample } from '../models/reduce.ts'
import type { StoredPart } from '../models/stored-part.ts'

export interface EncodedSample extends Pick<
  StoredPart,
  'condition' | 'absent' | 'flags' | 'frames' | 'features'
> {
  /** Frame pixels per pixel of the stored frames. */
  readonly step: number
}

/** @param seed of the plane fit. @returns without features when no frame is of use. */
export async function encodeSample(
  sample: Sample,
  { bundle, seed }: { readonly bundle: Bundle; readonly seed: number },
): Promise<EncodedSample> {
  const { sample: reduced, step } = await reduceSample(admitFrames(sample))
  const { frames } = reduced
  const extracted = await extractFeatures(reduced, { bundle, seed })
  if (extracted.condition === 'none') {
    const { condition, absent, flags } = extracted
    return { condition, absent, flags, frames, step }
  }
  const { condition, input } = extracted
  const features = { ...extracted.features, bundleId: bundle.id, engine: ENGINE }
  return { condition, absent: input.absent, flags: input.flags, frames, features, step }
}
