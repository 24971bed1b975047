/** `npm run screens`: the pictures in docs/screens. Rendered, taught and judged by the product's own code, seeds fixed, nothing chosen. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { conditionOf, type Sample } from '../drivers/sample.ts'
import { CATEGORIES, CATEGORY_NAMES, type CategoryName } from '../drivers/synthetic/catalogue.ts'
import { contactSheet } from '../drivers/synthetic/contact-sheet.ts'
import { VISIBLE_IN, type DefectKind } from '../drivers/synthetic/defect.ts'
import { renderPart } from '../drivers/synthetic/render.ts'
import { openBundle, type Bundle } from '../models/bundle.ts'
import { extractFeatures } from '../models/extract.ts'
import { fuseWith } from '../models/fusion.ts'
import { LocalInspector } from '../models/local-inspector.ts'
import { openSearch, type Search } from '../models/nearest.ts'
import { saveRepository } from '../models/repository.ts'
import { teach, type TaughtPart } from '../models/teach.ts'
import { bundleFolder } from './bundle-folder.ts'
import { renderPictures } from './heatmap.ts'
import { packageFile } from './package-version.ts'
import { progressLine } from './progress.ts'
import { shadedDepth } from './shaded-depth.ts'

const SEED = 7
const FRAME = 400
const TILE = 200
const TAUGHT = 20
const TAUGHT_SEED = 1_000_000

interface Part {
  readonly sample: Sample
  /** 255 where the defect is. */
  readonly mask: Uint8Array
}

function partOf(category: CategoryName, seed: number, defect?: DefectKind): Part {
  const size = { width: FRAME, height: FRAME }
  const part = renderPart({ category, seed, ...size, ...(defect && { defect }) })
  const header = { sequence: seed, exposedAtMs: 0, ...size }
  const frames: Sample['frames'] = {
    rgb: { modality: 'rgb', sensor: 'camera', pixels: part.rgb, ...header },
    xyz: { modality: 'xyz', sensor: 'scanner', pointsMetres: part.pointsMetres, ...header },
  }
  const trigger = { id: `screen-${seed}`, atMs: 0, source: 'bench' } as const
  return { sample: { trigger, frames, absent: {}, condition: conditionOf(frames) }, mask: part.mask }
}

async function teachCategory(
  category: CategoryName,
  { bundle, search, folder }: { bundle: Bundle; search: Search; folder: string },
): Promise<void> {
  const parts: TaughtPart[] = []
  for (let number = 0; number < TAUGHT; number++) {
    const { sample } = partOf(category, TAUGHT_SEED + number)
    const extracted = await extractFeatures(sample, { bundle, seed: SEED })
    if (extracted.condition !== 'complete') throw new Error(`${category} ${number} is ${extracted.condition}`)
    parts.push({ partId: `good-${number}`, features: extracted.features })
  }
  const options = { byteBudget: 4 * 2 ** 20, falseRejectRate: 0.05, seed: SEED }
  await saveRepository(
    folder,
    await teach({
      product: category,
      bundle,
      parts,
      heldOut: [],
      search,
      fuse: fuseWith(bundle),
      ...options,
    }),
  )
}

/** A defect that only the camera can see, and one that only the 3D sensor can. */
function shownDefects(category: CategoryName): DefectKind[] {
  const kinds: readonly DefectKind[] = CATEGORIES[category].defects
  return (['rgb', 'xyz'] as const).flatMap(
    (modality) => kinds.find((kind) => VISIBLE_IN[kind] === modality) ?? [],
  )
}

