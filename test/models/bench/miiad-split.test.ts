import fc from 'fast-check'
import t from 'tap'
import {
  fullPartId,
  nominalCounts,
  splitByRule,
  type SplitPart,
  type SplitRequest,
} from '../../../models/bench/miiad-split.ts'

type Sides = Readonly<Record<string, number>>

function partsOf(category: string, { train = 0, validation = 0, ...labels }: Sides): SplitPart[] {
  const many = (split: SplitPart['split'], label: string, count: number): SplitPart[] =>
    Array.from({ length: count }, (_, n) => ({
      partId: `${category}/${split}/${label}/${String(n).padStart(3, '0')}`,
      category,
      split,
      label,
    }))
  return [
    ...many('train', 'good', train),
    ...many('validation', 'good', validation),
    ...Object.entries(labels).flatMap(([label, count]) => many('test', label, count)),
  ]
}

const request = (over: Partial<SplitRequest> = {}): SplitRequest => ({
  kind: 'xyz',
  rate: 0.3,
  where: 'both',
  seed: 1,
  ...over,
})

/** Parts by condition, of those that `of` picks. */
function countsOf(
  parts: readonly SplitPart[],
  asked: SplitRequest,
  of: (part: SplitPart) => boolean = () => true,
) {
  const { conditions } = splitByRule(parts, asked)
  const counts = { complete: 0, 'rgb-only': 0, 'xyz-only': 0 }
  for (const part of parts.filter(of)) counts[conditions[fullPartId(part)]!]++
  return counts
}

t.test('every number of the paper’s Tables 1 and 2 comes of rounding to the nearest 10', async (t) => {
  const of = (train: number, test: number, kind: SplitRequest['kind'], rate: number) => {
    const [trained, tested] = [nominalCounts(train, { kind, rate }), nominalCounts(test, { kind, rate })]
    return [trained.xyz, trained.rgb, tested.xyz, tested.rgb]
  }
  // Rate, kind; xyz and rgb in train, xyz and rgb in test.
  const tables = [
    [0.3, 'xyz', [1860, 2656, 840, 1197], [7000, 10000, 2800, 4000]],
    [0.3, 'rgb', [2656, 1860, 1197, 840], [10000, 7000, 4000, 2800]],
    [0.3, 'both', [2260, 2260, 1020, 1020], [8500, 8500, 3400, 3400]],
    [0.5, 'xyz', [1330, 2656, 600, 1197], [5000, 10000, 2000, 4000]],
    [0.5, 'rgb', [2656, 1330, 1197, 600], [10000, 5000, 4000, 2000]],
    [0.5, 'both', [1990, 1990, 900, 900], [7500, 7500, 3000, 3000]],
    [0.7, 'xyz', [800, 2656, 360, 1197], [3000, 10000, 1200, 4000]],
    [0.7, 'rgb', [2656, 800, 1197, 360], [10000, 3000, 4000, 1200]],
    [0.7, 'both', [1730, 1730, 780, 780], [6500, 6500, 2600, 2600]],
  ] as const
  for (const [rate, kind, mvtec, eyecandies] of tables) {
    t.same(of(2656, 1197, kind, rate), mvtec, `Table 1, ${kind} at ${rate}`)
    t.same(of(10000, 4000, kind, rate), eyecandies, `Table 2, ${kind} at ${rate}`)
  }
  t.same(nominalCounts(2656, { kind: 'none', rate: 0 }), { xyz: 2656, rgb: 2656 })
})

const sides = fc.record({
  train: fc.nat(60),
  validation: fc.nat(20),
  good: fc.nat(30),
  hole: fc.nat(15),
  cut: fc.nat(15),
})
const asked = fc.record({
  kind: fc.constantFrom('xyz' as const, 'rgb' as const, 'both' as const),
  rate: fc.integer({ min: 1, max: 100 }).map((percent) => percent / 100),
  where: fc.constantFrom('both' as const, 'train' as const, 'test' as const),
  seed: fc.nat(1000),
})

t.test(
  'of every class and split exactly round-half-up(n * rate) parts lack what the kind says',
  async (t) => {
    fc.assert(
      fc.property(sides, asked, (counts, { kind, rate, where, seed }) => {
        const parts = [...partsOf('nut', counts), ...partsOf('gear', { train: 7, good: 3 })]
        for (const split of ['train', 'validation', 'test'] as const) {
          const of = (part: SplitPart) => part.category === 'nut' && part.split === split
          const found = countsOf(parts, { kind, rate, where, seed }, of)
          const total = parts.filter(of).length
          const isSpared = where === (split === 'test' ? 'train' : 'test')
          // In whole per cents, so that the half is one.
          const missing = isSpared ? 0 : Math.floor((total * Math.round(rate * 100) + 50) / 100)
          const withoutXyz = kind === 'both' ? Math.ceil(missing / 2) : kind === 'xyz' ? missing : 0
          t.same(found, {
            complete: total - missing,
            'rgb-only': withoutXyz,
            'xyz-only': missing - withoutXyz,
          })
        }
      }),
      { numRuns: 200 },
    )
  },
)

