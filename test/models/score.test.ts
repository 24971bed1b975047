import t from 'tap'
import fc from 'fast-check'
import { readFile } from 'node:fs/promises'
import { makeBank } from '../../models/bank.ts'
import { openSearch } from '../../models/nearest.ts'
import { farthestPatch, imageScore, neighbourhoodMeans, reweighting } from '../../models/score.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())

const { imageScore: golden } = JSON.parse(
  await readFile(new URL('../fixtures/decision/golden.json', import.meta.url), 'utf8'),
) as { imageScore: { width: number; cases: { bank: number[]; seedPatch: number[]; score: number }[] } }

async function scoreOf(
  bankValues: number[],
  patches: number[],
  width: number,
  voters = [1],
): Promise<number> {
  const bank = makeBank(width, Float32Array.from(bankValues))
  const queries = Float32Array.from(patches)
  const neighbours = await search.nearest({ queries, width, bank, k: 1 })
  return imageScore({ queries, width, bank, neighbours, voters: Uint8Array.from(voters), search })
}

t.test("the score is M3DM's formula, written out with torch", async (t) => {
  for (const { bank, seedPatch, score } of golden.cases) {
    const found = await scoreOf(bank, seedPatch, golden.width)
    t.ok(Math.abs(found - score) < 1e-5 * score, `${found} for ${score}`)
  }
})

t.test('only voting patches can be the farthest; when none votes, all do', async (t) => {
  const distances = Float32Array.from([1, 9, 5, 5])
  t.equal(farthestPatch(distances, Uint8Array.of(1, 1, 1, 1)), 1)
  t.equal(farthestPatch(distances, Uint8Array.of(1, 0, 1, 1)), 2, 'the first of equals')
  t.equal(farthestPatch(distances, Uint8Array.of(0, 0, 0, 0)), 1)
})

t.test('the weight stays in [0.5, 1) however far the patch and however small the bank', async (t) => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-6, max: 1e4, noNaN: true }),
      fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 2 }),
      fc.integer({ min: 4, max: 4096 }),
      (nearest, extra, width) => {
        const beside = extra.map((more) => nearest + more)
        const weight = reweighting(nearest, beside, width)
        return weight >= 0.5 - 1e-12 && weight < 1
      },
    ),
  )
  t.equal(reweighting(1e6, [1e30, 1e30], 4), 1, 'beyond the range of exp the weight is 1, not NaN')
})

t.test(
  'a patch is as far as the voting patches around it: one odd patch counts less than a patch of odd ones',
  async (t) => {
    const at = (row: number, column: number): number => row * 28 + column
    const lonely = new Float32Array(784)
    lonely[at(5, 5)] = 9
    const everyone = new Uint8Array(784).fill(1)
    t.equal(neighbourhoodMeans(lonely, everyone)[at(5, 5)], 1)
    t.equal(neighbourhoodMeans(lonely, everyone)[at(4, 6)], 1, 'its neighbours share it')
    t.equal(neighbourhoodMeans(lonely, everyone)[at(5, 7)], 0)
    const corner = new Float32Array(784)
    corner[0] = 8
    t.equal(neighbourhoodMeans(corner, everyone)[0], 2, 'a corner has three neighbours')
    const voters = new Uint8Array(784)
    voters[at(5, 5)] = voters[at(5, 6)] = 1
    t.equal(neighbourhoodMeans(lonely, voters)[at(5, 5)], 4.5, 'only voters are asked')
    t.equal(neighbourhoodMeans(lonely, voters)[at(4, 4)], 0, 'who does not vote has no say')
    t.same(
      neighbourhoodMeans(lonely, new Uint8Array(784)),
      neighbourhoodMeans(lonely, everyone),
      'none votes: all do',
    )
  },
)

t.test('banks of one, two and three rows give a score, and duplicates do not upset it', async (t) => {
  t.equal(await scoreOf([0, 0], [3, 4], 2), 2.5)
  t.ok((await scoreOf([0, 0, 1, 0], [3, 4], 2)) >= 2.2)
  t.ok((await scoreOf([0, 0, 1, 0, 0, 1], [3, 4], 2)) > 0)
  t.equal(await scoreOf([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [3, 4], 2), 2.5, 'five rows on one spot')
})
