import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromArrayBuffer } from 'geotiff'
import sharp from 'sharp'
import t from 'tap'
import { CATEGORIES } from '../../../drivers/synthetic/catalogue.ts'
import { writeDataset, type DatasetOptions } from '../../../drivers/synthetic/dataset.ts'

const options = (root: string): DatasetOptions => ({
  root,
  categories: ['gear', 'jar-lid'],
  size: 24,
  train: 2,
  validation: 1,
  testGood: 1,
  testPerDefect: 1,
  seed: 5,
  signal: new AbortController().signal,
})
const perCategory = (name: 'gear' | 'jar-lid'): number => 4 + CATEGORIES[name].defects.length
const total = perCategory('gear') + perCategory('jar-lid')

t.test('a data set is read back as it was laid out', async (t) => {
  const root = t.testdir()
  const seen: number[] = []
  const result = await writeDataset({ ...options(root), onProgress: ({ done }) => seen.push(done) })
  t.same(result, { written: total, kept: 0 })
  t.same(
    seen,
    Array.from({ length: total }, (_, index) => index + 1),
  )
  t.same(await readdir(join(root, 'gear')), ['test', 'train', 'validation'])
  t.same((await readdir(join(root, 'gear/test'))).sort(), ['good', ...CATEGORIES.gear.defects].sort())
  t.same(await readdir(join(root, 'gear/train/good/rgb')), ['000.png', '001.png'])
  t.same(await readdir(join(root, 'gear/train/good')), ['rgb', 'xyz'], 'only test parts have a mask')

  const picture = await sharp(join(root, 'gear/train/good/rgb/000.png')).metadata()
  t.match(picture, { width: 24, height: 24, channels: 3, depth: 'uchar' })
  const mask = sharp(join(root, 'jar-lid/test/stain/gt/000.png'))
  t.match(await mask.metadata(), { width: 24, height: 24, channels: 1, depth: 'uchar' })
  t.same([...new Set(await mask.raw().toBuffer())].sort(), [0, 255])
  const good = await sharp(join(root, 'jar-lid/test/good/gt/000.png')).raw().toBuffer()
  t.ok(good.every((value) => value === 0))

  const tiff = await readFile(join(root, 'gear/train/good/xyz/001.tiff'))
  const file = await fromArrayBuffer(
    tiff.buffer.slice(tiff.byteOffset, tiff.byteOffset + tiff.length) as ArrayBuffer,
  )
  const points = (await (await file.getImage()).readRasters({ interleave: true })) as unknown as Float32Array
  t.equal(points.length, 24 * 24 * 3)
  t.ok(points.some((value) => value !== 0) && points.every((value) => Math.abs(value) < 1))
})

t.test('no part is shown twice', async (t) => {
  const root = t.testdir()
  await writeDataset({ ...options(root), categories: ['gear'] })
  const pictures = (await readdir(root, { recursive: true })).filter((file) => /rgb.*png$/.test(file))
  const contents = await Promise.all(pictures.map((file) => readFile(join(root, file), 'base64')))
  t.equal(new Set(contents).size, perCategory('gear'))
})

t.test('a broken-off run is continued, with the same bytes', async (t) => {
  const root = t.testdir()
  const control = new AbortController()
  const stopped = new Error('stopped')
  await t.rejects(
    writeDataset({
      ...options(root),
      signal: control.signal,
      onProgress: ({ done }) => {
        if (done === 3) control.abort(stopped)
      },
    }),
    stopped,
  )
  const first = join(root, 'gear/train/good/xyz/000.tiff')
  const before = await stat(first)
  t.same(await writeDataset(options(root)), { written: total - 3, kept: 3 })
  t.equal((await stat(first)).mtimeMs, before.mtimeMs)
  const lost = join(root, 'jar-lid/test/dent')
  await rm(join(lost, 'xyz/000.tiff'))
  const rgb = await readFile(join(lost, 'rgb/000.png'))
  t.same(await writeDataset(options(root)), { written: 1, kept: total - 1 })
  t.same(await readFile(join(lost, 'rgb/000.png')), rgb)
})

t.test('another seed starts over', async (t) => {
  const root = t.testdir()
  await writeDataset({ ...options(root), categories: ['gear'] })
  t.match(await writeDataset({ ...options(root), categories: ['gear'], seed: 6 }), { kept: 0 })
})
