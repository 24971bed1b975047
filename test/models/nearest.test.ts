import t from 'tap'
import fc from 'fast-check'
import { makeBank } from '../../models/bank.ts'
import { graphFile, openSearch, PROPOSALS } from '../../models/nearest.ts'
import { seededRandom } from '../../models/random.ts'
import { nearestPlain } from '../support/nearest-plain.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

function randomValues(count: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  return Float32Array.from({ length: count }, () => random() * 2 - 1)
}

function farthest(a: Float32Array, b: Float32Array): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0)
}

t.test('the graph finds what the plain loop finds, in banks of every shape of chunk', async (t) => {
  for (const rows of [1, 2, 3, 4, 5, 97, 4095, 4096, 4097, 4099, 8200]) {
    const width = 7
    const bank = makeBank(width, randomValues(rows * width, rows))
    const queries = randomValues(11 * width, 1000 + rows)
    for (const k of [1, 2, 3, 4].filter((k) => k <= rows)) {
      const found = await search.nearest({ queries, width, bank, k })
      const expected = nearestPlain({ queries, width, bank, k })
      t.same(found.indices, expected.indices, `${rows} rows, k = ${k}`)
      t.ok(farthest(found.distances, expected.distances) < 1e-6)
    }
  }
})

t.test('a query that is a bank row is at distance 0 exactly, however large its norm', async (t) => {
  const width = 32
  const values = randomValues(500 * width, 3).map((value) => value + 300)
  const bank = makeBank(width, values)
  const { distances, indices } = await search.nearest({ queries: values, width, bank, k: 1 })
  t.equal(Math.max(...distances), 0)
  t.same(
    [...indices],
    Array.from({ length: 500 }, (_, row) => row),
  )
})

t.test('equal rows are found lowest first', async (t) => {
  const bank = makeBank(2, Float32Array.from([5, 5, 1, 1, 1, 1, 9, 9]))
  const { indices } = await search.nearest({ queries: Float32Array.from([1, 1]), width: 2, bank, k: 3 })
  t.same([...indices], [1, 2, 0])
})

t.test('properties over random banks', async (t) => {
  const shape = fc.record({
    width: fc.integer({ min: 1, max: 20 }),
    rows: fc.integer({ min: PROPOSALS, max: 60 }),
    queries: fc.integer({ min: 1, max: 8 }),
    seed: fc.integer(),
  })
  await fc.assert(
    fc.asyncProperty(shape, async ({ width, rows, queries: count, seed }) => {
      const values = randomValues(rows * width, seed)
      const queries = randomValues(count * width, seed + 1)
      const k = 1 + (rows % PROPOSALS)
      const bank = makeBank(width, values)
      const all = await search.nearest({ queries, width, bank, k })

      const fewer = makeBank(width, values.slice(0, Math.max(k, rows >> 1) * width))
      const before = await search.nearest({ queries, width, bank: fewer, k })
      if (all.distances.some((distance, i) => distance > before.distances[i]!)) return false

      const exclude = Uint8Array.from({ length: rows }, (_, row) => (row % 3 === 0 && rows > 8 ? 1 : 0))
      const without = await search.nearest({ queries, width, bank, k, exclude })
      const expected = nearestPlain({ queries, width, bank, k, exclude })
      return (
        without.distances.every((distance, i) => distance >= all.distances[i]!) &&
        without.indices.every((row, i) => row === expected.indices[i])
      )
    }),
    { numRuns: 60 },
  )
  t.pass(
    'adding rows never increases a distance, excluding rows never decreases one, excluded rows are not found',
  )
})

t.test(
  'a query beyond fp32 is infinitely far from every row, not as far as the query before it',
  async (t) => {
    const bank = makeBank(1, Float32Array.from([1, 2, 3, 4, 5]))
    const queries = Float32Array.from([1, -3e38, 1])
    const { distances, indices } = await search.nearest({ queries, width: 1, bank, k: 1 })
    t.same([...distances], [0, Infinity, 0])
    t.same([...indices], [0, -1, 0])
  },
)

t.test('what cannot be searched is refused with the sizes', async (t) => {
  const bank = makeBank(2, Float32Array.from([0, 0, 1, 1, 2, 2]))
  const queries = Float32Array.from([0, 0])
  const mismatch = { code: 'MODEL_MISMATCH' }
  await t.rejects(search.nearest({ queries, width: 3, bank, k: 1 }), mismatch)
  await t.rejects(search.nearest({ queries: new Float32Array(3), width: 2, bank, k: 1 }), mismatch)
  await t.rejects(search.nearest({ queries, width: 2, bank, k: 0 }), mismatch)
  await t.rejects(search.nearest({ queries, width: 2, bank, k: 4 }), {
    ...mismatch,
    message: /4 neighbours of 3/,
  })
  await t.rejects(
    search.nearest({ queries, width: 2, bank, k: 2, exclude: Uint8Array.of(1, 1, 0) }),
    mismatch,
  )
})

t.test('the graphs are found beside the sources and beside the compiled code', async (t) => {
  t.match(graphFile('nearest.onnx'), /models[\\/]graphs[\\/]nearest\.onnx$/)
  t.match(graphFile('absent.onnx'), /absent\.onnx$/)
})
