/** What the station would have seen of a part with fewer sensors: every condition is taught and calibrated from parts that had more. */
import { modalitiesOf, type DecidableCondition } from '../drivers/sample.ts'
import type { Features } from './features.ts'
import { ModelError } from './model-error.ts'

/** Whether the part was captured with all that the condition has. */
export function canNarrow(from: DecidableCondition, to: DecidableCondition): boolean {
  return modalitiesOf(to).every((modality) => modalitiesOf(from).includes(modality))
}

/**
 * `rgb-only`: all patches are foreground, because nothing tells the part from the table. `xyz-only` and `complete`: foreground as it
 * is. Features are shared, not copied.
 * @throws ModelError `MODEL_MISMATCH` when the part lacks a modality of the condition.
 */
export function narrowed(features: Features, condition: DecidableCondition): Features {
  const { rgb, xyz, foregroundPatches } = features
  const lacking = modalitiesOf(condition).find((modality) => features[modality] === undefined)
  if (lacking !== undefined) {
    throw new ModelError(
      'MODEL_MISMATCH',
      `a ${features.condition} part cannot be seen as ${condition}: it has no ${lacking} features`,
    )
  }
  const isBlind = condition === 'rgb-only'
  return {
    condition,
    ...(condition !== 'xyz-only' && rgb && { rgb }),
    ...(condition !== 'rgb-only' && xyz && { xyz }),
    foregroundPatches: isBlind ? foregroundPatches.map(() => 1) : foregroundPatches,
  }
}
