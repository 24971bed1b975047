import fc from 'fast-check'
import t from 'tap'
import { seededRandom } from '../../calibration/random.ts'
import { nearestPointsPlain } from '../../models/bench/plain.ts'
import { neighbourGroups } from '../../models/neighbour-groups.ts'
import { awkwardClouds } from '../support/clouds.ts'

/** The groups by definition: the plain loop's indices, differences in float32. */
function groupsPlain(points: Float32Array, centres: Uint32Array, neighbours: number): number[] {
  const wanted = Math.min(neighbours, points.length / 3)
  const nearest = nearestPointsPlain(points, centres, wanted)
  return [...centres].flatMap((centre, g) =>
    Array.from({ length: neighbours * 3 }, (_, at) => {
      const k = Math.floor(at / 3)
      const from = nearest[g * wanted + (k < wanted ? k : 0)]!
      return Math.fround(points[from * 3 + (at % 3)]! - points[centre * 3 + (at % 3)]!)
    }),
  )
}

t.test('cells change no neighbour, whatever the cloud', async () => {
  const cases = awkwardClouds(100).chain((points) =>
    fc.record({
      points: fc.constant(points),
      centres: fc.array(fc.nat(points.length / 3 - 1), { maxLength: 8 }),
      neighbours: fc.integer({ min: 1, max: 130 }),
    }),
  )
  fc.assert(
    fc.property(cases, ({ points, centres, neighbours }) => {
      const { groups } = neighbourGroups(points, Uint32Array.from(centres), neighbours)
      const expected = groupsPlain(points, Uint32Array.from(centres), neighbours)
      return groups.length === expected.length && groups.every((value, at) => value === expected[at])
    }),
    { numRuns: 400 },
  )
})

t.test("a large rough surface with a stray point gives the plain loop's groups", async (t) => {
  const random = seededRandom(2)
  const points = new Float32Array(6001 * 3)
  for (let i = 0; i < 6000; i++) {
    // Denser on the left: the box has to grow on the right.
    const x = 0.1 * random() ** 2
    const y = 0.1 * random()
    points.set([x, y, 0.6 + 0.02 * Math.sin(60 * x) + 0.001 * random()], i * 3)
  }
  points.set([0.3, 0.3, 0.9], 18_000)
  const centres = Uint32Array.from({ length: 61 }, (_, g) => g * 100)
  t.same([...neighbourGroups(points, centres, 128).groups], groupsPlain(points, centres, 128))
})

t.test('a group starts with its centre and ascends', async (t) => {
  const points = Float32Array.of(0, 0, 1, 0, 0, 1.5, 0, 0, 0.75)
  const { groups, centres } = neighbourGroups(points, Uint32Array.of(0, 1), 3)
  t.same([...groups], [0, 0, 0, 0, 0, -0.25, 0, 0, 0.5, 0, 0, 0, 0, 0, -0.5, 0, 0, -0.75])
  t.same([...centres], [0, 0, 1, 0, 0, 1.5])
})

t.test('a cloud with too few points repeats the centre', async (t) => {
  const { groups } = neighbourGroups(Float32Array.of(0, 0, 1, 0, 0, 2), Uint32Array.of(1), 4)
  t.same([...groups], [0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0])
})
