/** Small parts as they are stored: frames of a few pixels, features a few wide. */
import { GRID_PATCHES, INPUT_SIZE } from '../../models/features.ts'
import type { StoredFeatures, StoredPart } from '../../models/stored-part.ts'
import { rgbFrame, xyzFrame } from './samples.ts'

export function storedFeatures({ seed = 1, width = 2 } = {}): StoredFeatures {
  const values = (offset: number) =>
    Float32Array.from({ length: GRID_PATCHES * width }, (_, i) => Math.sin(i + offset + seed))
  return {
    condition: 'complete',
    rgb: { width, values: values(0) },
    xyz: { width, values: values(0.5) },
    foregroundPatches: Uint8Array.from({ length: GRID_PATCHES }, (_, patch) => patch % 2),
    bundleId: 'bundle-1',
    engine: 'onnxruntime-cpu/fp32',
  }
}

/** With everything that a part can have. */
export function storedPart(fields: Partial<StoredPart> = {}): StoredPart {
  const size = { width: 6, height: 4 }
  return {
    partId: 'nut-7',
    product: 'hex-nut',
    capturedAt: '2026-03-01T06:00:00.000Z',
    label: 'bad',
    defect: 'scratch',
    condition: 'complete',
    absent: {},
    flags: ['few-points'],
    frames: { rgb: { ...rgbFrame(size), exposedAtMs: 0 }, xyz: { ...xyzFrame(size), exposedAtMs: 0 } },
    features: storedFeatures(),
    mask: { ...size, pixels: new Uint8Array(24).fill(255, 3, 7) },
    map: {
      values: new Float32Array(INPUT_SIZE * INPUT_SIZE).fill(0.25),
      placement: { frameWidth: 6, frameHeight: 4, side: 6, padTop: 1, padLeft: 0 },
    },
    note: { outcome: 'fail', normality: 0.001, degraded: false },
    ...fields,
  }
}

export function without<T extends object, K extends keyof T>(whole: T, ...keys: readonly K[]): Omit<T, K> {
  const rest: Partial<T> = { ...whole }
  for (const key of keys) delete rest[key]
  return rest as Omit<T, K>
}
