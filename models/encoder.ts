/** Model input in, one patch grid of features per present modality out (numerics 2 and 3). */
import type { Bundle } from './bundle.ts'
import { farthestPoints } from './farthest-points.ts'
import { GRID_PATCHES, INPUT_SIZE, type Features, type ModelInput } from './features.ts'
import { finite, tokensOf } from './graph-tokens.ts'
import { neighbourGroups } from './neighbour-groups.ts'
import { startStepClock, type StepClock } from './step-clock.ts'
import { foregroundPatches, poolTokens } from './token-grid.ts'

/** @throws ModelError MODEL_FAILED when a graph refuses to run, NOT_FINITE when a token is NaN or infinite. */
export async function encode(
  input: ModelInput,
  bundle: Bundle,
  clock: StepClock = startStepClock(),
): Promise<Features> {
  const rgb = input.rgb && {
    width: bundle.manifest.encoders.rgb.width,
    values: await encodeRgb(input.rgb, bundle, clock),
  }
  const xyz = input.xyz && {
    width: bundle.manifest.encoders.xyz.width,
    values: await encodeXyz(input.xyz, bundle, clock),
  }
  return {
    condition: input.condition,
    ...(rgb && { rgb }),
    ...(xyz && { xyz }),
    foregroundPatches: foregroundPatches(input.foreground),
  }
}

async function encodeRgb(image: Float32Array, bundle: Bundle, clock: StepClock): Promise<Float32Array> {
  clock.enter('rgb-encoder')
  const dims = [1, 3, INPUT_SIZE, INPUT_SIZE]
  const who = 'the rgb encoder'
  const length = GRID_PATCHES * bundle.manifest.encoders.rgb.width
  return finite(
    who,
    await tokensOf(bundle.rgb, { image: { type: 'float32', dims, data: image } }, { who, length }),
  )
}

async function encodeXyz(
  { pointsMetres, pixels }: NonNullable<ModelInput['xyz']>,
  bundle: Bundle,
  clock: StepClock,
): Promise<Float32Array> {
  const { centres: count, neighbours } = bundle.manifest.input.xyz
  const { width } = bundle.manifest.encoders.xyz

  clock.enter('grouping')
  const { groups, centres } = neighbourGroups(pointsMetres, farthestPoints(pointsMetres, count), neighbours)

  clock.enter('xyz-encoder')
  const who = 'the xyz encoder'
  const feeds = {
    groups: { type: 'float32', dims: [count, neighbours, 3], data: groups },
    centres: { type: 'float32', dims: [count, 3], data: centres },
  } as const
  const tokens = await tokensOf(bundle.xyz, feeds, { who, length: count * width })

  clock.enter('pooling')
  return finite(who, poolTokens({ pointsMetres, pixels, centres, tokens, width }))
}
