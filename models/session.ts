/**
 * The only file that imports ONNX Runtime. `run()` is a synchronous native call that blocks the event loop and aborts
 * the process when it is interrupted, so a session lives in the inference host or in a command-line job, never in the
 * daemon.
 */

// Read by the native library when it loads; without it the library sends telemetry over the network.
process.env.ORT_DISABLE_TELEMETRY = '1'
const ort = await import('onnxruntime-node')

import type { InferenceSession } from 'onnxruntime-node'

export type Tensor =
  | { readonly type: 'float32'; readonly dims: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'int64'; readonly dims: readonly number[]; readonly data: BigInt64Array }
  | { readonly type: 'int32'; readonly dims: readonly number[]; readonly data: Int32Array }

export interface Graph {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** Declared shape of an input or output; a named (dynamic) axis is a string. */
  shapeOf(name: string): readonly (number | string)[]
  /** Blocks the calling thread for the whole inference. Inputs are not copied: do not change them before it resolves. */
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>
  release(): Promise<void>
}

/** @param model a file's path or its bytes. `threads` is set explicitly because affinity guesses fail on Jetson. */
export async function openGraph(model: string | Uint8Array, options: { threads: number }): Promise<Graph> {
  const settings: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
  }
  const session =
    typeof model === 'string'
      ? await ort.InferenceSession.create(model, settings)
      : await ort.InferenceSession.create(model, settings)
  const shapes = new Map<string, readonly (number | string)[]>()
  for (const value of [...session.inputMetadata, ...session.outputMetadata]) {
    if (value.isTensor) shapes.set(value.name, value.shape)
  }
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    shapeOf(name) {
      const shape = shapes.get(name)
      if (shape === undefined) throw new Error(`the graph has no tensor named '${name}'`)
      return shape
    },
    async run(feeds) {
      const inputs: Record<string, InstanceType<typeof ort.Tensor>> = {}
      for (const [name, tensor] of Object.entries(feeds)) {
        inputs[name] = new ort.Tensor(tensor.type, tensor.data, tensor.dims)
      }
      const outputs: Record<string, Tensor> = {}
      for (const [name, value] of Object.entries(await session.run(inputs))) {
        outputs[name] = { type: value.type, dims: value.dims, data: value.data } as Tensor
      }
      return outputs
    },
    release: () => session.release(),
  }
}
