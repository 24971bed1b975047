/** A sample is what one trigger captured: zero, one or two frames, and why any is absent. */
import type { Trigger } from './driver.ts'
import type { Frame, Modality, RgbFrame, XyzFrame } from './frame.ts'

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
  /** |exposure of rgb - exposure of xyz|, when both frames came: also when it is too much, and one is absent as stale. */
  readonly skewMs?: number
}

export function conditionOf(present: { rgb?: unknown; xyz?: unknown }): Condition {
  if (present.rgb !== undefined) return present.xyz !== undefined ? 'complete' : 'rgb-only'
  return present.xyz !== undefined ? 'xyz-only' : 'none'
}

/**
 * Frames that show less than a good one would teach nobody what is normal: without them, and with what was remarked as the
 * reason of the absence.
 */
export function withoutDegraded(sample: Sample): Sample {
  const absenceOf = (frame: Frame | undefined): Absence | undefined => {
    const remark = frame?.remarks?.find(({ degrades }) => degrades)
    return frame && remark && { reason: 'rejected', detail: `${frame.sensor}: the frame ${remark.detail}` }
  }
  const { rgb, xyz } = sample.frames
  const absent = { rgb: absenceOf(rgb), xyz: absenceOf(xyz) }
  if (!absent.rgb && !absent.xyz) return sample
  const frames = { ...(rgb && !absent.rgb && { rgb }), ...(xyz && !absent.xyz && { xyz }) }
  return {
    trigger: sample.trigger,
    frames,
    absent: {
      ...sample.absent,
      ...(absent.rgb && { rgb: absent.rgb }),
      ...(absent.xyz && { xyz: absent.xyz }),
    },
    condition: conditionOf(frames),
  }
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
