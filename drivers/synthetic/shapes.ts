/** Flat shapes as signed distances: negative inside, in the unit of the coordinates. And the curves that blend them. */

export const clamp = (value: number, low: number, high: number): number =>
  value < low ? low : value > high ? high : value

/** `Math.hypot` guards against overflow, at ten times the cost. */
export const length = (x: number, y: number): number => Math.sqrt(x * x + y * y)

export const mix = (from: number, to: number, share: number): number => from + (to - from) * share

/** 0 below `low`, 1 above `high`, smooth between. */
export function smoothstep(low: number, high: number, value: number): number {
  const share = clamp((value - low) / (high - low), 0, 1)
  return share * share * (3 - 2 * share)
}

/** A bell of height 1 and of the given standard deviation. */
export const bell = (distance: number, sigma: number): number =>
  Math.exp((-0.5 * distance * distance) / (sigma * sigma))

export const box = (x: number, y: number, halfWidth: number, halfHeight: number): number => {
  const dx = Math.abs(x) - halfWidth
  const dy = Math.abs(y) - halfHeight
  return length(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0)
}

export const roundedBox = (
  x: number,
  y: number,
  size: { halfWidth: number; halfHeight: number; corner: number },
): number => box(x, y, size.halfWidth - size.corner, size.halfHeight - size.corner) - size.corner

/** Regular hexagon with corners left and right. `apothem` is half the width across flats. */
export function hexagon(x: number, y: number, apothem: number): number {
  const ax = Math.abs(x)
  const ay = Math.abs(y)
  return Math.max(ay, ax * 0.8660254 + ay * 0.5) - apothem
}

export function segment(x: number, y: number, ends: readonly [number, number, number, number]): number {
  const [x0, y0, x1, y1] = ends
  const dx = x1 - x0
  const dy = y1 - y0
  const share = clamp(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
  return length(x - x0 - share * dx, y - y0 - share * dy)
}

/** Drop of a rounded top edge: 0 from `radius` inside the outline inwards, `radius` at the outline. `inside` is the negated distance. */
export function roundedEdge(inside: number, radius: number): number {
  if (inside >= radius) return 0
  const short = radius - Math.max(inside, 0)
  return radius - Math.sqrt(radius * radius - short * short)
}
