/** Sample in, features out: the one way that teaching, inspecting and measuring share. */
import type { Plane } from '../calibration/plane.ts'
import type { Sample } from '../drivers/sample.ts'
import { admitFrames } from './admit.ts'
import type { Bundle } from './bundle.ts'
import { encode } from './encoder.ts'
import type { Features, ModelInput } from './features.ts'
import { preprocess } from './preprocess.ts'
import { reduceSample } from './reduce.ts'
import { startStepClock, type StepClock } from './step-clock.ts'

export interface ExtractOptions {
  readonly bundle: Bundle
  /** The station's calibrated plane; without one each frame's own is fitted. */
  readonly plane?: Plane
  /** Seeds the plane fit. */
  readonly seed: number
  readonly clock?: StepClock
}

export interface Extracted {
  readonly condition: Exclude<Sample['condition'], 'none'>
  /** Its `absent` says why any modality is: from the driver's word to the preprocessing's. */
  readonly input: ModelInput
  readonly features: Features
  /** Frame pixels per pixel of `input.placement`'s frame. */
  readonly step: number
}

export interface NothingExtracted {
  readonly condition: 'none'
  readonly absent: Sample['absent']
  readonly flags: readonly string[]
}

/** @throws ModelError from the encoders. What is wrong with the sample itself is an absence, not an error. */
export async function extractFeatures(
  sample: Sample,
  { bundle, plane, seed, clock = startStepClock() }: ExtractOptions,
): Promise<Extracted | NothingExtracted> {
  clock.enter('preprocess')
  const reduced = await reduceSample(admitFrames(sample))
  const found = preprocess(reduced.sample, { input: bundle.manifest.input, seed, ...(plane && { plane }) })
  const input = { ...found, absent: { ...reduced.sample.absent, ...found.absent } }
  if (input.condition === 'none') return input
  const features = await encode(input, bundle, clock)
  return { condition: input.condition, input, features, step: reduced.step }
}
