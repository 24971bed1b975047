/** All categories on one picture: good parts, the depth of one, and one part of each of their defects. */
import sharp from 'sharp'
import { CATEGORIES, type CategoryName } from './catalogue.ts'
import { VISIBLE_IN, type DefectKind } from './defect.ts'
import { renderPart } from './render.ts'

export interface SheetOptions {
  readonly categories: readonly CategoryName[]
  /** Side of one tile, pixels. */
  readonly tile: number
  readonly seed: number
  /** Good parts per category, shown in colour. */
  readonly good: number
}

export interface Sheet {
  readonly width: number
  readonly height: number
  /** Interleaved 8-bit R,G,B. */
  readonly pixels: Uint8Array
}

/**
 * One row per category: good parts, the first of them as shaded depth, then its defects in the order in which the
 * category lists them; shape-only defects as depth. No defect is outlined: the eye shall find it.
 */
export function contactSheet({ categories, tile, seed, good }: SheetOptions): Sheet {
  const rows = categories.map((category) => {
    const draw = (show: 'colour' | 'depth', { offset, defect }: { offset: number; defect?: DefectKind }) => {
      const options = { category, width: tile, height: tile, seed: seed + offset }
      const part = renderPart(defect === undefined ? options : { ...options, defect })
      return show === 'colour' ? part.rgb : shadedDepth(part.pointsMetres, tile)
    }
    return [
      ...Array.from({ length: good }, (_, offset) => draw('colour', { offset })),
      draw('depth', { offset: 0 }),
      ...CATEGORIES[category].defects.map((defect, index) =>
        draw(VISIBLE_IN[defect] === 'xyz' ? 'depth' : 'colour', { offset: good + index, defect }),
      ),
    ]
  })
  const columns = Math.max(...rows.map((row) => row.length))
  const pixels = new Uint8Array(columns * tile * rows.length * tile * 3)
  for (const [row, pictures] of rows.entries()) {
    for (const [column, picture] of pictures.entries()) {
      for (let line = 0; line < tile; line++) {
        const target = ((row * tile + line) * columns + column) * tile * 3
        pixels.set(picture.subarray(line * tile * 3, (line + 1) * tile * 3), target)
      }
    }
  }
  return { width: columns * tile, height: rows.length * tile, pixels }
}

/** Near is bright, lit from the upper left; pixels without a return are dark blue. */
function shadedDepth(points: Float32Array, side: number): Uint8Array {
  const depth = (index: number): number => points[index * 3 + 2]!
  let nearest = Infinity
  let farthest = 0
  for (let index = 0; index < side * side; index++) {
    if (depth(index) === 0) continue
    nearest = Math.min(nearest, depth(index))
    farthest = Math.max(farthest, depth(index))
  }
  // Over a few pixels, or the sensor's noise would drown a dent.
  const back = Math.max(1, Math.round(side / 50))
  const pixels = new Uint8Array(side * side * 3)
  for (let index = 0; index < side * side; index++) {
    if (depth(index) === 0) {
      pixels.set([12, 16, 48], index * 3)
      continue
    }
    const before = index - back * (side + 1)
    const from = index % side >= back && before >= 0 && depth(before) > 0 ? before : index
    const run = Math.max(points[index * 3]! - points[from * 3]!, 1e-5)
    const slope = Math.max(-1, Math.min(1, (1.5 * (depth(from) - depth(index))) / run))
    const near = (farthest - depth(index)) / Math.max(farthest - nearest, 1e-6)
    pixels.fill(Math.max(0, Math.min(255, 50 + 110 * near + 90 * slope)), index * 3, index * 3 + 3)
  }
  return pixels
}

/** The file's extension chooses the format: png is exact, jpg a tenth of the size. */
export async function writeSheet(sheet: Sheet, file: string): Promise<void> {
  const { width, height, pixels } = sheet
  await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(file)
}
