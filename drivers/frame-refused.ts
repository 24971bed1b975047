import { DriverError } from './driver.ts'
import type { AbsenceReason } from './sample.ts'

/** Why a frame that did arrive is not used. A sample says it as the modality's absence. */
export interface Refusal {
  readonly reason: Extract<AbsenceReason, 'bad-frame' | 'frozen' | 'stale' | 'rejected'>
  /** Goes on from "<sensor>: the frame ...". */
  readonly detail: string
}

/** A `DRIVER_BAD_FRAME` that knows what a sample says of it. */
export class FrameRefused extends DriverError {
  readonly reason: Refusal['reason']

  constructor(sensor: string, { reason, detail }: Refusal, options?: ErrorOptions) {
    super('DRIVER_BAD_FRAME', `${sensor}: the frame ${detail}`, options)
    this.reason = reason
  }
}
