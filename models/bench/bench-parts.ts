/** A stored part as every bench sees it: read by the product's drivers, encoded by its encoders, in each condition. */
import type { DatasetItem } from '../../drivers/dataset.ts'
import type { ReplayStation } from '../../drivers/replay.ts'
import { conditionOf, type DecidableCondition, type Sample } from '../../drivers/sample.ts'
import { extractFeatures } from '../extract.ts'
import type { Features, Placement } from '../features.ts'
import { narrowed } from '../narrow.ts'

/** A part in one condition, or why there is no such. */
export type InCondition = { readonly condition: DecidableCondition } & (
  | { readonly features: Features; readonly placement: Placement; readonly why?: undefined }
  | { readonly features?: undefined; readonly placement?: undefined; readonly why: string }
)

/**
 * The part as a live station would see it with both sensors and with either alone. Tokens are computed once: the points of a part do
 * not depend on its picture, and its picture depends on the points only where the bundle masks the background, which a live station
 * without 3D cannot.
 */
export async function inEveryCondition(
  sample: Sample,
  options: Parameters<typeof extractFeatures>[1],
): Promise<InCondition[]> {
  const { rgb, xyz } = sample.frames
  const live = async (condition: DecidableCondition, frames: Sample['frames']): Promise<InCondition> => {
    if (Object.keys(frames).length === 0) return { condition, why: 'the data set has no file for it' }
    const extracted = await extractFeatures({ ...sample, frames, condition: conditionOf(frames) }, options)
    if (extracted.condition === condition) {
      return {
        condition,
        features: extracted.features,
        placement: placed(extracted.input.placement, extracted.step),
      }
    }
    const absent = extracted.condition === 'none' ? extracted.absent : extracted.input.absent
    return {
      condition,
      why:
        Object.values(absent)
          .map(({ detail }) => detail)
          .join('; ') || 'a file is missing',
    }
  }
  const complete = await live('complete', sample.frames)
  const rgbAlone = () => live('rgb-only', rgb ? { rgb } : {})
  const xyzAlone = () => live('xyz-only', xyz ? { xyz } : {})
  if (!complete.features) return [complete, await rgbAlone(), await xyzAlone()]

  const { features, placement } = complete
  const isMasked = options.bundle.manifest.input.rgb.masking === 'foreground'
  return [
    complete,
    isMasked
      ? await rgbAlone()
      : { condition: 'rgb-only', placement, features: narrowed(features, 'rgb-only') },
    { condition: 'xyz-only', placement, features: narrowed(features, 'xyz-only') },
  ]
}

/** In pixels of the frame that was read, which is the mask's. */
function placed({ frameWidth, frameHeight, side, padTop, padLeft }: Placement, step: number): Placement {
  return {
    frameWidth: frameWidth * step,
    frameHeight: frameHeight * step,
    side: side * step,
    padTop: padTop * step,
    padLeft: padLeft * step,
  }
}

export const triggerOf = ({ partId }: DatasetItem) =>
  ({ id: `bench-${partId}`, atMs: performance.now(), source: 'bench', partId }) as const

/** Both frames of a stored part, as far as it has files. */
export async function sampleOf(
  item: DatasetItem,
  {
    station,
    signal = new AbortController().signal,
  }: { station: ReplayStation; signal?: AbortSignal | undefined },
): Promise<Sample> {
  const trigger = triggerOf(item)
  const frames = {
    ...(item.rgbPath !== undefined && { rgb: await station.rgb.capture(trigger, signal) }),
    ...(item.xyzPath !== undefined && { xyz: await station.xyz.capture(trigger, signal) }),
  }
  return { trigger, frames, absent: {}, condition: conditionOf(frames) }
}
