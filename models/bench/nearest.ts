/** Times the bank search against one bare MatMul of the same size in the same run: the floor under any exact search. */
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { makeBank } from '../bank.ts'
import { graphFile, openSearch } from '../nearest.ts'
import { seededRandom } from '../random.ts'
import { openGraph } from '../session.ts'
import { timingOf, type Timing } from './timing.ts'

export interface NearestBench {
  readonly queries: number
  readonly width: number
  readonly rows: number
  readonly repeats: number
  readonly search: Omit<Timing, 'bestMs'>
  readonly matmul: Omit<Timing, 'bestMs'>
  /** Median search over median MatMul; at most 1.2 is asked for. */
  readonly ratio: number
}

/** The size of one part with the paper's encoder against a full bank. */
const SIZE = { queries: 784, width: 768, rows: 10_000 } as const

export async function benchNearest(options: {
  threads: number
  /** At least 1. */
  repeats: number
  /** Of the bank; default: a full one. */
  rows?: number
  /** Default: the paper's encoder. */
  width?: number
  signal?: AbortSignal
}): Promise<NearestBench> {
  const { queries: count } = SIZE
  const { width = SIZE.width, rows = SIZE.rows } = options
  const random = seededRandom(1)
  const queries = Float32Array.from({ length: count * width }, () => random() - 0.5)
  const bank = makeBank(
    width,
    Float32Array.from({ length: rows * width }, () => random() - 0.5),
  )
  const search = await openSearch(options)
  const graph = await openGraph(graphFile('matmul.onnx'), options)
  const matmulInputs = {
    a: { type: 'float32', dims: [count, width], data: queries },
    // Already transposed for MatMul: the values do not matter, the layout is its best case.
    b: { type: 'float32', dims: [width, rows], data: bank.values },
  } as const
  const searchMs: number[] = []
  const matmulMs: number[] = []
  try {
    // Alternating, so that a busy neighbour slows both. The first pair warms up and is not counted.
    for (let repeat = -1; repeat < options.repeats; repeat++) {
      const startedAt = performance.now()
      await search.nearest({ queries, width, bank, k: 1 })
      const betweenAt = performance.now()
      await graph.run(matmulInputs)
      const endedAt = performance.now()
      if (repeat >= 0) {
        searchMs.push(betweenAt - startedAt)
        matmulMs.push(endedAt - betweenAt)
      }
      await setImmediate()
      options.signal?.throwIfAborted()
    }
  } finally {
    await search.release()
    await graph.release()
  }
  const searched = timingOf(searchMs)
  const multiplied = timingOf(matmulMs)
  return {
    queries: count,
    width,
    rows,
    repeats: options.repeats,
    search: { medianMs: searched.medianMs, worstMs: searched.worstMs },
    matmul: { medianMs: multiplied.medianMs, worstMs: multiplied.worstMs },
    ratio: searched.medianMs / multiplied.medianMs,
  }
}
