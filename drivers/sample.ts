/** A sample is what one trigger captured: zero, one or two frames, and why any is absent. */
import type { Trigger } from './driver.ts'
import type { Modality, RgbFrame, XyzFrame } from './frame.ts'

/** Which modalities a sample has. The RADAR instruction, banks and threshold are chosen by it. */
export type Condition = 'complete' | 'rgb-only' | 'xyz-only' | 'none'

/** The conditions that can be decided upon. */
export const DECIDABLE_CONDITIONS = ['complete', 'rgb-only', 'xyz-only'] as const
export type DecidableCondition = (typeof DECIDABLE_CONDITIONS)[number]

export type AbsenceReason = 'timeout' | 'lost' | 'frozen' | 'bad-frame' | 'stale' | 'rejected'

export interface Absence {
  readonly reason: AbsenceReason
  /** One sentence for a person: what happened, with the numbers. */
  readonly detail: string
}

export interface Sample {
  readonly trigger: Trigger
  readonly frames: { readonly rgb?: RgbFrame; readonly xyz?: XyzFrame }
  readonly absent: { readonly rgb?: Absence; readonly xyz?: Absence }
  readonly condition: Condition
  /** |exposure of rgb - exposure of xyz|, when both are there. */
  readonly skewMs?: number
}

export function conditionOf(present: { rgb?: unknown; xyz?: unknown }): Condition {
  if (present.rgb !== undefined) return present.xyz !== undefined ? 'complete' : 'rgb-only'
  return present.xyz !== undefined ? 'xyz-only' : 'none'
}

export function modalitiesOf(condition: Condition): readonly Modality[] {
  switch (condition) {
    case 'complete':
      return ['rgb', 'xyz']
    case 'rgb-only':
      return ['rgb']
    case 'xyz-only':
      return ['xyz']
    case 'none':
      return []
  }
}
