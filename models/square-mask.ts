import { INPUT_SIZE, type Placement } from './features.ts'
import { placeInSquare } from './placement.ts'
import { nearestPositions } from './resample.ts'
import { foregroundPatches } from './token-grid.ts'

/** 8-bit, 0 = good pixel, in row-major order. */
export interface Mask {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array
}

/** A frame's mask in the model's square: padded with zeros, resized nearest. */
export function squareMask(mask: Mask, { side, padTop, padLeft }: Placement): Mask {
  const positions = nearestPositions(side, INPUT_SIZE)
  const pixels = new Uint8Array(INPUT_SIZE * INPUT_SIZE)
  for (let row = 0; row < INPUT_SIZE; row++) {
    const y = positions[row]! - padTop
    if (y < 0 || y >= mask.height) continue
    for (let column = 0; column < INPUT_SIZE; column++) {
      const x = positions[column]! - padLeft
      if (x >= 0 && x < mask.width) pixels[row * INPUT_SIZE + column] = mask.pixels[y * mask.width + x]!
    }
  }
  return { width: INPUT_SIZE, height: INPUT_SIZE, pixels }
}

/** The patches that the defect covers, a quarter of each at least: 784. */
export function maskedPatches(mask: Mask): Uint8Array {
  const { pixels } = squareMask(mask, placeInSquare(mask.width, mask.height))
  return foregroundPatches(pixels)
}
