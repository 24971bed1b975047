import path from 'node:path'
import t from 'tap'
import { writeDataset } from '../../../drivers/synthetic/dataset.ts'
import { openPartSupply, type SupplySource } from '../../../models/bench/part-supply.ts'

const { signal } = new AbortController()
const folder = path.join(t.testdir({}), 'data')
await writeDataset({
  root: folder,
  categories: ['hex-nut'],
  size: 48,
  train: 3,
  validation: 1,
  testGood: 1,
  testPerDefect: 2,
  seed: 5,
  signal,
})

const sources: Readonly<Record<string, SupplySource>> = {
  'a class folder': { kind: 'class', folder: path.join(folder, 'hex-nut') },
  'a synthetic product': { kind: 'synthetic', category: 'hex-nut', size: 48, seed: 2 },
}

for (const [name, source] of Object.entries(sources)) {
  t.test(`${name}: parts with both modalities, the same each time, darker under an aged lamp`, async (t) => {
    const supply = await openPartSupply(source, signal)
    t.teardown(() => supply.close())
    t.equal(supply.product, 'hex-nut')
    const [part] = supply.good(1)
    const [new1, new2, old] = [
      await part!.sample(0, signal),
      await part!.sample(0, signal),
      await part!.sample(1, signal),
    ]
    t.equal(new1.condition, 'complete')
    t.same(new1.frames.rgb!.pixels, new2.frames.rgb!.pixels)
    t.same(new1.frames.xyz!.pointsMetres, old.frames.xyz!.pointsMetres, 'the 3D sensor has its own light')
    const light = (pixels: Uint8Array) => pixels.reduce((sum, level) => sum + level, 0)
    t.ok(light(old.frames.rgb!.pixels) < light(new1.frames.rgb!.pixels))
    t.equal(await part!.defectPatches(), undefined)
  })

  t.test(`${name}: defective parts take turns by kind and say where the defect is`, async (t) => {
    const supply = await openPartSupply(source, signal)
    t.teardown(() => supply.close())
    const parts = supply.defective(2)
    const kinds = new Set(parts.map(({ label }) => label))
    t.equal(parts.length, 2 * kinds.size)
    t.same(
      parts.slice(0, kinds.size).map(({ label }) => label),
      [...kinds],
      'one of each kind before the second of any',
    )
    t.equal(new Set(parts.map(({ partId }) => partId)).size, parts.length)
    const patches = await Promise.all(parts.map((part) => part.defectPatches()))
    t.ok(patches.some((of) => of?.includes(1)))
  })
}

t.test('a class folder gives what it has, in the order of its splits', async (t) => {
  const supply = await openPartSupply(sources['a class folder']!, signal)
  t.teardown(() => supply.close())
  t.same(
    supply.good(100).map(({ partId }) => partId),
    ['train/good/000', 'train/good/001', 'train/good/002', 'validation/good/000', 'test/good/000'],
  )
})
