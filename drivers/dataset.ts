/**
 * What parts a folder holds. Three layouts: MVTec 3D-AD, `[<category>/]{train,validation,test}/<label>/{rgb,xyz,gt}/<stem>.*`,
 * Eyecandies (eyecandies.ts), and a folder of loose pairs. Files belong together by their STEM, never by their place in a sorted list: one missing file would shift all.
 */
import { readdir } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import { eyecandiesItems, PRIVATE_FOLDER } from './eyecandies.ts'
import { POINT_MAP_EXTENSIONS } from './formats/read-point-map.ts'

export type Split = 'train' | 'validation' | 'test'

export interface DatasetItem {
  /** Unique in the dataset: `[<category>/]<split>/<label>/<stem>` (Eyecandies: `good` or `bad`), or the stem of a loose pair. */
  readonly partId: string
  /** MVTec's class, which is the name of its folder; the root's name for loose pairs. */
  readonly category: string
  readonly split: Split | 'loose'
  /** `good`, the defect's name, or `unlabelled` for loose pairs. */
  readonly label: string
  /** At least one of rgbPath and xyzPath is there. */
  readonly rgbPath?: string
  readonly xyzPath?: string
  /** Only for parts with a ground-truth file. Read it with `readMask`: anything above 0 is a defect. */
  readonly maskPath?: string
}

export interface Dataset {
  readonly layout: 'mvtec3d' | 'eyecandies' | 'pairs'
  readonly root: string
  /** What lies there and is not used, and why. */
  readonly remarks: readonly string[]
  /** Splits in the order train, validation, test; within one in natural order (2 before 10). Never empty. */
  readonly items: readonly DatasetItem[]
}

/**
 * - `DATASET_UNREADABLE`: a folder cannot be listed.
 * - `DATASET_EMPTY`: no part in either layout.
 * - `DATASET_AMBIGUOUS`: it is unclear which file belongs to a part.
 */
export type DatasetErrorCode = 'DATASET_UNREADABLE' | 'DATASET_EMPTY' | 'DATASET_AMBIGUOUS'

export class DatasetError extends Error {
  override readonly name = 'DatasetError'
  readonly code: DatasetErrorCode

