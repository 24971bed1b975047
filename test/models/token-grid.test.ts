import { readFile } from 'node:fs/promises'
import t from 'tap'
import { foregroundPatches, poolTokens, type Tokens } from '../../models/token-grid.ts'

interface Case {
  readonly name: keyof typeof inside
  readonly seed: number
  readonly centres: number
  readonly width: number
  readonly duplicates: number
  readonly points: number
  readonly base64: string
}

/** The regions of test/fixtures/token-grid/make.py. */
const inside = {
  all: (_row: number, _column: number) => true,
  ring(row: number, column: number) {
    const square = (row - 100) ** 2 + (column - 130) ** 2
    return 40 ** 2 < square && square < 85 ** 2
  },
  speck: (row: number, column: number) => row >= 100 && row < 103 && column >= 7 && column < 11,
}

/** The inputs of make.py. */
function inputs({ name, seed, centres, width, duplicates }: Case): Tokens {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 8) / 2 ** 24
  }
  const pixels: number[] = []
  const points: number[] = []
  for (let row = 0; row < 224; row++) {
    for (let column = 0; column < 224; column++) {
      if (!inside[name](row, column)) continue
      pixels.push(row * 224 + column)
      points.push(column / 2048 + random() / 4096, row / 2048 + random() / 4096, 0.5 + random() / 64)
    }
  }
  const distinct = centres - duplicates
  const chosen = Array.from({ length: centres }, (_, k) =>
    k < distinct ? Math.floor((k * pixels.length) / centres) : 0,
  )
  const tokens = Float32Array.from({ length: centres * width }, () => 2 * random() - 1)
  for (let k = distinct; k < centres; k++) tokens.copyWithin(k * width, 0, width)
  return {
    pointsMetres: Float32Array.from(points),
    pixels: Uint32Array.from(pixels),
    centres: Float32Array.from(chosen.flatMap((i) => points.slice(i * 3, i * 3 + 3))),
    tokens,
    width,
  }
}

t.test("one sparse matrix equals torch's interpolation, scatter and two poolings", async (t) => {
  const file = new URL('../fixtures/token-grid/expected.json', import.meta.url)
  const cases = JSON.parse(await readFile(file, 'utf8')) as Case[]
  t.same(
    cases.map(({ name }) => name),
    ['all', 'ring', 'speck'],
  )
  for (const each of cases) {
    const given = inputs(each)
    t.equal(given.pixels.length, each.points)
    const bytes = Buffer.from(each.base64, 'base64')
    const expected = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    const pooled = poolTokens(given)
    t.equal(pooled.length, expected.length)
    const worst = pooled.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at]!)), 0)
    t.ok(worst < 1e-6, `${each.name}: worst difference ${worst}`)
    t.ok(
      pooled.every((value, at) => (value === 0) === (expected[at] === 0)),
      `${each.name}: zero in the same places`,
    )
  }
})

t.test('full cover with one token everywhere gives that token everywhere', async (t) => {
  const file = new URL('../fixtures/token-grid/expected.json', import.meta.url)
  const [all] = JSON.parse(await readFile(file, 'utf8')) as Case[]
  const given = inputs(all!)
  const pooled = poolTokens({ ...given, tokens: given.tokens.fill(0.75) })
  t.ok(pooled.every((value) => Math.abs(value - 0.75) < 1e-6))
})

t.test("one centre is everybody's nearest", async (t) => {
  const pooled = poolTokens({
    pointsMetres: Float32Array.of(0, 0, 1, 0, 0.1, 1),
    pixels: Uint32Array.of(116 * 224 + 116, 116 * 224 + 117),
    centres: Float32Array.of(0, 0, 1),
    tokens: Float32Array.of(1),
    width: 1,
  })
  // Row and columns lie inside window 14 (111 to 118 of the averaged 222), away from its rim: 2 of 8 x 8 pixels.
  t.same(
    [...pooled.entries()].filter(([, value]) => value !== 0),
    [[14 * 28 + 14, 2 / 64]],
  )
})

t.test('a patch votes from a quarter of its pixels on', async (t) => {
  const foreground = new Uint8Array(224 * 224)
  const paint = (patchRow: number, patchColumn: number, pixels: number) => {
    for (let n = 0; n < pixels; n++) {
      foreground[(patchRow * 8 + Math.floor(n / 8)) * 224 + patchColumn * 8 + (n % 8)] = 1
    }
  }
  paint(0, 0, 16)
  paint(0, 1, 15)
  paint(27, 27, 64)
  paint(13, 5, 24)
  const patches = foregroundPatches(foreground)
  t.same(
    [...patches.entries()].filter(([, votes]) => votes === 1).map(([patch]) => patch),
    [0, 13 * 28 + 5, 27 * 28 + 27],
  )
  t.ok(foregroundPatches(new Uint8Array(224 * 224).fill(1)).every((votes) => votes === 1))
})
