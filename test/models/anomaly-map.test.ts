import t from 'tap'
import { readFile } from 'node:fs/promises'
import { anomalyMap } from '../../models/anomaly-map.ts'

const { anomalyMap: golden } = JSON.parse(
  await readFile(new URL('../fixtures/decision/golden.json', import.meta.url), 'utf8'),
) as { anomalyMap: { patches: number[]; pixels: number[]; values: number[] } }

t.test('the map is what torch interpolates and scipy blurs', async (t) => {
  const map = anomalyMap(golden.patches)
  t.equal(map.length, 224 * 224)
  const worst = golden.pixels.reduce(
    (error, pixel, i) => Math.max(error, Math.abs(map[pixel]! - golden.values[i]!)),
    0,
  )
  t.ok(worst < 1e-5, `largest difference ${worst}`)
})

t.test('a flat grid gives a flat map, an all-zero one zeros and no NaN', async (t) => {
  t.ok(anomalyMap(new Float32Array(784).fill(3)).every((value) => Math.abs(value - 3) < 1e-5))
  t.ok(anomalyMap(new Float32Array(784)).every((value) => value === 0))
})

t.test('a hot patch is hottest where it lies', async (t) => {
  const patches = new Float32Array(784)
  patches[5 * 28 + 20] = 1
  const map = anomalyMap(patches)
  const peak = map.indexOf(map.reduce((a, b) => Math.max(a, b)))
  t.ok(Math.abs(Math.floor(peak / 224) - 43.5) <= 1 && Math.abs((peak % 224) - 163.5) <= 1)
})
