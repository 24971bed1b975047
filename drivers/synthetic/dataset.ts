/**
 * Writes synthetic parts in MVTec 3D-AD's layout:
 * `<root>/<category>/{train,validation}/good/{rgb,xyz}/NNN.{png,tiff}` and
 * `<root>/<category>/test/<good|defect>/{rgb,xyz,gt}/NNN.{png,tiff}`.
 * A folder that was begun with the same options is continued: parts whose files are complete are not rendered again.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { categoryNamed, type CategoryName } from './catalogue.ts'
import type { DefectKind } from './defect.ts'
import { encodePointMap } from './point-map-tiff.ts'
import { hash32, hashText } from '../random.ts'
import { renderPart } from './render.ts'

export interface DatasetOptions {
  readonly root: string
  readonly categories: readonly CategoryName[]
  /** Side of the square pictures, pixels. */
  readonly size: number
  readonly train: number
  readonly validation: number
  readonly testGood: number
  readonly testPerDefect: number
  readonly seed: number
  readonly signal: AbortSignal
  onProgress?(progress: { readonly done: number; readonly total: number; readonly file: string }): void
}

interface PlannedPart {
  readonly category: CategoryName
  readonly split: 'train' | 'validation' | 'test'
  readonly number: number
  readonly defect?: DefectKind
}

/** Rejects with the signal's reason when aborted; what is written so far stays and is whole. */
export async function writeDataset(options: DatasetOptions): Promise<{ written: number; kept: number }> {
  const parts = planParts(options)
  const fresh = !(await continues(options))
  let written = 0
  let kept = 0
  for (const part of parts) {
    options.signal.throwIfAborted()
    const folder = join(options.root, part.category, part.split, part.defect ?? 'good')
    const name = String(part.number).padStart(3, '0')
    const last = join(folder, 'xyz', `${name}.tiff`)
    if (!fresh && (await exists(last))) {
      kept++
    } else {
      await writePart(part, { folder, name, options })
      written++
    }
    options.onProgress?.({ done: written + kept, total: parts.length, file: last })
  }
  return { written, kept }
}

function planParts(options: DatasetOptions): PlannedPart[] {
  return options.categories.flatMap((category) => {
    const good = (split: PlannedPart['split'], count: number): PlannedPart[] =>
      Array.from({ length: count }, (_, number) => ({ category, split, number }))
    return [
      ...good('train', options.train),
      ...good('validation', options.validation),
      ...good('test', options.testGood),
      ...categoryNamed(category).defects.flatMap((defect) =>
        Array.from({ length: options.testPerDefect }, (_, number) => ({
          category,
          split: 'test' as const,
          number,
          defect,
        })),
      ),
    ]
  })
}

/** Every part of a data set has its own seed: no test part is a training part with a defect added. */
function seedOf({ category, split, defect, number }: PlannedPart, seed: number): number {
  return hash32(hashText(`${category}/${split}/${defect ?? 'good'}`) ^ hash32(seed)) ^ hash32(number + 1)
}

async function writePart(
  part: PlannedPart,
  { folder, name, options }: { folder: string; name: string; options: DatasetOptions },
): Promise<void> {
  const { size } = options
  const rendered = renderPart({
    category: part.category,
    width: size,
    height: size,
    seed: seedOf(part, options.seed),
    ...(part.defect === undefined ? {} : { defect: part.defect }),
  })
  const png = (pixels: Uint8Array, channels: 1 | 3): Promise<Buffer> =>
    sharp(pixels, { raw: { width: size, height: size, channels } })
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .png()
      .toBuffer()
  await writeWhole(join(folder, 'rgb', `${name}.png`), await png(rendered.rgb, 3))
  if (part.split === 'test') await writeWhole(join(folder, 'gt', `${name}.png`), await png(rendered.mask, 1))
  // Last, because a part is complete when its points are there.
  await writeWhole(join(folder, 'xyz', `${name}.tiff`), encodePointMap(rendered.pointsMetres, size, size))
}

/** Whether the folder holds the beginning of this very data set. Leaves a note of the options for the next time. */
async function continues(options: DatasetOptions): Promise<boolean> {
  const file = join(options.root, 'synthetic.json')
  const note = `${JSON.stringify({ schema: 'radar-edge/synthetic@1', size: options.size, seed: options.seed })}\n`
  if ((await exists(file)) && (await readFile(file, 'utf8')) === note) return true
  await writeWhole(file, Buffer.from(note))
  return false
}

async function exists(file: string): Promise<boolean> {
  try {
    await (await open(file)).close()
    return true
  } catch {
    return false
  }
}

async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true })
  const temporary = `${file}.part`
  const handle = await open(temporary, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
  const parent = await open(folder)
  try {
    await parent.sync()
  } finally {
    await parent.close()
  }
}
