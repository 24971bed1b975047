import path from 'node:path'
import t from 'tap'
import { checkSplit, readSplitFile, type SplitFile } from '../../../models/bench/miiad-split-file.ts'
import { SPLIT_RULE, splitByRule, type SplitPart } from '../../../models/bench/miiad-split.ts'

const part = (category: string, number: number): SplitPart => ({
  partId: `${category}/train/good/${number}`,
  category,
  split: 'train',
  label: 'good',
})
const nuts = [1, 2, 3, 4].map((number) => part('nut', number))
const split = splitByRule(nuts, { kind: 'both', rate: 0.5, where: 'both', seed: 3 })
const sound: SplitFile = {
  schema: 'radar-edge/miiad-splits@1',
  rule: SPLIT_RULE,
  dataset: 'nuts',
  splits: [{ ...split }],
}

t.test('what was written is read again, and fits the parts it was made for', async (t) => {
  const folder = t.testdir({ 'splits.json': JSON.stringify(sound) })
  const read = await readSplitFile(path.join(folder, 'splits.json'))
  t.same(read, sound)
  t.doesNotThrow(() => checkSplit(read.splits[0]!, nuts))
})

t.test('a file that is none is refused, with the place and what was expected there', async (t) => {
  const first = { ...split }
  const cases: [name: string, text: string, said: RegExp][] = [
    ['not JSON', '{', /cannot be read as JSON/],
    ['other schema', JSON.stringify({ ...sound, schema: 'x' }), /schema/],
    ['no rule', JSON.stringify({ ...sound, rule: undefined }), /rule/],
    ['no splits', JSON.stringify({ ...sound, splits: [] }), /splits/],
    ['a rate of 30', JSON.stringify({ ...sound, splits: [{ ...first, rate: 30 }] }), /splits\[0\]\.rate/],
    [
      'a part with nothing',
      JSON.stringify({ ...sound, splits: [{ ...first, conditions: { a: 'none' } }] }),
      /"complete"/,
    ],
    [
      'none at a rate',
      JSON.stringify({ ...sound, splits: [{ ...first, kind: 'none' }] }),
      /rate of 0 are the same/,
    ],
    ['more than is known', JSON.stringify({ ...sound, extra: 1 }), /extra/],
  ]
  for (const [name, text, said] of cases) {
    const file = path.join(t.testdir({ 'splits.json': text }), 'splits.json')
    await t.rejects(readSplitFile(file), { code: 'SPLIT_UNREADABLE', message: said }, name)
  }
  await t.rejects(readSplitFile('/no/such/file'), { code: 'SPLIT_UNREADABLE', message: /such\/file/ })
})

t.test('a split of other parts is refused; classes that are left out may stand in it', async (t) => {
  const wider = splitByRule([...nuts, part('gear', 1)], { kind: 'xyz', rate: 0.5, where: 'both', seed: 1 })
  t.doesNotThrow(() => checkSplit(wider, nuts))
  t.throws(() => checkSplit(split, [...nuts, part('nut', 5)]), {
    code: 'SPLIT_MISMATCH',
    message: /seed 3, says nothing of 1 of 5 parts, such as 'nut\/train\/good\/5'/,
  })
  t.throws(() => checkSplit(split, nuts.slice(1)), {
    code: 'SPLIT_MISMATCH',
    message: /names 1 parts that the data set has not, such as 'nut\/train\/good\/1'/,
  })
})
