/** Model input in, one patch grid of features per present modality out (numerics 2 and 3). */
import type { Bundle } from './bundle.ts'
import { farthestPoints } from './farthest-points.ts'
import { GRID_PATCHES, INPUT_SIZE, type Features, type ModelInput } from './features.ts'
import { ModelError } from './model-error.ts'
import { neighbourGroups } from './neighbour-groups.ts'
import type { Graph, Tensor } from './session.ts'
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
  const tokens = await tokensOf('rgb', bundle.rgb, { image: { type: 'float32', dims, data: image } })
  return finite('rgb', sized('rgb', tokens, GRID_PATCHES * bundle.manifest.encoders.rgb.width))
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
  const tokens = await tokensOf('xyz', bundle.xyz, {
    groups: { type: 'float32', dims: [count, neighbours, 3], data: groups },
    centres: { type: 'float32', dims: [count, 3], data: centres },
  })

  clock.enter('pooling')
  return finite(
    'xyz',
    poolTokens({ pointsMetres, pixels, centres, tokens: sized('xyz', tokens, count * width), width }),
  )
}

async function tokensOf(encoder: string, graph: Graph, feeds: Record<string, Tensor>): Promise<Float32Array> {
  let answer: Record<string, Tensor>
  try {
    answer = await graph.run(feeds)
  } catch (cause) {
    throw new ModelError('MODEL_FAILED', `the ${encoder} encoder could not be run`, { cause })
  }
  const tokens = answer['tokens']
  if (tokens?.type !== 'float32') {
    throw new ModelError(
      'MODEL_MISMATCH',
      `the ${encoder} encoder gave ${tokens?.type ?? 'no tokens'}, expected float32`,
    )
  }
  return tokens.data
}

function sized(encoder: string, values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values
  throw new ModelError(
    'MODEL_MISMATCH',
    `the ${encoder} encoder gave ${values.length} values, expected ${length}`,
  )
}

function finite(encoder: string, values: Float32Array): Float32Array {
  // One NaN or infinity makes the sum non-finite; finite float32 values cannot overflow a float64 sum.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  if (Number.isFinite(sum)) return values
  throw new ModelError('NOT_FINITE', `the ${encoder} encoder gave a feature that is NaN or infinite`)
}
