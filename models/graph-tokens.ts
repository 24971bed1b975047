/** Runs a graph whose one output is `tokens`, and trusts nothing of what comes back. */
import { ModelError } from './model-error.ts'
import type { Graph, Tensor } from './session.ts'

/**
 * @param expected who is run, for the message, and how many values it must give.
 * @throws ModelError MODEL_FAILED when the graph refuses to run, MODEL_MISMATCH for tokens of another type or number.
 */
export async function tokensOf(
  graph: Graph,
  feeds: Record<string, Tensor>,
  { who, length }: { who: string; length: number },
): Promise<Float32Array> {
  let answer: Record<string, Tensor>
  try {
    answer = await graph.run(feeds)
  } catch (cause) {
    throw new ModelError('MODEL_FAILED', `${who} could not be run`, { cause })
  }
  const tokens = answer['tokens']
  if (tokens?.type !== 'float32') {
    throw new ModelError('MODEL_MISMATCH', `${who} gave ${tokens?.type ?? 'no tokens'}, expected float32`)
  }
  if (tokens.data.length === length) return tokens.data
  throw new ModelError('MODEL_MISMATCH', `${who} gave ${tokens.data.length} values, expected ${length}`)
}

/** @throws ModelError NOT_FINITE when any value is NaN or infinite. */
export function finite(who: string, values: Float32Array): Float32Array {
  // One NaN or infinity makes the sum non-finite; finite float32 values cannot overflow a float64 sum.
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]!
  if (Number.isFinite(sum)) return values
  throw new ModelError('NOT_FINITE', `${who} gave a feature that is NaN or infinite`)
}