/** Three tiles: the part as the sensor that can see the defect shows it, the same with the true defect outlined, the overlay. */
async function tilesOf(
  { sample, mask }: Part,
  defect: DefectKind,
  inspector: LocalInspector,
): Promise<Buffer[]> {
  const inspection = await inspector.inspect(sample, new AbortController().signal)
  if (inspection.kind !== 'decided') throw new Error(inspection.detail)
  const [, overlay] = await renderPictures(sample, inspection, {
    heatmapTopic: 'heatmap',
    overlayTopic: 'overlay',
    seq: 1,
    maxSize: FRAME,
  })
  const { rgb, xyz } = sample.frames
  if (overlay === undefined || rgb === undefined || xyz === undefined) throw new Error('nothing to show')
  const pixels =
    VISIBLE_IN[defect] === 'xyz'
      ? Uint8Array.from(rgb.pixels, grey(shadedDepth(xyz)))
      : Uint8Array.from(rgb.pixels)
  const shown = await tileOf(pixels)
  return [
    shown,
    await tileOf(outlined(pixels, mask)),
    await sharp(overlay.payload).resize(TILE).png().toBuffer(),
  ]
}

/** Three equal channels of a grey picture. */
const grey =
  (picture: Uint8Array) =>
  (_: number, index: number): number =>
    picture[Math.floor(index / 3)] ?? 0

function tileOf(pixels: Uint8Array): Promise<Buffer> {
  return sharp(pixels, { raw: { width: FRAME, height: FRAME, channels: 3 } })
    .resize(TILE)
    .png()
    .toBuffer()
}

const OUTLINE = [0, 255, 120] as const

/** A line two pixels wide along the inside of the mask's edge. */
function outlined(pixels: Uint8Array, mask: Uint8Array): Uint8Array {
  const drawn = pixels.slice()
  const isDefect = (x: number, y: number): boolean =>
    x >= 0 && y >= 0 && x < FRAME && y < FRAME && mask[y * FRAME + x]! > 0
  for (let y = 0; y < FRAME; y++) {
    for (let x = 0; x < FRAME; x++) {
      if (!isDefect(x, y)) continue
      const isInner = isDefect(x - 2, y) && isDefect(x + 2, y) && isDefect(x, y - 2) && isDefect(x, y + 2)
      if (!isInner) drawn.set(OUTLINE, (y * FRAME + x) * 3)
    }
  }
  return drawn
}

async function writeContactSheet(file: string): Promise<void> {
  const { width, height, pixels } = contactSheet({
    categories: CATEGORY_NAMES,
    tile: 160,
    seed: SEED,
    good: 3,
  })
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ palette: true, colours: 256, effort: 10 })
    .toFile(file)
}

async function writeHeatmaps(file: string, scratch: string): Promise<void> {
  const bundle = await openBundle(bundleFolder('radar-lite'), { threads: 2 })
  const search = await openSearch({ threads: 2 })
  const inspector = new LocalInspector({ bundleFolder: bundleFolder('radar-lite'), threads: 2, seed: SEED })
  const line = progressLine()
  try {
    await inspector.open(new AbortController().signal)
    const rows: Buffer[][] = []
    for (const [done, category] of CATEGORY_NAMES.entries()) {
      line.update({ phase: 'teaching and judging categories', done, total: CATEGORY_NAMES.length })
      const folder = join(scratch, category)
      await teachCategory(category, { bundle, search, folder })
      await inspector.activate(folder)
      const tiles: Buffer[] = []
      for (const [index, defect] of shownDefects(category).entries()) {
        tiles.push(...(await tilesOf(partOf(category, SEED + index, defect), defect, inspector)))
      }
      rows.push(tiles)
    }
    line.finish()
    const columns = Math.max(...rows.map((row) => row.length))
    await sharp({
      create: { width: columns * TILE, height: rows.length * TILE, channels: 3, background: 'white' },
    })
      .composite(rows.flatMap((row, y) => row.map((input, x) => ({ input, left: x * TILE, top: y * TILE }))))
      .png({ palette: true, colours: 256, effort: 10 })
      .toFile(file)
  } finally {
    line.finish()
    await inspector.close()
    await search.release()
    await bundle.release()
  }
}

const folder = fileURLToPath(new URL('screens', packageFile('docs/')))
const scratch = await mkdtemp(join(tmpdir(), 'radar-edge-screens-'))
try {
  await mkdir(folder, { recursive: true })
  await writeContactSheet(join(folder, 'synthetic-products.png'))
  await writeHeatmaps(join(folder, 'heatmaps.png'), scratch)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
