/** Where the model's square input lies in a frame. */
import type { Placement } from './features.ts'

/** Zero-padding to `max(ceil100(height), ceil100(width))`, the smaller half above and left (numerics 1.3, step 4). */
export function placeInSquare(frameWidth: number, frameHeight: number): Placement {
  const side = Math.max(Math.ceil(frameWidth / 100), Math.ceil(frameHeight / 100)) * 100
  return {
    frameWidth,
    frameHeight,
    side,
    padTop: Math.floor((side - frameHeight) / 2),
    padLeft: Math.floor((side - frameWidth) / 2),
  }
}
