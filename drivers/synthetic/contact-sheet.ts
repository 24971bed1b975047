/** All categories on one picture: good parts, their depth, and one part of each of their defects. */
import sharp from 'sharp'
import { CATEGORIES, type CategoryName } from './catalogue.ts'
import type { DefectKind } from './defect.ts'
import { renderPart } from './render.ts'

export interface SheetOptions {
  readonly categories: readonly CategoryName[]
  /** Side of one tile, pixels. */
  readonly tile: number
  readonly seed: number
  /** Good parts per category, each as picture and as shaded depth. */
  readonly good: number
}

export interface Sheet {
  readonly width: number
  readonly height: number
  /** Interleaved 8-bit R,G,B. */
  readonly pixels: Uint8Array
}

/** One row per category. The defect's outline is not drawn: the eye shall find it. */
export function contactSheet({ categories, tile, seed, good }: SheetOptions): Sheet {
  const rows = categories.map((category) => {
    const kinds: (DefectKind | undefined)[] = [
      ...Array.from({ length: good }, () => undefined),
      ...CATEGORIES[category].defects,
    ]
    return kinds.flatMap((defect, column) => {
      const part = renderPart({
        category,
        width: tile,
        height: tile,
        seed: seed + column,
        ...(defect === undefined ? {} : { defect }),
      })
      const visibleInDepth = defect === undefined || ['dent', 'bump', 'warp'].includes(defect)
      return visibleInDepth ? [part.rgb, shadedDepth(part.pointsMetres, tile)] : [part.rgb]
    })
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
  const pixels = new Uint8Array(side * side * 3)
  for (let index = 0; index < side * side; index++) {
    if (depth(index) === 0) {
      pixels.set([12, 16, 48], index * 3)
      continue
    }
    const before = index >= side + 1 && depth(index - side - 1) > 0 ? depth(index - side - 1) : depth(index)
    const pixelMetres = Math.abs(points[index * 3]! / Math.max(1, Math.abs((index % side) - side / 2)))
    const slope = Math.max(-1, Math.min(1, (0.35 * (before - depth(index))) / Math.max(pixelMetres, 1e-5)))
    const near = (farthest - depth(index)) / (farthest - nearest)
    const grey = Math.max(0, Math.min(255, 40 + 150 * near + 65 * slope))
    pixels.set([grey, grey, grey], index * 3)
  }
  return pixels
}

export async function writeSheet(sheet: Sheet, file: string): Promise<void> {
  await sharp(sheet.pixels, { raw: { width: sheet.width, height: sheet.height, channels: 3 } })
    .png()
    .toFile(file)
}
