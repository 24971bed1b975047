/** Samples and inspections for tests of the runtime, small and complete. */
import type { Trigger } from '../../drivers/driver.ts'
import type { Modality } from '../../drivers/frame.ts'
import { conditionOf, type Absence, type Sample } from '../../drivers/sample.ts'
import { INPUT_SIZE } from '../../models/features.ts'
import type { Decided } from '../../models/inspection.ts'
import { isoTime, type VerdictPayload } from '../../runtime/messages.ts'
import { decide } from '../../runtime/verdict.ts'

export function makeTrigger(fields: Partial<Trigger> = {}): Trigger {
  return { id: 'run-1', atMs: 1000, source: 'timer', ...fields }
}

/** @param absent the modalities that are not there, and why. */
export function makeSample(
  trigger: Trigger = makeTrigger(),
  absent: { readonly [M in Modality]?: Absence } = {},
): Sample {
  const width = 4
  const height = 3
  const header = { sequence: 1, exposedAtMs: trigger.atMs, width, height }
  const frames = {
    ...(absent.rgb === undefined && {
      rgb: {
        modality: 'rgb' as const,
        sensor: 'camera',
        pixels: new Uint8Array(width * height * 3).fill(90),
        ...header,
      },
    }),
    ...(absent.xyz === undefined && {
      xyz: {
        modality: 'xyz' as const,
        sensor: 'scanner',
        pointsMetres: new Float32Array(width * height * 3).fill(0.5),
        ...header,
      },
    }),
  }
  return { trigger, frames, absent, condition: conditionOf(frames), skewMs: 2 }
}

export function makeDecided(fields: Partial<Decided> = {}): Decided {
  return {
    kind: 'decided',
    condition: 'complete',
    absent: {},
    normality: 0.5,
    threshold: 0.01,
    distance: 1.5,
    bankScores: { rgb: 1, xyz: 2, fused: 3 },
    map: new Float32Array(INPUT_SIZE * INPUT_SIZE).fill(0.2),
    placement: { frameWidth: 4, frameHeight: 3, side: 4, padTop: 0, padLeft: 0 },
    regions: [],
    flags: [],
    bundleId: 'bundle-a',
    repositoryId: 'repository-a',
    backend: 'onnxruntime-cpu',
    timingMs: { preprocess: 1, encode: 2 },
    ...fields,
  }
}

export function makePayload(fields: Partial<VerdictPayload> = {}): VerdictPayload {
  const policy = { complete: 'decide', 'rgb-only': 'decide', 'xyz-only': 'decide', none: 'review' } as const
  return {
    ...decide(makeSample(), makeDecided(), {
      policy,
      sensors: { rgb: 'camera', xyz: 'scanner' },
      delayToleranceMs: 500,
      nowMs: 1100,
    }),
    schema: 'radar-edge/verdict@1',
    site: 'plant',
    station: 'cell',
    time: isoTime(),
    seq: 1,
    durable: true,
    historical: false,
    product: 'nut',
    timingMs: { total: 12 },
    ...fields,
  }
}
