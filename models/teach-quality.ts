/** What a technician is told of a teaching before it is trusted: how well parts cover the product, which of them look bad, what to expect. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { Modality } from '../drivers/frame.ts'
import { calibrate, leftOutDistances, type CalibrationPart } from './calibrate.ts'
import { BANKS_OF, compare, patchRows } from './comparison.ts'
import { bankKey, BANK_KEYS, byBankKey, type BankKey } from './features.ts'
import { conclude } from './judge.ts'
import { gainOf, type CurvePoint, type Learning } from './learning-curve.ts'
import { canNarrow, narrowed } from './narrow.ts'
import { compareNormals, sourceOf, type CalibrationOptions, type Normals } from './normals.ts'
import { outliersOf } from './outliers.ts'
import type { Lesson, TaughtPart } from './teach.ts'

export interface TeachQuality {
  readonly banks: Readonly<Record<BankKey, BankQuality>>
  /** Of all banks together, as float32. */
  readonly bytes: number
  readonly learning: Learning & { readonly byPart: readonly PartNovelty[] }
  /** Proposed for exclusion, the oddest first; nothing was done about them. */
  readonly outliers: readonly TaughtOutlier[]
  readonly falseRejects: Readonly<Record<DecidableCondition, FalseRejects>>
  readonly searchMs: SearchTime
}

export interface BankQuality {
  readonly rows: number
  readonly bytes: number
  /** Every candidate has a row within this distance. */
  readonly coveringRadius: number
}

/** What a taught part added to those before it; a modality is told where there were enough of them. */
export interface PartNovelty {
  readonly partId: string
  readonly rgb?: Novelty
  readonly xyz?: Novelty
}

export interface Novelty {
  /** How much nearer it lies to all parts before it than to half of them: the share that the distance falls by. */
  readonly gain: number
  /** Share of its patches that lie farther than the final covering radius from every patch before it. */
  readonly beyondRadius: number
}

export interface TaughtOutlier {
  readonly partId: string
  /** The condition that shows it best. */
  readonly condition: DecidableCondition
  /** That the oddest of so many good parts looks this odd in any condition. */
  readonly chance: number
  /** Beside the parts that are no outliers. */
  readonly normality: number
  readonly distance: number
  /** 224 x 224; 1.0 = the map threshold without the outliers. */
  readonly map: Float32Array
}

/** Good parts out of a thousand that would fail, with the exact 95 % interval. */
export interface FalseRejects {
  readonly perThousand: number
  readonly lower: number
  readonly upper: number
  /** They were counted on. */
  readonly parts: number
}

/** Of one part in all banks of a condition that it can be seen in, milliseconds. */
export interface SearchTime {
  readonly median: number
  readonly worst: number
  readonly searches: number
}

/** Chance that good parts alone lead to a proposal, over the three conditions. */
const OUTLIER_LEVEL = 0.02
const TIMED_SEARCHES = 15

/** @param curve of the parts as they were captured; points of parts that were not taught are left out. */
export async function qualityOf(
  lesson: Lesson,
  curve: { readonly points: readonly CurvePoint[]; readonly learning: Learning },
  options: CalibrationOptions,
): Promise<TeachQuality> {
  const { repository, parts } = lesson
  const { banks, scales, heads } = repository.manifest
  const taught = new Set(parts.map(({ partId }) => partId))
  const known = curve.points.filter(({ partId }) => taught.has(partId))
  const noveltyOf = (point: CurvePoint, modality: Modality): { [M in Modality]?: Novelty } => {
    const near = point[modality]
    if (near === undefined) return {}
    const radius = banks[modality].coveringRadius * scales[modality].std
    const beyond = near.distances.reduce((count, distance) => count + (distance > radius ? 1 : 0), 0)
    return {
      [modality]: {
        gain: gainOf([near]),
        beyondRadius: beyond / near.distances.length,
      },
    }
  }
  const sizes = byBankKey((key) => ({
    rows: banks[key].rows,
    bytes: repository.banks[key].values.byteLength,
    coveringRadius: banks[key].coveringRadius,
  }))
  const falseRejectsOf = (condition: DecidableCondition): FalseRejects => {
    const { parts: count, predictedFalseRejects } = heads[condition].calibration
    const { rate, lower, upper } = predictedFalseRejects
    return { perThousand: 1000 * rate, lower: 1000 * lower, upper: 1000 * upper, parts: count }
  }
  return {
    banks: sizes,
    bytes: BANK_KEYS.reduce((sum, key) => sum + sizes[key].bytes, 0),
    learning: {
      ...curve.learning,
      byPart: known.map((point) => ({
        partId: point.partId,
        ...noveltyOf(point, 'rgb'),
        ...noveltyOf(point, 'xyz'),
      })),
    },
    outliers: await taughtOutliers(lesson, options),
    falseRejects: {
      complete: falseRejectsOf('complete'),
      'rgb-only': falseRejectsOf('rgb-only'),
      'xyz-only': falseRejectsOf('xyz-only'),
    },
    searchMs: await timeSearches(lesson, options),
  }
}

