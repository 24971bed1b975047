/**
 * RADAR's fused features G_hat: what the trained fusion makes of both modalities under the instruction of the condition (numerics 4.2).
 * One modality alone is fused too: the graph is fed the bundle's pseudo features for the other, and its instruction says so.
 */
import type { Modality } from '../drivers/frame.ts'
import { modalitiesOf } from '../drivers/sample.ts'
import type { Bundle } from './bundle.ts'
import { GRID_PATCHES, type Features } from './features.ts'
import { finite, tokensOf } from './graph-tokens.ts'
import { ModelError } from './model-error.ts'
import type { Tensor } from './session.ts'
import type { StepClock } from './step-clock.ts'

/** One row per patch: `rows * width`. */
export interface PatchRows {
  readonly width: number
  readonly values: Float32Array
}

/**
 * G_hat of a part under the instruction of `features.condition`: 784 rows, as the graph gives them.
 * @throws ModelError `MODEL_MISMATCH` when a modality of the condition is absent or of another width, `MODEL_FAILED`, `NOT_FINITE`.
 */
export type Fuse = (features: Features) => Promise<PatchRows>

export function fuseWith(bundle: Pick<Bundle, 'manifest' | 'fusion' | 'pseudo'>): Fuse {
  const { manifest, fusion, pseudo } = bundle
  return async (features) => {
    const { condition } = features
    const fed = (modality: Modality): Tensor => {
      const { width } = manifest.encoders[modality]
      const own = features[modality]
      const isThere = modalitiesOf(condition).includes(modality)
      const data = isThere ? own?.values : pseudo[modality]
      if (data?.length !== GRID_PATCHES * width || (isThere && own?.width !== width)) {
        throw new ModelError(
          'MODEL_MISMATCH',
          `a ${condition} part came with ${own?.values.length ?? 'no'} ${modality} values of width ${own?.width ?? 0}, the fusion needs ${GRID_PATCHES} x ${width}`,
        )
      }
      return { type: 'float32', dims: [GRID_PATCHES, width], data }
    }
    const instruction = BigInt64Array.of(BigInt(manifest.instructions[condition]))
    const { width } = manifest.fusion
    const feeds = {
      rgb: fed('rgb'),
      xyz: fed('xyz'),
      condition: { type: 'int64', dims: [1], data: instruction },
    } as const
    const values = await tokensOf(fusion, feeds, { who: 'the fusion', length: GRID_PATCHES * width })
    return { width, values: finite('the fusion', values) }
  }
}

/** Fuses within another step: the time counts as `fusion`, and the other step goes on after it. */
export function fuseTimed(fuse: Fuse, clock: StepClock, outerStep: string): Fuse {
  return async (features) => {
    clock.enter('fusion')
    const rows = await fuse(features)
    clock.enter(outerStep)
    return rows
  }
}
