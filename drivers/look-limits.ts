/**
 * How frames may look: learned from the frames of taught parts, applied to every frame while their repository is in use.
 * The margins are wide. A good part that is called degraded costs trust; a lamp that ages shows in the score first.
 */
import type { Frame, FrameRemark } from './frame.ts'
import type { Refusal } from './frame-refused.ts'
import { lookOfPicture, lookOfPoints, type PictureLook, type PointsLook } from './look.ts'

export interface Range {
  readonly least: number
  readonly most: number
}

type Ranges<Look> = { readonly [Figure in keyof Look]: Range }

export interface LearnedLooks {
  /** Over so many frames. */
  readonly rgb?: { readonly frames: number } & Ranges<PictureLook>
  readonly xyz?: { readonly frames: number } & Ranges<PointsLook>
}

export interface Looks {
  readonly rgb?: PictureLook
  readonly xyz?: PointsLook
}

/** Of one figure that left its range: how far it is out. */
interface Finding {
  readonly code: 'dark' | 'saturated' | 'blurred' | 'few-returns' | 'distance'
  readonly detail: string
  readonly isFar: boolean
}

/** A part of the range of good parts' brightness, sharpness and returns; below the first degraded, below the second rejected. */
const BRIGHTNESS = { degraded: 0.6, rejected: 0.25 }
const SHARPNESS = { degraded: 0.35, rejected: 0.1 }
const RETURNS = { degraded: 0.7, rejected: 0.35 }
/** Added to the largest share. Black grounds hover at the limit of black: there the share says little. */
const BLACK = { degraded: 0.4, rejected: 0.7 }
const WHITE = { degraded: 0.1, rejected: 0.5 }
/** Of the farthest taught distance, or of the range if that is wider. */
const DISTANCE = { degraded: 0.05, rejected: 0.3 }
/** Fewer frames show no range. */
const FEWEST_FRAMES = 3

export function looksOf({
  rgb,
  xyz,
}: {
  readonly rgb?: Extract<Frame, { modality: 'rgb' }>
  readonly xyz?: Extract<Frame, { modality: 'xyz' }>
}): Looks {
  return { ...(rgb && { rgb: lookOfPicture(rgb) }), ...(xyz && { xyz: lookOfPoints(xyz) }) }
}

/** @returns undefined when fewer than three parts show either modality. */
export function learnLooks(parts: readonly Looks[]): LearnedLooks | undefined {
  const rgb = parts.flatMap((part) => part.rgb ?? [])
  const xyz = parts.flatMap((part) => part.xyz ?? [])
  const learned = {
    ...(rgb.length >= FEWEST_FRAMES && {
      rgb: {
        frames: rgb.length,
        brightness: rangeOf(rgb.map(({ brightness }) => brightness)),
        darkShare: rangeOf(rgb.map(({ darkShare }) => darkShare)),
        saturatedShare: rangeOf(rgb.map(({ saturatedShare }) => saturatedShare)),
        sharpness: rangeOf(rgb.map(({ sharpness }) => sharpness)),
      },
    }),
    ...(xyz.length >= FEWEST_FRAMES && {
      xyz: {
        frames: xyz.length,
        returnsShare: rangeOf(xyz.map(({ returnsShare }) => returnsShare)),
        distanceMetres: rangeOf(xyz.map(({ distanceMetres }) => distanceMetres)),
      },
    }),
  }
  return Object.keys(learned).length === 0 ? undefined : learned
}

/** What is to be said of the frame, or why it must not be used. @param frame well-formed (`checkFrame`). */
export function judgeLook(
  frame: Frame,
  learned: LearnedLooks,
): { readonly remarks: readonly FrameRemark[]; readonly refusal?: Refusal } {
  const findings =
    frame.modality === 'rgb'
      ? learned.rgb && pictureFindings(lookOfPicture(frame), learned.rgb)
      : learned.xyz && pointsFindings(lookOfPoints(frame), learned.xyz)
  const far = findings?.find(({ isFar }) => isFar)
  if (far !== undefined) return { remarks: [], refusal: { reason: 'rejected', detail: far.detail } }
  const remarks = (findings ?? []).map(({ code, detail }) => ({ code, detail, degrades: true }))
  return { remarks }
}

function pictureFindings(look: PictureLook, learned: Ranges<PictureLook>): Finding[] {
  const { brightness, darkShare, saturatedShare, sharpness } = learned
  const dim = below(look.brightness, brightness, BRIGHTNESS)
  const black = above(look.darkShare, darkShare, BLACK)
  const white = above(look.saturatedShare, saturatedShare, WHITE)
  const soft = below(look.sharpness, sharpness, SHARPNESS)
  const isDark = dim ?? black
  return [
    ...(isDark === undefined
      ? []
      : [
          {
            code: 'dark' as const,
            detail: `is dark: brightness ${look.brightness.toFixed(0)} of 255 and ${percent(look.darkShare)} black, good parts had at least ${brightness.least.toFixed(0)} and at most ${percent(darkShare.most)}`,
            isFar: dim === 'far' || black === 'far',
          },
        ]),
    ...(white === undefined
      ? []
      : [
          {
            code: 'saturated' as const,
            detail: `is saturated: ${percent(look.saturatedShare)} of it is white, of good parts at most ${percent(saturatedShare.most)}`,
            isFar: white === 'far',
          },
        ]),
    ...(soft === undefined
      ? []
      : [
          {
            code: 'blurred' as const,
            detail: `is blurred: it has ${percent(look.sharpness / sharpness.least)} of the contrast between neighbours that good parts had at least`,
            isFar: soft === 'far',
          },
        ]),
  ]
}

function pointsFindings(look: PointsLook, { returnsShare, distanceMetres }: Ranges<PointsLook>): Finding[] {
  const few = below(look.returnsShare, returnsShare, RETURNS)
  const { least, most } = distanceMetres
  const outsideMetres = Math.max(least - look.distanceMetres, look.distanceMetres - most)
  const away = above(
    outsideMetres,
    { least: 0, most: 0 },
    {
      degraded: Math.max(most - least, DISTANCE.degraded * most),
      rejected: Math.max(3 * (most - least), DISTANCE.rejected * most),
    },
  )
  return [
    ...(few === undefined
      ? []
      : [
          {
            code: 'few-returns' as const,
            detail: `has points in ${percent(look.returnsShare)} of its pixels, good parts had at least ${percent(returnsShare.least)}`,
            isFar: few === 'far',
          },
        ]),
    ...(away === undefined
      ? []
      : [
          {
            code: 'distance' as const,
            detail: `has a median distance of ${look.distanceMetres.toFixed(3)} m, good parts had ${least.toFixed(3)} to ${most.toFixed(3)} m`,
            isFar: away === 'far',
          },
        ]),
  ]
}

type Margins = { readonly degraded: number; readonly rejected: number }

function below(value: number, { least }: Range, factors: Margins): 'out' | 'far' | undefined {
  if (value < factors.rejected * least) return 'far'
  return value < factors.degraded * least ? 'out' : undefined
}

function above(value: number, { most }: Range, margins: Margins): 'out' | 'far' | undefined {
  if (value > most + margins.rejected) return 'far'
  return value > most + margins.degraded ? 'out' : undefined
}

function rangeOf(values: readonly number[]): Range {
  return { least: Math.min(...values), most: Math.max(...values) }
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`