t.test('every label of test has its share, within one part, of each condition', async (t) => {
  fc.assert(
    fc.property(sides, asked, (counts, over) => {
      const parts = partsOf('nut', counts)
      for (const label of ['good', 'hole', 'cut'] as const) {
        const found = countsOf(
          parts,
          { ...over, where: 'both' },
          (part) => part.split === 'test' && part.label === label,
        )
        const missing = found['rgb-only'] + found['xyz-only']
        t.ok(Math.abs(missing - counts[label] * over.rate) < 1 + 1e-9, `${label} ${missing}`)
        if (over.kind === 'both') t.ok(Math.abs(found['rgb-only'] - found['xyz-only']) <= 1)
      }
    }),
    { numRuns: 200 },
  )
})

t.test('a split depends on neither the order of the parts nor on what other classes there are', async (t) => {
  fc.assert(
    fc.property(sides, asked, fc.nat(), (counts, over, turn) => {
      const parts = partsOf('nut', counts)
      const { conditions } = splitByRule(parts, over)
      const moved = [...parts.slice(turn % (parts.length + 1)), ...parts.slice(0, turn % (parts.length + 1))]
      t.same(splitByRule(moved.reverse(), over).conditions, conditions)
      const beside = splitByRule([...partsOf('gear', { train: 9, good: 2 }), ...parts], over).conditions
      t.match(beside, conditions)
      t.same(Object.keys(conditions), Object.keys(conditions).sort(), 'parts are listed in order')
    }),
    { numRuns: 100 },
  )
})

t.test('seeds, rates and kinds draw other parts; train is the same with test complete or not', async (t) => {
  const parts = partsOf('nut', { train: 60, good: 20 })
  const missingIn = (over: Partial<SplitRequest>, split = 'train') => {
    const { conditions } = splitByRule(parts, request(over))
    return Object.keys(conditions)
      .filter((partId) => conditions[partId] !== 'complete' && partId.startsWith(`nut/${split}/`))
      .join()
  }
  t.not(missingIn({ seed: 1 }), missingIn({ seed: 2 }))
  t.not(missingIn({ kind: 'xyz' }), missingIn({ kind: 'rgb' }))
  t.notOk(missingIn({ rate: 0.7 }).startsWith(missingIn({ rate: 0.3 })))
  t.equal(missingIn({ where: 'train' }), missingIn({ where: 'both' }))
  t.equal(missingIn({ where: 'test' }, 'test'), missingIn({ where: 'both' }, 'test'))
  t.equal(missingIn({ where: 'test' }), '')
})

t.test(
  'labels of equal size take turns: the odd parts do not always go to the first in the alphabet',
  async (t) => {
    const labels = ['a', 'b', 'c', 'd', 'e', 'f']
    const parts = partsOf('nut', Object.fromEntries(labels.map((label) => [label, 5])))
    const rich = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      for (const label of labels) {
        const { complete } = countsOf(parts, request({ seed }), (part) => part.label === label)
        if (complete === 3) rich.add(label)
      }
    }
    t.same([...rich].sort(), labels)
  },
)

t.test('at rate 1 no part is complete and none has nothing; at rate 0 all are complete', async (t) => {
  const parts = partsOf('nut', { train: 5, good: 4, hole: 3 })
  t.same(countsOf(parts, request({ kind: 'xyz', rate: 1 })), { complete: 0, 'rgb-only': 12, 'xyz-only': 0 })
  t.same(countsOf(parts, request({ kind: 'both', rate: 1 })), { complete: 0, 'rgb-only': 7, 'xyz-only': 5 })
  t.same(countsOf(parts, request({ kind: 'none', rate: 0 })), { complete: 12, 'rgb-only': 0, 'xyz-only': 0 })
})

t.test('a part has the same name whether its class or the folder of classes was indexed', async (t) => {
  const [part] = partsOf('nut', { train: 1 })
  const alone = { ...part!, partId: 'train/good/000' }
  t.equal(fullPartId(alone), 'nut/train/good/000')
  t.equal(fullPartId(part!), 'nut/train/good/000')
  t.same(splitByRule([alone], request()), splitByRule([part!], request()))
})

t.test('what is no split is refused', async (t) => {
  const parts = partsOf('nut', { train: 3 })
  t.throws(() => splitByRule(parts, request({ rate: 1.2 })), /missing rate of 1\.2/)
  t.throws(() => splitByRule(parts, request({ rate: Number.NaN })), /missing rate of NaN/)
  t.throws(() => splitByRule(parts, request({ rate: 0 })), /'none' is what a rate of 0 is called/)
  t.throws(() => splitByRule(parts, request({ kind: 'none' })), /'none'/)
  const loose: SplitPart = { partId: 'a', category: 'x', split: 'loose', label: 'unlabelled' }
  t.throws(() => splitByRule([loose], request()), /'a' is of no split/)
})
