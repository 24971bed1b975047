/** From the pixels where the part gave a point to the pixels where the part is. */
import { INPUT_SIZE } from './features.ts'

/**
 * Gaps up to twice this wide, in pixels of the 224 grid, are closed: slots, thread roots and the seams that a
 * structured-light sensor loses. Wider would swallow the shadow that it casts beside the part.
 */
const CLOSING_RADIUS = 3

/**
 * Closes narrow gaps, then fills what the part encloses. A defect can destroy the 3D returns where it lies (on real
 * parts 9 % of the defective pixels have none), and a patch that is no foreground has no vote: what the outline encloses
 * is judged, be it a dark bore without returns or a hole punched through to the table.
 *
 * @param part `224 * 224`, non-zero where the part gave a point.
 * @returns `224 * 224`, 1 on the part, 0 elsewhere; never less than `part`.
 */
export function fillForeground(part: Uint8Array): Uint8Array {
  const closed = closeGaps(part)
  const outside = floodFromBorder(closed)
  return outside.map((isOutside) => 1 - isOutside)
}

/** Dilation by a square, then erosion by the same; beyond the border counts as background. */
function closeGaps(part: Uint8Array): Uint8Array {
  // Padded, so that dilation near the border is not cut off and then eroded away.
  const wide = INPUT_SIZE + 2 * CLOSING_RADIUS
  const padded = new Uint8Array(wide * wide)
  for (let y = 0; y < INPUT_SIZE; y++) {
    padded.set(
      part.subarray(y * INPUT_SIZE, (y + 1) * INPUT_SIZE),
      (y + CLOSING_RADIUS) * wide + CLOSING_RADIUS,
    )
  }
  const dilated = runs(runs(padded, wide, 'any'), wide, 'any')
  const closed = runs(runs(dilated, wide, 'all'), wide, 'all')
  const cropped = new Uint8Array(INPUT_SIZE * INPUT_SIZE)
  for (let y = 0; y < INPUT_SIZE; y++) {
    const start = (y + CLOSING_RADIUS) * wide + CLOSING_RADIUS
    cropped.set(closed.subarray(start, start + INPUT_SIZE), y * INPUT_SIZE)
  }
  return cropped
}

/** Per pixel whether any or all pixels within the radius along its row are set. Transposes, so that twice is a square. */
function runs(mask: Uint8Array, size: number, wanted: 'any' | 'all'): Uint8Array {
  const transposed = new Uint8Array(size * size)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let set = 0
      let seen = 0
      for (let at = Math.max(0, x - CLOSING_RADIUS); at <= Math.min(size - 1, x + CLOSING_RADIUS); at++) {
        seen++
        if (mask[y * size + at] !== 0) set++
      }
      transposed[x * size + y] = (wanted === 'any' ? set > 0 : set === seen) ? 1 : 0
    }
  }
  return transposed
}

/** 1 where a walk over background pixels (4 neighbours) from the border arrives. */
function floodFromBorder(mask: Uint8Array): Uint8Array {
  const outside = new Uint8Array(mask.length)
  const front = new Uint32Array(mask.length)
  let ahead = 0
  const visit = (pixel: number): void => {
    if (mask[pixel] !== 0 || outside[pixel] === 1) return
    outside[pixel] = 1
    front[ahead++] = pixel
  }
  for (let n = 0; n < INPUT_SIZE; n++) {
    visit(n)
    visit((INPUT_SIZE - 1) * INPUT_SIZE + n)
    visit(n * INPUT_SIZE)
    visit(n * INPUT_SIZE + INPUT_SIZE - 1)
  }
  for (let done = 0; done < ahead; done++) {
    const pixel = front[done]!
    const x = pixel % INPUT_SIZE
    if (x > 0) visit(pixel - 1)
    if (x < INPUT_SIZE - 1) visit(pixel + 1)
    if (pixel >= INPUT_SIZE) visit(pixel - INPUT_SIZE)
    if (pixel < mask.length - INPUT_SIZE) visit(pixel + INPUT_SIZE)
  }
  return outside
}
