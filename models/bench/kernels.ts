/** Times the point kernels on one cloud beside the plain loops that they must equal, and the bank search beside a MatMul. */
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import { renderPart } from '../../drivers/synthetic/render.ts'
import { farthestPoints } from '../farthest-points.ts'
import { INPUT_SIZE } from '../features.ts'
import { neighbourGroups } from '../neighbour-groups.ts'
import { benchNearest, type NearestBench } from './nearest.ts'
import { timingOf, type Timing } from './timing.ts'
import { farthestPointsPlain, nearestPointsPlain } from './plain.ts'

/** Every pixel of the model's input: the most points that a part can have. */
const POINTS = INPUT_SIZE * INPUT_SIZE
/** Point-MAE's grouping (numerics 3.1). */
const CENTRES = 1024
const NEIGHBOURS = 128
/** In which V8 compiles. */
const WARM_UP = 3
/** A plain loop takes tenths of a second: it needs neither warming nor many repeats. */
const PLAIN_REPEATS = 3

/** An organised point map and where it came from. */
export interface BenchCloud {
  readonly source: string
  /** `count * 3`, metres; (0,0,0) where there is no point. At least 50,176 points. */
  readonly pointsMetres: Float32Array
}

export interface KernelTiming extends Timing {
  /** Median of the plain loop. */
  readonly plainMs: number
  /** Same result as the plain loop, to the bit. */
  readonly equal: boolean
}

export interface KernelBench {
  readonly cloud: { readonly source: string; readonly validPoints: number; readonly points: number }
  readonly repeats: number
  /** 1024 of 50,176 points; at most 15 ms is asked for. */
  readonly farthestPoints: KernelTiming
  /** 1024 groups of 128; at most 25 ms is asked for. */
  readonly neighbourGroups: KernelTiming
  readonly nearest: NearestBench
}

/** @param options.cloud a real part's point map; without one, a synthetic part's is rendered. */
export async function benchKernels(options: {
  readonly cloud?: BenchCloud
  readonly repeats: number
  readonly threads: number
  readonly signal?: AbortSignal
}): Promise<KernelBench> {
  const { repeats, threads, signal } = options
  const { source, pointsMetres } = options.cloud ?? syntheticCloud()
  const { points, validPoints } = fullCloud(pointsMetres)

  const kernel = { repeats, warmUp: WARM_UP, signal }
  const plain = { repeats: Math.min(repeats, PLAIN_REPEATS), warmUp: 0, signal }
  const farthest = await time(() => farthestPoints(points, CENTRES), kernel)
  const farthestPlain = await time(() => farthestPointsPlain(points, CENTRES), plain)
  const centres = farthest.result
  const grouped = await time(() => neighbourGroups(points, centres, NEIGHBOURS), kernel)
  const groupedPlain = await time(() => nearestPointsPlain(points, centres, NEIGHBOURS), plain)

  return {
    cloud: { source, validPoints, points: POINTS },
    repeats,
    farthestPoints: {
      ...farthest.timing,
      plainMs: farthestPlain.timing.medianMs,
      equal: centres.every((centre, g) => centre === farthestPlain.result[g]),
    },
    neighbourGroups: {
      ...grouped.timing,
      plainMs: groupedPlain.timing.medianMs,
      equal: grouped.result.groups.every((offset, at) => {
        const member = Math.floor(at / 3)
        const from = groupedPlain.result[member]! * 3 + (at % 3)
        const centre = centres[Math.floor(member / NEIGHBOURS)]! * 3 + (at % 3)
        return offset === Math.fround(points[from]! - points[centre]!)
      }),
    },
    nearest: await benchNearest({ threads, repeats, ...(signal && { signal }) }),
  }
}

/**
 * 50,176 points spread evenly over the map's valid ones in raster order: the worst case of the model's input, in which
 * no pixel lacks a return, at the density and with the noise of the sensor. No point repeats.
 */
function fullCloud(map: Float32Array): { readonly points: Float32Array; readonly validPoints: number } {
  const valid: number[] = []
  for (let at = 0; at < map.length; at += 3) {
    if (map[at] !== 0 || map[at + 1] !== 0 || map[at + 2] !== 0) valid.push(at)
  }
  if (valid.length < POINTS) {
    throw new RangeError(`the point map has ${valid.length} valid points, the benchmark needs ${POINTS}`)
  }
  const points = new Float32Array(POINTS * 3)
  for (let i = 0; i < POINTS; i++) {
    const from = valid[Math.floor((i * valid.length) / POINTS)]!
    points.set(map.subarray(from, from + 3), i * 3)
  }
  return { points, validPoints: valid.length }
}

function syntheticCloud(): BenchCloud {
  const { pointsMetres } = renderPart({ category: 'gear', width: 400, height: 400, seed: 1 })
  return { source: 'synthetic gear, 400 x 400, seed 1', pointsMetres }
}

/** What the first run gave, and the milliseconds of the runs after warming up. The event loop is free between runs. */
async function time<Result>(
  run: () => Result,
  {
    repeats,
    warmUp,
    signal,
  }: { readonly repeats: number; readonly warmUp: number; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly result: Result; readonly timing: Timing }> {
  const results: Result[] = []
  const samplesMs: number[] = []
  for (let repeat = -warmUp; repeat < repeats; repeat++) {
    await setImmediate()
    signal?.throwIfAborted()
    const startedAt = performance.now()
    const result = run()
    if (repeat >= 0) samplesMs.push(performance.now() - startedAt)
    if (results.length === 0) results.push(result)
  }
  const [result] = results
  if (result === undefined) throw new RangeError(`expected at least one repeat, got ${repeats}`)
  return { result, timing: timingOf(samplesMs) }
}
