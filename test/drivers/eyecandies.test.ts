import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { indexDataset } from '../../drivers/dataset.ts'
import { readEyecandiesDepth } from '../../drivers/eyecandies.ts'
import { replayStation } from '../../drivers/replay.ts'
import { deepPngFile, greyPngFile, pngFile } from '../support/point-map-files.ts'

const never = new AbortController().signal
const SIDE = 8

interface Candy {
  readonly folder: string
  readonly stem: string
  /** Kinds of defect that have something in their mask; undefined: no masks at all. */
  readonly defects?: readonly string[]
}

/** All 17 items of a sample, tiny: depth 13107 (a fifth) at (5,2), else 0, of a range from 4 to 6.5. */
async function writeCandy(root: string, { folder, stem, defects }: Candy): Promise<void> {
  const data = path.join(root, folder, 'data')
  await mkdir(data, { recursive: true })
  const write = (item: string, bytes: Uint8Array | string) =>
    writeFile(path.join(data, `${stem}_${item}`), bytes)
  for (let light = 0; light < 6; light++)
    await write(`image_${light}.png`, await pngFile(SIDE, SIDE, 10 * light))
  await write('normals.png', await pngFile(SIDE, SIDE))
  await write('depth.png', await deepPngFile(SIDE, SIDE, depths()))
  await write('info_depth.yaml', 'normalization:\n  max: 6.5\n  min: 4.0\n')
  await write('pose.txt', '1 0 0 0\n0 1 0 0\n0 0 1 9\n0 0 0 1\n')
  await write('obj_params.yaml', '{}')
  if (!defects) return
  await write('metadata.yaml', '{}')
  const mask = (isMarked: boolean) =>
    greyPngFile(SIDE, SIDE, new Uint8Array(SIDE * SIDE).fill(isMarked ? 255 : 0, 0, 3))
  for (const kind of ['bumps', 'dents', 'colors', 'normals']) {
    await write(`${kind}_mask.png`, await mask(defects.includes(kind)))
  }
  await write('mask.png', await mask(defects.length > 0))
}

function depths(): Uint16Array {
  const counts = new Uint16Array(SIDE * SIDE)
  counts[2 * SIDE + 5] = 13107
  return counts
}

async function candies(t: Test): Promise<string> {
  const root = t.testdir()
  const write = (folder: string, stem: string, defects?: readonly string[]) =>
    writeCandy(root, { folder: `Lollipop/${folder}`, stem, ...(defects && { defects }) })
  await write('train', '000', [])
  await write('train', '001', [])
  await write('val', '00', [])
  await write('test_public', '00', ['colors', 'bumps'])
  await write('test_public', '01', [])
  await write('test_public', '02', ['dents'])
  await write('test_private', '000')
  return root
}

t.test(
  'the three labelled folders are train, validation and test; the label is the kinds of defect',
  async (t) => {
    const root = await candies(t)
    const { layout, items, remarks } = await indexDataset(root)
    t.equal(layout, 'eyecandies')
    t.same(
      items.map(({ partId, split, label }) => [partId, split, label]),
      [
        ['Lollipop/train/good/000', 'train', 'good'],
        ['Lollipop/train/good/001', 'train', 'good'],
        ['Lollipop/validation/good/00', 'validation', 'good'],
        ['Lollipop/test/good/01', 'test', 'good'],
        ['Lollipop/test/bad/00', 'test', 'bumps+colors'],
        ['Lollipop/test/bad/02', 'test', 'dents'],
      ],
    )
    const data = path.join(root, 'Lollipop/test_public/data')
    t.match(items[5], {
      category: 'Lollipop',
      rgbPath: path.join(data, '02_image_4.png'),
      xyzPath: path.join(data, '02_depth.png'),
      maskPath: path.join(data, '02_mask.png'),
    })
    t.notOk('maskPath' in items[0]!)
    t.match(remarks, [/Lollipop\/test_private is left out: its labels and masks are not published/])
  },
)

t.test('a class can be indexed alone, and only the private parts cannot', async (t) => {
  const root = await candies(t)
  const { items } = await indexDataset(path.join(root, 'Lollipop'))
  t.equal(items[0]?.partId, 'train/good/000')
  for (const folder of ['train', 'val', 'test_public']) {
    await rm(path.join(root, 'Lollipop', folder), { recursive: true })
  }
  await t.rejects(indexDataset(root), {
    code: 'DATASET_EMPTY',
    message: /test_private is left out.*expected train, val or test_public/,
  })
})

t.test('a point is where the pinhole puts it, a tenth of the size', async (t) => {
  const root = await candies(t)
  const { width, height, pointsMetres } = await readEyecandiesDepth(
    path.join(root, 'Lollipop/train/data/000_depth.png'),
  )
  t.same([width, height], [SIDE, SIDE])
  const near = (pixel: number, point: readonly number[]) => {
    const found = [...pointsMetres.subarray(pixel * 3, pixel * 3 + 3)]
    t.ok(
      found.every((value, axis) => Math.abs(value - point[axis]!) < 1e-7),
      `${found.join()} at ${pixel}`,
    )
  }
  // A fifth of 4 to 6.5 is 4.5; (5 - 4) / 711.11 * 0.45 = 0.00063281, (2 - 4) / 711.11 * 0.45 = -0.00126563.
  near(2 * SIDE + 5, [0.00063281, -0.00126563, 0.45])
  // The principal point, at the near end of the range.
  near(4 * SIDE + 4, [0, 0, 0.4])
})

t.test('a replayed candy has its picture, its points and its mask', async (t) => {
  const station = replayStation({ root: await candies(t) })
  await Promise.all([station.rgb.open(never), station.xyz.open(never)])
  const trigger = { id: 't', atMs: 0, source: 'bench', partId: 'Lollipop/test/bad/02' } as const
  const rgb = await station.rgb.capture(trigger, never)
  t.equal(rgb.pixels[0], 40, 'the left light')
  t.match(await station.xyz.capture(trigger, never), { width: SIDE, height: SIDE })
  const { label, mask } = await station.truthOf(trigger)
  t.equal(label, 'dents')
  t.equal(mask?.pixels.filter((value) => value > 0).length, 3)
})

t.test('a test part without a mask, and a depth without a range, are refused by name', async (t) => {
  const root = await candies(t)
  const data = path.join(root, 'Lollipop/test_public/data')
  const range = path.join(data, '00_info_depth.yaml')
  const depth = path.join(data, '00_depth.png')
  const texts = ['normalization: {min: 4}', 'normalization: {min: 6, max: 4}', 'a: [', 'min: 1']
  for (const text of texts) {
    await writeFile(range, text)
    await t.rejects(
      readEyecandiesDepth(depth),
      { code: 'FORMAT_UNREADABLE', message: /00_info_depth\.yaml/ },
      text,
    )
  }
  await rm(range)
  await t.rejects(readEyecandiesDepth(depth), { code: 'FORMAT_UNREADABLE', message: /00_info_depth\.yaml/ })
  await rm(path.join(data, '01_mask.png'))
  await t.rejects(indexDataset(root), {
    code: 'FORMAT_UNREADABLE',
    message: /01_mask\.png: is not there, expected a mask of every part/,
  })
})

t.test('a mask of no known kind is bad all the same', async (t) => {
  const root = await candies(t)
  const data = path.join(root, 'Lollipop/test_public/data')
  await rm(path.join(data, '02_dents_mask.png'))
  const { items } = await indexDataset(root)
  t.equal(items.at(-1)?.label, 'bad')
})
