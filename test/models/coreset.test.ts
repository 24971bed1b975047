import t from 'tap'
import fc from 'fast-check'
import { coresetOf, coresetWithout, extendCoreset, selectCoreset } from '../../models/coreset.ts'
import { seededRandom } from '../../models/random.ts'

function randomRows(rows: number, width: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  return Float32Array.from({ length: rows * width }, () => random())
}

function distance(values: Float32Array, width: number, a: number, b: number): number {
  let sum = 0
  for (let i = 0; i < width; i++) sum += (values[a * width + i]! - values[b * width + i]!) ** 2
  return Math.sqrt(sum)
}

function radiusPlain(values: Float32Array, width: number, selected: Int32Array): number {
  let radius = 0
  for (let row = 0; row < values.length / width; row++) {
    let nearest = Infinity
    for (const centre of selected) nearest = Math.min(nearest, distance(values, width, row, centre))
    radius = Math.max(radius, nearest)
  }
  return radius
}

/** k-centre greedy without any shortcut, from a given first row. */
function greedyPlain(values: Float32Array, width: number, count: number, first: number): number[] {
  const selected = [first]
  while (selected.length < count) {
    let farthest = 0
    let farthestDistance = -1
    for (let row = 0; row < values.length / width; row++) {
      const nearest = Math.min(...selected.map((centre) => distance(values, width, row, centre)))
      if (nearest > farthestDistance) {
        farthestDistance = nearest
        farthest = row
      }
    }
    selected.push(farthest)
  }
  return selected
}

t.test('without projection the choice is that of the plain greedy loop', async (t) => {
  for (const seed of [1, 2, 3]) {
    const values = randomRows(150, 9, seed)
    const { selected } = await selectCoreset(values, { width: 9, count: 40, projectedWidth: 9, seed })
    t.same([...selected], greedyPlain(values, 9, 40, selected[0]!))
  }
})

t.test('the covering radius is exact in the original space, projected or not', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 2, max: 12 }),
      async (seed, count, projectedWidth) => {
        const values = randomRows(80, 12, seed)
        const { selected, coveringRadius } = await selectCoreset(values, {
          width: 12,
          count,
          projectedWidth,
          seed,
        })
        return (
          Math.abs(coveringRadius - radiusPlain(values, 12, selected)) < 1e-9 &&
          new Set(selected).size === count
        )
      },
    ),
    { numRuns: 60 },
  )
  t.pass()
})

t.test(
  'a coreset without some rows keeps the others and covers what is left as well as before',
  async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 40 }), async (seed, count) => {
        const values = randomRows(120, 5, seed)
        const coreset = await selectCoreset(values, { width: 5, count, projectedWidth: 5, seed })
        const removed = Uint8Array.from({ length: 120 }, (_, row) => (row % 4 === 1 ? 1 : 0))
        const left = coresetWithout(coreset, removed)
        const remaining = Float32Array.from([...values].filter((_, i) => removed[Math.floor(i / 5)] !== 1))
        const renumbered = left.map(
          (row) => row - removed.subarray(0, row).reduce((sum, flag) => sum + flag, 0),
        )
        const kept = coreset.selected.filter((row) => removed[row] !== 1)
        return (
          left.length === count &&
          new Set(left).size === count &&
          left.every((row) => removed[row] !== 1) &&
          kept.every((row) => left.includes(row)) &&
          // Greedy refilling is a 2-approximation like the first choice (Gonzalez 1985).
          radiusPlain(remaining, 5, renumbered) <= 2 * coreset.coveringRadius + 1e-9
        )
      }),
      { numRuns: 60 },
    )
    const all = await selectCoreset(randomRows(6, 2, 1), { width: 2, count: 9, projectedWidth: 2, seed: 1 })
    t.same(
      [...coresetWithout(all, Uint8Array.of(1, 0, 0, 1, 0, 0))],
      [1, 2, 4, 5],
      'nothing is left to refill from',
    )
  },
)

t.test('the same seed chooses the same rows', async (t) => {
  const values = randomRows(300, 16, 1)
  const options = { width: 16, count: 50, projectedWidth: 8, seed: 5 }
  t.same(await selectCoreset(values, options), await selectCoreset(values, options))
  t.notSame(await selectCoreset(values, options), await selectCoreset(values, { ...options, seed: 6 }))
})

t.test('duplicates are chosen once, and a budget for all rows takes all', async (t) => {
  const twice = Float32Array.from([1, 2, 1, 2, 3, 4, 3, 4, 1, 2])
  const chosen = await selectCoreset(twice, { width: 2, count: 4, projectedWidth: 2, seed: 1 })
  t.equal(chosen.selected.length, 2)
  t.equal(chosen.coveringRadius, 0)
  const all = await selectCoreset(twice, { width: 2, count: 9, projectedWidth: 2, seed: 1 })
  t.same([...all.selected], [0, 1, 2, 3, 4])
  t.equal(all.coveringRadius, 0)
})

