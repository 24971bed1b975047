/** The inspector's gate. Supervised drivers check their frames too; this one also stands before replayed and foreign data. */
import { checkFrame, defaultFrameLimits } from '../drivers/frame-check.ts'
import type { Frame, Modality } from '../drivers/frame.ts'
import { conditionOf, type Absence, type Sample } from '../drivers/sample.ts'

/** Below this a part covers a handful of the model's patches. */
const SIDE_LEAST = 32
const SIDE_MOST = 16384
/** A longer strip would be mostly padding in the model's square input. */
const ASPECT_MOST = 8

/** Takes every frame out of a sample that is no picture or no point map, says why, and narrows the condition. */
export function admitFrames(sample: Sample): Sample {
  const rgb = gate(sample.frames.rgb, 'rgb')
  const xyz = gate(sample.frames.xyz, 'xyz')
  if (rgb.frame && xyz.frame && !sameSize(rgb.frame, xyz.frame)) {
    const detail = `${sizeOf(xyz.frame)} points, but ${sizeOf(rgb.frame)} pixels from ${rgb.frame.sensor}: no registered pair`
    xyz.refusal = { reason: 'rejected', detail: `${xyz.frame.sensor}: the frame has ${detail}` }
  }
  if (!rgb.refusal && !xyz.refusal) return sample
  const frames = {
    ...(rgb.frame && !rgb.refusal && { rgb: rgb.frame }),
    ...(xyz.frame && !xyz.refusal && { xyz: xyz.frame }),
  }
  const absent = {
    ...sample.absent,
    ...(rgb.refusal && { rgb: rgb.refusal }),
    ...(xyz.refusal && { xyz: xyz.refusal }),
  }
  return { trigger: sample.trigger, frames, absent, condition: conditionOf(frames) }
}

function gate<F extends Frame>(frame: F | undefined, modality: Modality): { frame?: F; refusal?: Absence } {
  if (!frame) return {}
  const refusal = checkFrame(frame, modality, defaultFrameLimits) ?? checkSize(frame)
  if (!refusal) return { frame }
  return { refusal: { reason: refusal.reason, detail: `${frame.sensor}: the frame ${refusal.detail}` } }
}

function checkSize({ width, height }: Frame): Absence | undefined {
  const shorter = Math.min(width, height)
  const longer = Math.max(width, height)
  if (shorter >= SIDE_LEAST && longer <= SIDE_MOST && longer <= shorter * ASPECT_MOST) return undefined
  const expected = `sides of ${SIDE_LEAST} to ${SIDE_MOST} pixels, at most ${ASPECT_MOST}:1`
  return { reason: 'rejected', detail: `is ${width}x${height}, expected ${expected}` }
}

const sizeOf = ({ width, height }: Frame) => `${width}x${height}`
const sameSize = (a: Frame, b: Frame) => a.width === b.width && a.height === b.height
