/**
 * Eyecandies as it is downloaded: `[<class>/]{train,val,test_public,test_private}/data/<stem>_<item>.<ext>`. What a folder of one
 * class holds, and how a depth picture becomes a point map. Written from the data set's documentation, tried on files made after it.
 */
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { readDepthPicture } from './formats/depth-picture.ts'
import { FormatError } from './formats/format-error.ts'
import { readMask } from './formats/mask.ts'
import { toPointMap, type PointMap } from './formats/point-map.ts'
import { readWholeFile } from './formats/read-whole-file.ts'
import type { DatasetItem, Split } from './dataset.ts'

/** test_private is left out: its masks are not published, and a part that is neither good nor bad measures nothing. */
const SPLITS: readonly (readonly [folder: string, split: Split])[] = [
  ['train', 'train'],
  ['val', 'validation'],
  ['test_public', 'test'],
]
export const PRIVATE_FOLDER = 'test_private'

/**
 * The left spot light, as M3DM, those who compare with it and our own training take it. It shows relief; image_5, the global
 * light, shows less of it.
 */
const PICTURE = 'image_4.png'
const DEPTH = 'depth.png'
const DEPTH_RANGE = 'info_depth.yaml'
const MASK = 'mask.png'
/** In the order in which they are named in a label. */
const DEFECTS = ['bumps', 'dents', 'colors', 'normals'] as const

/** One camera took all pictures; its principal point is the middle. Pixels. */
const FOCAL_PIXELS = 711.11
/** Rendered candies are about a metre wide. M3DM's factor makes them as big as the parts that our millimetres are meant for. */
const SCALE = 0.1
const DEEPEST = 65535

export interface Eyecandies {
  readonly items: readonly DatasetItem[]
  readonly hasPrivate: boolean
}

interface Listing {
  readonly folders: readonly string[]
  readonly files: readonly string[]
}

/** @param list names in natural order. @returns undefined where the folder has not this layout. */
export async function eyecandiesItems(
  folder: string,
  prefix: string,
  list: (folder: string) => Promise<Listing>,
): Promise<Eyecandies | undefined> {
  const { folders } = await list(folder)
  const items: DatasetItem[] = []
  const has = async (name: string): Promise<boolean> =>
    folders.includes(name) && (await list(join(folder, name))).folders.includes('data')
  let found = false
  for (const [name, split] of SPLITS) {
    if (!(await has(name))) continue
    found = true
    const data = join(folder, name, 'data')
    const { files } = await list(data)
    const about = { category: basename(folder), split, files: new Set(files) }
    const stems = new Set(
      files
        .filter((file) => file.endsWith(`_${PICTURE}`) || file.endsWith(`_${DEPTH}`))
        .map((file) => file.slice(0, file.indexOf('_'))),
    )
    const parts: DatasetItem[] = []
    for (const stem of stems) parts.push(await itemOf(data, stem, { ...about, prefix }))
    items.push(
      ...parts.filter(({ label }) => label === 'good'),
      ...parts.filter(({ label }) => label !== 'good'),
    )
  }
  const hasPrivate = await has(PRIVATE_FOLDER)
  return found || hasPrivate ? { items, hasPrivate } : undefined
}

/** The id says good or bad, as the training's index has it; the label says which kinds of defect. */
async function itemOf(
  data: string,
  stem: string,
  {
    category,
    split,
    files,
    prefix,
  }: Pick<DatasetItem, 'category'> & {
    split: Split
    files: ReadonlySet<string>
    prefix: string
  },
): Promise<DatasetItem> {
  const pathOf = (item: string): string | undefined =>
    files.has(`${stem}_${item}`) ? join(data, `${stem}_${item}`) : undefined
  const label = split === 'test' ? await labelOf(join(data, `${stem}_`), pathOf) : 'good'
  const rgbPath = pathOf(PICTURE)
  const xyzPath = pathOf(DEPTH)
  const maskPath = split === 'test' ? pathOf(MASK) : undefined
  return {
    partId: `${prefix}${split}/${label === 'good' ? 'good' : 'bad'}/${stem}`,
    category,
    split,
    label,
    ...(rgbPath && { rgbPath }),
    ...(xyzPath && { xyzPath }),
    ...(maskPath && { maskPath }),
  }
}

async function labelOf(stemPath: string, pathOf: (item: string) => string | undefined): Promise<string> {
  const maskPath = pathOf(MASK)
  if (maskPath === undefined) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${stemPath}${MASK}: is not there, expected a mask of every part of test_public`,
    )
  }
  if (!(await marksAnything(maskPath))) return 'good'
  const kinds: string[] = []
  for (const kind of DEFECTS) {
    const path = pathOf(`${kind}_mask.png`)
    if (path !== undefined && (await marksAnything(path))) kinds.push(kind)
  }
  return kinds.join('+') || 'bad'
}

async function marksAnything(path: string): Promise<boolean> {
  return (await readMask(path, await readWholeFile(path))).pixels.some((value) => value > 0)
}

export const isEyecandiesDepth = (path: string): boolean => path.endsWith(`_${DEPTH}`)

const rangeSchema = z
  .object({ normalization: z.object({ min: z.number(), max: z.number() }) })
  .refine(({ normalization: { min, max } }) => 0 <= min && min < max, { error: 'expected 0 <= min < max' })

/**
 * `<stem>_depth.png` with the range in `<stem>_info_depth.yaml` beside it, in the camera's frame, a tenth of the size:
 *     depth = png / 65535 (max - min) + min,   point = depth ((u - W/2) / f, (v - H/2) / f, 1) / 10
 * The documentation goes on through `<stem>_pose.txt` into the world. A frame's points are the camera's (frame.ts), and the
 * part is looked for on the camera's side of the table, so ours stay there and the pose is not read.
 */
export async function readEyecandiesDepth(
  path: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<PointMap> {
  const rangePath = path.slice(0, -DEPTH.length) + DEPTH_RANGE
  const { min, max } = depthRange(rangePath, await readWholeFile(rangePath, { signal }))
  const { width, height, depths } = await readDepthPicture(path, await readWholeFile(path, { signal }))
  const pointsMetres = new Float32Array(width * height * 3)
  for (let v = 0; v < height; v++) {
    for (let u = 0; u < width; u++) {
      const pixel = v * width + u
      const metres = ((depths[pixel]! / DEEPEST) * (max - min) + min) * SCALE
      pointsMetres[pixel * 3] = ((u - width / 2) / FOCAL_PIXELS) * metres
      pointsMetres[pixel * 3 + 1] = ((v - height / 2) / FOCAL_PIXELS) * metres
      pointsMetres[pixel * 3 + 2] = metres
    }
  }
  return toPointMap(path, { width, height }, pointsMetres)
}

function depthRange(file: string, bytes: Uint8Array): { min: number; max: number } {
  let read: unknown
  try {
    read = parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw new FormatError(
      'FORMAT_UNREADABLE',
      `${file}: expected YAML (${String(cause).split('\n', 1)[0]})`,
      {
        cause,
      },
    )
  }
  const parsed = rangeSchema.safeParse(read)
  if (parsed.success) return parsed.data.normalization
  throw new FormatError(
    'FORMAT_UNREADABLE',
    `${file}: expected normalization with min and max:\n${z.prettifyError(parsed.error)}`,
  )
}
