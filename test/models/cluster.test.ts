import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import t from 'tap'
import { cluster, type Clusters } from '../../models/cluster.ts'
import { awkwardClouds } from '../support/clouds.ts'

interface Case {
  readonly points1024: number[]
  readonly radius1024: number
  readonly minimumPoints: number
  readonly labels: number[]
}

t.test("labels equal scikit-learn's, numbers included", async (t) => {
  const file = new URL('../fixtures/dbscan/cases.json', import.meta.url)
  const cases = JSON.parse(await readFile(file, 'utf8')) as Case[]
  t.equal(cases.length, 9)
  for (const { points1024, radius1024, minimumPoints, labels } of cases) {
    const points = Float32Array.from(points1024, (step) => step / 1024)
    const clusters = cluster(points, { radiusMetres: radius1024 / 1024, minimumPoints })
    t.same(
      [...clusters.labels],
      labels,
      `${labels.length} points, radius ${radius1024}, minimum ${minimumPoints}`,
    )
  }
})

/** DBSCAN by its definition: count, then flood from each unlabelled core point in order. */
function clusterPlain(points: Float32Array, radiusMetres: number, minimumPoints: number): Clusters {
  const count = points.length / 3
  const near = (a: number): number[] =>
    Array.from({ length: count }, (_, b) => b).filter((b) => {
      const gaps = [0, 1, 2].map((axis) => points[a * 3 + axis]! - points[b * 3 + axis]!)
      return gaps[0]! ** 2 + gaps[1]! ** 2 + gaps[2]! ** 2 <= radiusMetres ** 2
    })
  const neighbours = Array.from({ length: count }, (_, i) => near(i))
  const labels = new Int32Array(count).fill(-1)
  const sizes: number[] = []
  for (let i = 0; i < count; i++) {
    if (labels[i] !== -1 || neighbours[i]!.length < minimumPoints) continue
    const label = sizes.push(0) - 1
    const front = [i]
    labels[i] = label
    for (let at = front.pop(); at !== undefined; at = front.pop()) {
      if (neighbours[at]!.length < minimumPoints) continue
      for (const b of neighbours[at]!) {
        if (labels[b] !== -1) continue
        labels[b] = label
        front.push(b)
      }
    }
  }
  for (const label of labels) if (label >= 0) sizes[label]! += 1
  return { labels, sizes: Uint32Array.from(sizes) }
}

t.test('cells change no label, whatever the cloud', async () => {
  const radius = fc.constantFrom(0.01, 0.0625, 0.125, 0.3, 3)
  fc.assert(
    fc.property(
      awkwardClouds(90),
      radius,
      fc.integer({ min: 1, max: 12 }),
      (points, radiusMetres, minimumPoints) => {
        const { labels, sizes } = cluster(points, { radiusMetres, minimumPoints })
        const expected = clusterPlain(points, radiusMetres, minimumPoints)
        return labels.every((label, i) => label === expected.labels[i]) && `${sizes}` === `${expected.sizes}`
      },
    ),
    { numRuns: 400 },
  )
})

t.test('an empty cloud has no clusters', async (t) => {
  t.same(cluster(new Float32Array(0), { radiusMetres: 0.006, minimumPoints: 30 }).sizes.length, 0)
})

t.test('a cloud in another unit is refused, not mixed up', async (t) => {
  const points = Float32Array.of(0, 0, 0, 1e9, 0, 0)
  t.throws(() => cluster(points, { radiusMetres: 0.006, minimumPoints: 1 }), RangeError)
})
