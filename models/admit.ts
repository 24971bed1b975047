/** The inspector's gate. Supervised drivers check their frames too; this one also stands before replayed and foreign data. */
import type { Frame, RgbFrame, XyzFrame } from '../drivers/frame.ts'
import { conditionOf, type Absence, type Sample } from '../drivers/sample.ts'

/** Below this a part covers a handful of the model's patches. */
const SIDE_LEAST = 32
const SIDE_MOST = 16384
/** A longer strip would be mostly padding in the model's square input. */
const ASPECT_MOST = 8

/** Takes out of a sample every frame that is no picture or no point map, with the reason, and narrows the condition. */
export function admitFrames(sample: Sample): Sample {
  const { rgb, xyz } = sample.frames
  const rgbProblem = rgb && (layoutProblem(rgb) ?? pictureProblem(rgb))
  const xyzProblem = xyz && (layoutProblem(xyz) ?? (rgb && !rgbProblem ? pairProblem(rgb, xyz) : undefined))
  if (rgbProblem === undefined && xyzProblem === undefined) return sample
  const frames = {
    ...(rgb && rgbProblem === undefined && { rgb }),
    ...(xyz && xyzProblem === undefined && { xyz }),
  }
  const absent = {
    ...sample.absent,
    ...(rgbProblem !== undefined && { rgb: rejected(rgbProblem) }),
    ...(xyzProblem !== undefined && { xyz: rejected(xyzProblem) }),
  }
  return { trigger: sample.trigger, frames, absent, condition: conditionOf(frames) }
}

function layoutProblem(frame: Frame): string | undefined {
  const { sensor, width, height } = frame
  if (!Number.isInteger(width) || !Number.isInteger(height)) {
    return `${sensor} sent a frame of ${width}x${height}, expected whole numbers`
  }
  const shorter = Math.min(width, height)
  const longer = Math.max(width, height)
  if (shorter < SIDE_LEAST || longer > SIDE_MOST || longer > shorter * ASPECT_MOST) {
    return `${sensor} sent ${width}x${height}, expected sides of ${SIDE_LEAST} to ${SIDE_MOST} and at most ${ASPECT_MOST}:1`
  }
  const values: unknown = frame.modality === 'rgb' ? frame.pixels : frame.pointsMetres
  const kind = frame.modality === 'rgb' ? Uint8Array : Float32Array
  if (!(values instanceof kind)) return `${sensor} sent values that are no ${kind.name}`
  const expected = width * height * 3
  if (values.length !== expected) {
    return `${sensor} sent ${values.length} values for ${width}x${height}, expected ${expected}`
  }
  return undefined
}

/** A sensor adds noise to whatever it sees; one value everywhere is a covered lens, a dead or a saturated sensor. */
function pictureProblem({ sensor, pixels }: RgbFrame): string | undefined {
  const first = pixels[0]!
  for (let i = 1; i < pixels.length; i++) if (pixels[i] !== first) return undefined
  return `${sensor} sent ${first} for every pixel: no picture`
}

function pairProblem(rgb: RgbFrame, xyz: XyzFrame): string | undefined {
  if (rgb.width === xyz.width && rgb.height === xyz.height) return undefined
  return (
    `${xyz.sensor} sent ${xyz.width}x${xyz.height} points, ${rgb.sensor} ${rgb.width}x${rgb.height} pixels: ` +
    'not a registered pair'
  )
}

const rejected = (detail: string): Absence => ({ reason: 'rejected', detail })
