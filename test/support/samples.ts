/** Small samples for inspector tests: the same part every time, with noise by the seed. */
import type { RgbFrame, XyzFrame } from '../../drivers/frame.ts'
import { conditionOf, type Sample } from '../../drivers/sample.ts'

/** Coloured stripes, and noise in the lowest four bits. */
export function rgbFrame({ width = 40, height = 40, seed = 1 } = {}): RgbFrame {
  const pixels = new Uint8Array(width * height * 3)
  const noise = linearCongruential(seed)
  for (let i = 0; i < pixels.length; i++) {
    const pixel = Math.floor(i / 3)
    const stripes = Math.sin((pixel % width) * 0.5 + (i % 3)) + Math.cos(Math.floor(pixel / width) * 0.3)
    pixels[i] = 120 + 40 * stripes + (noise() >>> 28)
  }
  return { modality: 'rgb', sensor: 'camera', sequence: 0, exposedAtMs: 0, width, height, pixels }
}

/** A block 30 mm high in the middle of a flat table half a metre away, 1 mm between neighbouring points. */
export function xyzFrame({ width = 40, height = 40, seed = 1 } = {}): XyzFrame {
  const noise = linearCongruential(seed)
  const pointsMetres = new Float32Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inside = Math.abs(x / width - 0.5) < 0.25 && Math.abs(y / height - 0.5) < 0.25
      // Off the grid by half a step: a coordinate of exactly 0 counts as no return.
      const bump = 0.002 * Math.sin(x * 0.7) * Math.cos(y * 0.4)
      pointsMetres.set(
        [
          (x - width / 2 + 0.5) / 1000,
          (y - height / 2 + 0.5) / 1000,
          (inside ? 0.47 + bump : 0.5) + (noise() >>> 16) * 1e-9,
        ],
        (y * width + x) * 3,
      )
    }
  }
  return { modality: 'xyz', sensor: 'profiler', sequence: 0, exposedAtMs: 0, width, height, pointsMetres }
}

export function sampleOf(frames: { rgb?: RgbFrame; xyz?: XyzFrame }, partId?: string): Sample {
  const trigger = {
    id: `trigger-${partId ?? 'ok'}`,
    atMs: 0,
    source: 'bench',
    ...(partId !== undefined && { partId }),
  } as const
  return { trigger, frames, absent: {}, condition: conditionOf(frames) }
}

function linearCongruential(seed: number): () => number {
  let state = seed >>> 0
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0)
}
