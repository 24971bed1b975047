/** Hot regions of an anomaly map: where a person should look. */
import { INPUT_SIZE, type Placement } from './features.ts'
import type { Region } from './inspection.ts'

/** More boxes than this are no help to an eye; the heatmap has the rest. */
const REGION_LIMIT = 5

/**
 * 8-connected components of `map >= 1`, hottest first, at most five, as boxes in frame pixels.
 * @param map 224 x 224, 1.0 is the threshold.
 */
export function hotRegions(map: Float32Array, placement: Placement): Region[] {
  const seen = new Uint8Array(map.length)
  const stack: number[] = []
  const regions: Region[] = []
  for (let start = 0; start < map.length; start++) {
    if (seen[start] === 1 || !(map[start]! >= 1)) continue
    let left = INPUT_SIZE
    let right = 0
    let top = INPUT_SIZE
    let bottom = 0
    let peak = 0
    seen[start] = 1
    stack.push(start)
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      const x = pixel % INPUT_SIZE
      const y = (pixel - x) / INPUT_SIZE
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y)
      peak = Math.max(peak, map[pixel]!)
      for (let ny = Math.max(0, y - 1); ny <= Math.min(INPUT_SIZE - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(INPUT_SIZE - 1, x + 1); nx++) {
          const neighbour = ny * INPUT_SIZE + nx
          if (seen[neighbour] === 1 || !(map[neighbour]! >= 1)) continue
          seen[neighbour] = 1
          stack.push(neighbour)
        }
      }
    }
    const region = toFrame({ left, right: right + 1, top, bottom: bottom + 1 }, placement)
    // A component wholly inside the zero padding has no place in the frame.
    if (region.width > 0 && region.height > 0) regions.push({ ...region, peak })
  }
  return regions.sort((a, b) => b.peak - a.peak).slice(0, REGION_LIMIT)
}

function toFrame(box: { left: number; right: number; top: number; bottom: number }, placement: Placement) {
  const { side, padLeft, padTop, frameWidth, frameHeight } = placement
  const scale = side / INPUT_SIZE
  const within = (value: number, limit: number) => Math.min(Math.max(value, 0), limit)
  const x = within(Math.floor(box.left * scale) - padLeft, frameWidth)
  const y = within(Math.floor(box.top * scale) - padTop, frameHeight)
  return {
    x,
    y,
    width: within(Math.ceil(box.right * scale) - padLeft, frameWidth) - x,
    height: within(Math.ceil(box.bottom * scale) - padTop, frameHeight) - y,
  }
}