t.test('progress is told, and an abort ends the work with its reason', async (t) => {
  const values = randomRows(500, 4, 1)
  const seen: number[] = []
  const options = { width: 4, count: 200, projectedWidth: 4, seed: 1 }
  await selectCoreset(values, { ...options, onProgress: (chosen) => seen.push(chosen) })
  t.same(seen, [64, 128, 192, 200])
  const reason = new Error('enough')
  await t.rejects(selectCoreset(values, { ...options, signal: AbortSignal.abort(reason) }), reason)
})

/** Rows where each lies in the order of choice: the centres of a coreset come first. */
function centresFirst(values: Float32Array, width: number, selected: Int32Array) {
  const rows = values.length / width
  const isCentre = new Set(selected)
  const order = [
    ...selected,
    ...Array.from({ length: rows }, (_, row) => row).filter((row) => !isCentre.has(row)),
  ]
  const moved = new Float32Array(values.length)
  for (const [place, row] of order.entries())
    moved.set(values.subarray(row * width, (row + 1) * width), place * width)
  return { moved, order }
}

t.test(
  'a bank that is extended covers every row within the radius, unless it may not grow so far',
  async (t) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: 60 }),
        (seed, radius, most) => {
          const [width, bankRows] = [4, 5]
          const values = randomRows(bankRows + 100, width, seed)
          const fresh = values.subarray(bankRows * width)
          const toBank = Float32Array.from({ length: 100 }, (_, row) =>
            Math.min(
              ...Array.from({ length: bankRows }, (_, b) => distance(values, width, bankRows + row, b)),
            ),
          )
          const chosen = extendCoreset(fresh, toBank, { width, radius, most })
          const coverOf = (count: number) =>
            Array.from({ length: 100 }, (_, row) =>
              Math.min(
                toBank[row]!,
                ...[...chosen.subarray(0, count)].map((c) => distance(fresh, width, row, c)),
              ),
            )
          const covered = coverOf(chosen.length).every((nearest) => nearest <= radius + 1e-6)
          const farthestFirst = chosen.every((row, order) => {
            const before = coverOf(order)
            return before[row]! > radius - 1e-6 && before[row]! >= Math.max(...before) - 1e-6
          })
          return (
            chosen.length <= most &&
            new Set(chosen).size === chosen.length &&
            farthestFirst &&
            (covered || chosen.length === most)
          )
        },
      ),
      { numRuns: 100 },
    )
    t.pass()
  },
)

t.test('a bank that covers everything is not extended', async (t) => {
  const values = randomRows(20, 3, 1)
  const options = { width: 3, radius: 1, most: 10 }
  t.same(
    [...extendCoreset(values, new Float32Array(20).fill(1), options)],
    [],
    'exactly the radius is covered',
  )
  t.same([...extendCoreset(new Float32Array(0), new Float32Array(0), options)], [])
  t.same([...extendCoreset(values, new Float32Array(20).fill(9), { ...options, most: 0 })], [])
})

t.test('centres that were chosen before leave and are replaced like those that are chosen now', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 2, max: 30 }), async (seed, count) => {
      const width = 5
      const values = randomRows(90, width, seed)
      const first = await selectCoreset(values, { width, count, projectedWidth: width, seed })
      const { moved, order } = centresFirst(values, width, first.selected)
      const place = new Map(order.map((row, i) => [row, i]))
      const owner = Int32Array.from(order, (row) => first.cover.owner[row]!)
      const given = coresetOf({ points: moved, width }, { owner, centres: count })
      const isGone = (row: number): boolean => row % 3 === 1
      const expected = coresetWithout(
        first,
        Uint8Array.from({ length: 90 }, (_, row) => (isGone(row) ? 1 : 0)),
      )
      const found = coresetWithout(
        given,
        Uint8Array.from(order, (row) => (isGone(row) ? 1 : 0)),
      )
      return [...expected].map((row) => place.get(row)).join() === [...found].join()
    }),
    { numRuns: 60 },
  )
  t.pass()
})

t.test('rows that are to lie apart do, and what was left out lies near one that stays', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.double({ min: 0.1, max: 1, noNaN: true }),
      fc.integer({ min: 1, max: 200 }),
      async (seed, apart, count) => {
        const width = 3
        const values = randomRows(100, width, seed)
        const options = { width, count, apart, projectedWidth: width, seed }
        const { selected, coveringRadius } = await selectCoreset(values, options)
        const nearest = selected.reduce(
          (least, row, i) =>
            selected
              .subarray(0, i)
              .reduce((least, other) => Math.min(least, distance(values, width, row, other)), least),
          Infinity,
        )
        return (
          selected.length <= count &&
          nearest > apart - 1e-6 &&
          (selected.length === count || coveringRadius <= apart + 1e-6)
        )
      },
    ),
    { numRuns: 100 },
  )
  t.pass()
})