/** A part beside banks and a head that hold nothing of it. */
interface AskedPart {
  readonly partId: string
  readonly findings: CalibrationPart
}

/**
 * Parts that the others do not foretell, in any condition. A defect that several parts have alike is in the banks when one of them is
 * left out: such parts vouch for each other and none is named.
 */
async function taughtOutliers(lesson: Lesson, options: CalibrationOptions): Promise<TaughtOutlier[]> {
  const asked = await askedParts(lesson, options)
  const { heads } = lesson.repository.manifest
  const chances = new Map<string, { condition: DecidableCondition; chance: number }>()
  for (const condition of DECIDABLE_CONDITIONS) {
    const parts = asked[condition]
    const { mode } = heads[condition].mahalanobis
    const distances = leftOutDistances(
      parts.map(({ findings }) => findings),
      { condition, mode },
    )
    for (const { index, chance } of outliersOf(distances, OUTLIER_LEVEL / DECIDABLE_CONDITIONS.length)) {
      const { partId } = parts[index]!
      const inAny = Math.min(1, DECIDABLE_CONDITIONS.length * chance)
      if (inAny < (chances.get(partId)?.chance ?? Infinity)) chances.set(partId, { condition, chance: inAny })
    }
  }
  const outliers: TaughtOutlier[] = []
  for (const condition of DECIDABLE_CONDITIONS) {
    const shown = asked[condition].filter(({ partId }) => chances.get(partId)?.condition === condition)
    if (shown.length === 0) continue
    const rest = asked[condition].filter(({ partId }) => !chances.has(partId))
    const head = calibrate(
      rest.map(({ findings }) => findings),
      {
        condition,
        source: heads[condition].calibration.source,
        falseRejectRate: options.falseRejectRate,
        seed: options.seed,
        mode: heads[condition].mahalanobis.mode,
      },
    )
    for (const { partId, findings } of shown) {
      outliers.push({ partId, ...chances.get(partId)!, ...conclude(findings, head) })
    }
  }
  return outliers.sort((a, b) => a.chance - b.chance)
}

/** Held-out parts beside the banks, taught ones beside banks without them. */
async function askedParts(
  { parts, heldOut, built, normals }: Lesson,
  options: CalibrationOptions,
): Promise<Readonly<Record<DecidableCondition, AskedPart[]>>> {
  const able = (list: readonly TaughtPart[], condition: DecidableCondition) =>
    list.filter(({ features }) => canNarrow(features.condition, condition))
  const paired = (list: readonly TaughtPart[], findings: readonly CalibrationPart[]): AskedPart[] =>
    list.map(({ partId }, i) => ({ partId, findings: findings[i]! }))
  // Where enough parts were held out the taught ones were not asked when the heads were calibrated.
  const isAsked = (condition: DecidableCondition) => sourceOf(heldOut, condition) !== 'held-out'
  const anew: Normals | undefined = DECIDABLE_CONDITIONS.every(isAsked)
    ? undefined
    : await compareNormals(options, { parts, heldOut: [], built })
  const askedIn = (condition: DecidableCondition): AskedPart[] => {
    const out = able(heldOut, condition)
    const taught = isAsked(condition) ? normals[condition].slice(out.length) : anew![condition]
    return [...paired(out, normals[condition]), ...paired(able(parts, condition), taught)]
  }
  return {
    complete: askedIn('complete'),
    'rgb-only': askedIn('rgb-only'),
    'xyz-only': askedIn('xyz-only'),
  }
}

async function timeSearches(
  { repository, parts, heldOut }: Lesson,
  { search, fuse, signal }: CalibrationOptions,
): Promise<SearchTime> {
  const { scales } = repository.manifest
  const complete = [...parts, ...heldOut].filter(({ features }) => features.condition === 'complete')
  const times: number[] = []
  // One more, and the first does not count: it warms up.
  for (let asked = 0; asked <= TIMED_SEARCHES; asked++) {
    const features = narrowed(complete[asked % complete.length]!.features, 'complete')
    let elapsedMs = 0
    for (const name of BANKS_OF.complete) {
      const rows = await patchRows(features, name, scales, fuse)
      const startedMs = performance.now()
      await compare(rows, repository.banks[bankKey(name, 'complete')], search)
      elapsedMs += performance.now() - startedMs
    }
    if (asked > 0) times.push(elapsedMs)
    signal?.throwIfAborted()
  }
  times.sort((a, b) => a - b)
  return { median: times[times.length >> 1]!, worst: times.at(-1)!, searches: times.length }
}
