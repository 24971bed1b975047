import { cpSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { indexDataset } from '../../../drivers/dataset.ts'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { benchMiiad, splitRequests } from '../../../models/bench/miiad.ts'
import { METHODS } from '../../../models/bench/miiad-methods.ts'
import { copyTinyBundle, editManifest, overwriteRgbWeight, TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const root = t.testdir({})
const dataFolder = path.join(root, 'data')
await writeDataset({
  root: dataFolder,
  categories: ['cookie'],
  size: 96,
  train: 7,
  validation: 2,
  testGood: 3,
  testPerDefect: 1,
  seed: 5,
  signal: new AbortController().signal,
})
const options = {
  bundleFolder: TINY_BUNDLE,
  dataFolder,
  splits: [{ kind: 'both', rate: 0.3, where: 'both', seed: 1 }],
  threads: 1,
  byteBudget: 200_000,
  falseRejectRate: 0.05,
  bootstrapResamples: 20,
} as const

t.test(
  'a class in a split: every method has its figures on what it sees, the split is written out',
  async (t) => {
    const phases = new Set<string>()
    const { measured, splitFile } = await benchMiiad({
      ...options,
      onProgress: ({ phase }) => phases.add(phase),
    })
    const { items } = await indexDataset(dataFolder)
    t.same(Object.keys(splitFile.splits[0]!.conditions), items.map(({ partId }) => partId).sort())
    t.equal(measured.dataset, 'data')
    t.match(measured.splits, [{ category: 'cookie', taught: { complete: 6, 'rgb-only': 2, 'xyz-only': 1 } }])
    t.same(
      measured.cells.map(({ method, on }) => `${method} ${on}`).sort(),
      [
        ...METHODS.filter((method) => method !== 'rgb-only' && method !== 'xyz-only').map(
          (name) => `${name} all`,
        ),
        'radar rgb',
        'radar xyz',
        'rgb-only rgb',
        'xyz-only xyz',
      ].sort(),
    )
    for (const { method, on, figures, decisions } of measured.cells) {
      const name = `${method} on ${on}`
      t.ok(
        figures.good > 0 && figures.defective > 0 && figures.imageAuroc !== null && figures.aupro !== null,
        name,
      )
      t.equal(decisions !== undefined, method.startsWith('radar') && on === 'all', name)
    }
    const radar = measured.cells.find(({ method, on }) => method === 'radar' && on === 'rgb')
    const single = measured.cells.find(({ method }) => method === 'rgb-only')
    t.equal(radar?.figures.good, single?.figures.good, 'compared on the same parts')
    t.same([...phases], ['cookie: encoding', 'cookie, split 1 of 1: 30 % rgb or xyz missing, seed 1'])

    const again = await benchMiiad({ ...options, splits: splitFile, methods: ['radar'] })
    t.same(
      again.measured.cells,
      measured.cells.filter(({ method }) => method === 'radar'),
      'the file in place of the rule gives the same figures',
    )
  },
)

t.test('what cannot be taught is a gap with its reason', async (t) => {
  const { measured } = await benchMiiad({
    ...options,
    methods: ['radar'],
    splits: [{ kind: 'xyz', rate: 1, where: 'both', seed: 1 }],
  })
  t.same(measured.cells, [])
  t.match(measured.gaps, [{ category: 'cookie', method: 'radar', kind: 'xyz', rate: 1, why: /at least 3/ }])
})

t.test('an ablation has the same encoders, or is refused', async (t) => {
  const folder = path.join(root, 'ablation')
  mkdirSync(folder)
  copyTinyBundle(folder)
  editManifest(folder, (manifest) => ({ ...manifest, version: '9.9.9' }))
  const methods = ['radar', 'radar:same']
  const ablations = [{ name: 'same', folder }]
  const { measured } = await benchMiiad({ ...options, methods, ablations })
  const [own, same] = methods.map((name) =>
    measured.cells.filter(({ method, on }) => method === name && on === 'all'),
  )
  t.same(
    same!.map(({ figures }) => figures),
    own!.map(({ figures }) => figures),
  )
  t.match(measured.ablations, [{ name: 'same', bundle: /^[0-9a-f]{64}$/ }])

  const foreign = path.join(root, 'foreign')
  cpSync(folder, foreign, { recursive: true })
  overwriteRgbWeight(foreign, 0.5)
  await t.rejects(
    benchMiiad({ ...options, ablations: [{ name: 'x', folder: foreign }] }),
    /ablation 'x' has another rgb encoder/,
  )
  const otherwise = path.join(root, 'otherwise')
  cpSync(folder, otherwise, { recursive: true })
  editManifest(otherwise, ({ input, ...manifest }) => ({
    ...manifest,
    input: { ...input, rgb: { ...input.rgb, mean: [0, 0, 0] } },
  }))
  await t.rejects(benchMiiad({ ...options, ablations: [{ name: 'x', folder: otherwise }] }), /another way/)
})

t.test('an unknown class or method, and a split of other data, are refused before any work', async (t) => {
  await t.rejects(benchMiiad({ ...options, classes: ['bagel'] }), /no class 'bagel'/)
  await t.rejects(
    benchMiiad({ ...options, methods: ['m4dm'] }),
    /no method is called 'm4dm', expected some of rgb-only/,
  )
  const split = {
    kind: 'none',
    rate: 0,
    where: 'both',
    seed: 1,
    conditions: { 'cookie/train/good/0': 'complete' },
  } as const
  const splits = {
    schema: 'radar-edge/miiad-splits@1',
    rule: 'mine',
    dataset: 'x',
    splits: [{ ...split }],
  } as const
  await t.rejects(benchMiiad({ ...options, splits: { ...splits, splits: [{ ...split }] } }), {
    code: 'SPLIT_MISMATCH',
  })
  const reason = new Error('enough')
  await t.rejects(benchMiiad({ ...options, signal: AbortSignal.abort(reason) }), reason)
})

t.test('every kind is asked for at every rate, a rate of 0 once', async (t) => {
  const asked = splitRequests({
    kinds: ['xyz', 'rgb', 'xyz'],
    rates: [0, 0.3],
    where: 'train',
    seeds: [1, 2, 2],
  })
  t.same(
    asked.map(({ kind, rate, where, seed }) => `${kind} ${rate} ${where} ${seed}`),
    [
      'none 0 both 1',
      'xyz 0.3 train 1',
      'rgb 0.3 train 1',
      'none 0 both 2',
      'xyz 0.3 train 2',
      'rgb 0.3 train 2',
    ],
  )
})
