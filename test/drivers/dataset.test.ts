import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { indexDataset } from '../../drivers/dataset.ts'

const data = process.env.RADAR_EDGE_DATA ?? join(import.meta.dirname, '../../../shared/data')

const category = () => ({
  train: {
    good: { rgb: { '10.png': '', '2.png': '', '._2.png': '' }, xyz: { '2.tiff': '', '10.tiff': '' } },
  },
  validation: {},
  test: {
    hole: { rgb: { '000.png': '' }, xyz: { '000.tiff': '', '001.npy': '' }, gt: { '000.png': '' } },
    good: { rgb: { '000.jpeg': '' } },
  },
  'readme.txt': '',
})

t.test('a category’s folder: splits in order, parts in natural order, single modalities kept', async (t) => {
  const root = t.testdir({ bolt: category() })
  const { layout, items } = await indexDataset(join(root, 'bolt'))
  t.equal(layout, 'mvtec3d')
  t.same(
    items.map(({ partId }) => partId),
    ['train/good/2', 'train/good/10', 'test/good/000', 'test/hole/000', 'test/hole/001'],
  )
  const at = (name: string) => join(root, 'bolt', name)
  t.same(items[3], {
    partId: 'test/hole/000',
    category: 'bolt',
    split: 'test',
    label: 'hole',
    rgbPath: at('test/hole/rgb/000.png'),
    xyzPath: at('test/hole/xyz/000.tiff'),
    maskPath: at('test/hole/gt/000.png'),
  })
  t.notOk('xyzPath' in items[2]!, 'no 3D file, no path')
  t.notOk('rgbPath' in items[4]!, 'no picture, no path')
})

t.test('a folder of categories: the category leads the part’s name', async (t) => {
  const { items } = await indexDataset(t.testdir({ nut: category(), bolt: category() }))
  t.equal(items.length, 10)
  t.match(items[0], { partId: 'bolt/train/good/2', category: 'bolt' })
  t.match(items[9], { partId: 'nut/test/hole/001', category: 'nut' })
})

t.test('loose files pair by stem, so that a missing one shifts nothing', async (t) => {
  const root = t.testdir({
    'a.png': '',
    'c.JPG': '',
    'b.tiff': '',
    'c.ply': '',
    'd.pcd': '',
    'e.npy': '',
    'notes.txt': '',
  })
  const { layout, items } = await indexDataset(root)
  t.equal(layout, 'pairs')
  t.same(
    items.map(({ partId, rgbPath, xyzPath }) => [partId, rgbPath && 'rgb', xyzPath && 'xyz']),
    [
      ['a', 'rgb', undefined],
      ['b', undefined, 'xyz'],
      ['c', 'rgb', 'xyz'],
      ['d', undefined, 'xyz'],
      ['e', undefined, 'xyz'],
    ],
  )
  t.match(items[0], { split: 'loose', label: 'unlabelled' })
})

t.test('two files for one part are an error that names both', async (t) => {
  const loose = t.testdir({ 'a.tif': '', 'a.tiff': '' })
  await t.rejects(indexDataset(loose), { code: 'DATASET_AMBIGUOUS', message: /a\.tif and .*a\.tiff/ })
})

t.test('a mask of no part is an error', async (t) => {
  const root = t.testdir({ test: { hole: { rgb: { '000.png': '' }, gt: { '001.png': '' } } } })
  await t.rejects(indexDataset(root), { code: 'DATASET_AMBIGUOUS', message: /001\.png: a mask of no part/ })
})

t.test('a folder without parts, or no folder at all, is refused', async (t) => {
  const root = t.testdir({ 'readme.txt': '', sub: {} })
  await t.rejects(indexDataset(root), { code: 'DATASET_EMPTY', message: /train, validation or test/ })
  await t.rejects(indexDataset(join(root, 'none')), { code: 'DATASET_UNREADABLE', cause: { code: 'ENOENT' } })
})

t.test(
  'the real class has the parts that it should have',
  { skip: existsSync(data) ? false : `SKIP: no data at ${data}` },
  async (t) => {
    const { items } = await indexDataset(join(data, 'mvtec3d/cable_gland'))
    const count = (split: string) => items.filter((item) => item.split === split).length
    t.same([count('train'), count('validation'), count('test')], [60, 10, 40])
    t.ok(items.every(({ rgbPath, xyzPath }) => rgbPath && xyzPath))
    t.equal(items.filter(({ label, maskPath }) => label !== 'good' && maskPath).length, 32)
  },
)
