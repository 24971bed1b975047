import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readPointMap } from '../../../drivers/formats/read-point-map.ts'
import { benchKernels, type KernelBench } from '../../../models/bench/kernels.ts'

/** Times are for people to read; a busy machine may not fail a test. What they are times of is checked. */
function isSound({ farthestPoints, neighbourGroups, nearest }: KernelBench): boolean {
  const times = [farthestPoints, neighbourGroups].flatMap((timing) => [
    timing.bestMs <= timing.medianMs && timing.medianMs <= timing.worstMs,
    timing.bestMs > 0 && timing.plainMs > 0,
    timing.equal,
  ])
  return times.every(Boolean) && nearest.ratio > 0
}

const folder = join(process.env.RADAR_EDGE_DATA ?? '../shared/data', 'mvtec3d/cable_gland/train/good/xyz')
const [first] = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.tiff')).sort()
const skip = first === undefined && `SKIP: no part of MVTec 3D-AD in ${folder}`

t.test('the kernels equal their plain loops on a real part', { skip }, async (t) => {
  if (first === undefined) return
  const { pointsMetres } = await readPointMap(join(folder, first))
  const bench = await benchKernels({ cloud: { source: first, pointsMetres }, repeats: 1, threads: 1 })
  t.match(bench.cloud, { source: first, points: 50_176 })
  t.ok(isSound(bench), JSON.stringify(bench))
})

t.test('without data a synthetic part is measured', async (t) => {
  const bench = await benchKernels({ repeats: 1, threads: 1 })
  t.match(bench.cloud, { source: /synthetic/, points: 50_176 })
  t.ok(isSound(bench), JSON.stringify(bench))
})

t.test('a map with too few points is refused, a stopped bench stops', async (t) => {
  const cloud = { source: 'three points', pointsMetres: new Float32Array(9).fill(0.5) }
  await t.rejects(
    benchKernels({ cloud, repeats: 1, threads: 1 }),
    /3 valid points, the benchmark needs 50176/,
  )
  await t.rejects(benchKernels({ repeats: 1, threads: 1, signal: AbortSignal.abort() }), {
    name: 'AbortError',
  })
})