  constructor(code: DatasetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const SPLITS: readonly Split[] = ['train', 'validation', 'test']
const RGB_EXTENSIONS: readonly string[] = ['.png', '.jpg', '.jpeg']
/** In an rgb folder there is no doubt what a TIFF is. */
const RGB_FOLDER_EXTENSIONS: readonly string[] = [...RGB_EXTENSIONS, '.tif', '.tiff']
const MASK_EXTENSIONS: readonly string[] = ['.png']

const collator = new Intl.Collator('en', { numeric: true })

function naturalOrder(a: string, b: string): number {
  // The collator calls "a1" and "a01" equal; code units break the tie, so that the order is the same everywhere.
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0)
}

/**
 * Lists the parts under `root`: a category's folder, a folder of categories, or a folder of loose pairs. Rejects with DatasetError,
 * and with FormatError for a mask of Eyecandies, whose labels are in them.
 */
export async function indexDataset(root: string): Promise<Dataset> {
  const folder = resolve(root)
  const inside = await list(folder)
  const isCategory = [...SPLITS, 'val', 'test_public', PRIVATE_FOLDER].some((name) =>
    inside.folders.includes(name),
  )
  const categories = isCategory
    ? [{ path: folder, prefix: '' }]
    : inside.folders.map((name) => ({ path: join(folder, name), prefix: `${name}/` }))
  const items: DatasetItem[] = []
  const remarks: string[] = []
  let layout: Dataset['layout'] = 'mvtec3d'
  for (const { path, prefix } of categories) {
    const candies = await eyecandiesItems(path, prefix, list)
    if (candies) layout = 'eyecandies'
    items.push(...(candies?.items ?? (await categoryItems(path, prefix))))
    if (candies?.hasPrivate) {
      remarks.push(`${join(path, PRIVATE_FOLDER)} is left out: its labels and masks are not published`)
    }
  }
  if (items.length > 0) return { layout, root: folder, remarks, items }

  const pairs = looseItems(folder, inside.files)
  if (pairs.length > 0) return { layout: 'pairs', root: folder, remarks, items: pairs }
  throw new DatasetError(
    'DATASET_EMPTY',
    remarks.length > 0
      ? `${remarks.join('; ')}; expected train, val or test_public beside it`
      : `${folder}: no parts; expected train, validation or test folders (MVTec 3D-AD), train, val or test_public ` +
          `with data inside (Eyecandies), or files ${[...RGB_EXTENSIONS, ...POINT_MAP_EXTENSIONS].join(' ')} paired by name`,
  )
}

async function categoryItems(folder: string, prefix: string): Promise<DatasetItem[]> {
  const items: DatasetItem[] = []
  const { folders } = await list(folder)
  for (const split of SPLITS) {
    if (!folders.includes(split)) continue
    const labels = await list(join(folder, split))
    for (const label of labels.folders) {
      const about = { category: basename(folder), split, label }
      for (const part of await labelParts(join(folder, split, label))) {
        items.push({ partId: `${prefix}${split}/${label}/${part.stem}`, ...about, ...part.paths })
      }
    }
  }
  return items
}

type Paths = Pick<DatasetItem, 'rgbPath' | 'xyzPath' | 'maskPath'>

async function labelParts(folder: string): Promise<{ stem: string; paths: Paths }[]> {
  const { folders } = await list(folder)
  const stemsOf = async (name: string, extensions: readonly string[]) =>
    folders.includes(name)
      ? byStem(join(folder, name), (await list(join(folder, name))).files, extensions)
      : new Map<string, string>()
  const rgb = await stemsOf('rgb', RGB_FOLDER_EXTENSIONS)
  const xyz = await stemsOf('xyz', POINT_MAP_EXTENSIONS)
  const masks = await stemsOf('gt', MASK_EXTENSIONS)
  for (const [stem, path] of masks) {
    if (!rgb.has(stem) && !xyz.has(stem)) {
      throw new DatasetError(
        'DATASET_AMBIGUOUS',
        `${path}: a mask of no part, expected ${stem} in rgb or xyz beside it`,
      )
    }
  }
  return partsOf(rgb, xyz).map((part) => {
    const maskPath = masks.get(part.stem)
    return maskPath === undefined ? part : { ...part, paths: { ...part.paths, maskPath } }
  })
}

function looseItems(folder: string, files: readonly string[]): DatasetItem[] {
  const parts = partsOf(byStem(folder, files, RGB_EXTENSIONS), byStem(folder, files, POINT_MAP_EXTENSIONS))
  const about = { category: basename(folder), split: 'loose', label: 'unlabelled' } as const
  return parts.map(({ stem, paths }) => ({ partId: stem, ...about, ...paths }))
}

function partsOf(
  rgb: ReadonlyMap<string, string>,
  xyz: ReadonlyMap<string, string>,
): { stem: string; paths: Paths }[] {
  const stems = [...new Set([...rgb.keys(), ...xyz.keys()])].sort(naturalOrder)
  return stems.map((stem) => {
    const rgbPath = rgb.get(stem)
    const xyzPath = xyz.get(stem)
    return { stem, paths: { ...(rgbPath && { rgbPath }), ...(xyzPath && { xyzPath }) } }
  })
}

function byStem(
  folder: string,
  files: readonly string[],
  extensions: readonly string[],
): Map<string, string> {
  const paths = new Map<string, string>()
  for (const file of files) {
    const extension = extname(file)
    if (!extensions.includes(extension.toLowerCase())) continue
    const stem = basename(file, extension)
    const taken = paths.get(stem)
    if (taken !== undefined) {
      throw new DatasetError(
        'DATASET_AMBIGUOUS',
        `${taken} and ${join(folder, file)}: two files for one part, expected one`,
      )
    }
    paths.set(stem, join(folder, file))
  }
  return paths
}

/** Names in natural order. Hidden ones are left out: they are the litter of desktops (`.DS_Store`, `._000.png`). */
async function list(folder: string): Promise<{ folders: string[]; files: string[] }> {
  try {
    const entries = (await readdir(folder, { withFileTypes: true })).filter(
      (entry) => !entry.name.startsWith('.'),
    )
    const names = (wanted: (entry: (typeof entries)[number]) => boolean): string[] =>
      entries
        .filter(wanted)
        .map((entry) => entry.name)
        .sort(naturalOrder)
    return {
      folders: names((entry) => entry.isDirectory()),
      files: names((entry) => entry.isFile() || entry.isSymbolicLink()),
    }
  } catch (error) {
    throw new DatasetError('DATASET_UNREADABLE', `${folder}: cannot be listed (${String(error)})`, {
      cause: error,
    })
  }
}
