/** Good parts, captured or kept from an interrupted teaching, as features: each is on the disk before the next one counts. */
import { looksOf, type Looks } from '../drivers/look-limits.ts'
import { withoutDegraded, type Condition } from '../drivers/sample.ts'
import type { Bundle } from '../models/bundle.ts'
import { ENGINE } from '../models/engine.ts'
import { gainOf, type CurvePoint, type LearningCurve } from '../models/learning-curve.ts'
import { sampleOfStored } from '../models/stored-part.ts'
import type { TaughtPart } from '../models/teach.ts'
import { encodeSample } from './encoded-sample.ts'
import { capturedAhead, type CapturedPart, type GoodParts } from './good-parts.ts'
import type { ProgressLine } from './progress.ts'
import { RuntimeError } from './runtime-error.ts'
import type { PartToTeach, Teaching } from './teaching.ts'

export interface EncodeOptions {
  readonly bundle: Bundle
  readonly teaching: Teaching
  readonly curve: LearningCurve
  /** Ids of parts that are neither captured nor taught. */
  readonly exclude: ReadonlySet<string>
  /** Seeds the plane fit. */
  readonly seed: number
  readonly line: ProgressLine
  readonly signal: AbortSignal
}

export interface EncodedPart extends TaughtPart {
  readonly heldOut: boolean
  readonly condition: Condition
  /** Of its frames, as they are kept. */
  readonly looks: Looks
}

/** Of so many of the last parts the novelty is told while they are captured. */
const NOVELTY_PARTS = 5

/** @throws RuntimeError TEACHING_FAILED when part after part lacks a sensor; ModelError. Rejects with the signal's reason. */
export async function encodeParts(
  parts: GoodParts,
  options: EncodeOptions,
): Promise<{ parts: EncodedPart[]; points: CurvePoint[] }> {
  const { exclude, line, curve, signal } = options
  const kept = await loadKept(parts, options)
  const items = parts.items.filter(({ partId }) => !exclude.has(partId))
  const captured = capturedAhead(parts, ({ partId }) => kept.has(partId) || exclude.has(partId))
  const encoded: EncodedPart[] = []
  const points: CurvePoint[] = []
  let incompleteInARow = 0
  for (const [index, item] of items.entries()) {
    signal.throwIfAborted()
    const known = kept.get(item.partId)
    const part = known ?? (await encodeCaptured((await captured.next()).value, options))
    const condition = part?.condition ?? 'none'
    if (part !== undefined) encoded.push(part)
    incompleteInARow = condition === 'complete' ? 0 : incompleteInARow + 1
    if (incompleteInARow >= parts.mostIncompleteInARow) {
      const detail = `${incompleteInARow} parts in a row lacked a sensor; see \`radar-edge doctor\``
      throw new RuntimeError('TEACHING_FAILED', detail)
    }
    if (part !== undefined && !part.heldOut) points.push(await curve.add(part))
    const note = noveltyOf(points)
    const progress = { phase: 'encoding parts', done: index + 1, total: items.length }
    line.update({ ...progress, ...(note !== undefined && { note }) })
  }
  return { parts: encoded, points }
}

/** What an interrupted teaching has captured. */
async function loadKept(parts: GoodParts, options: EncodeOptions): Promise<Map<string, EncodedPart>> {
  const { teaching, exclude, line, signal } = options
  const captured = await teaching.captured()
  const items = parts.items.filter(({ partId }) => captured.has(partId) && !exclude.has(partId))
  const kept = new Map<string, EncodedPart>()
  for (const [index, item] of items.entries()) {
    signal.throwIfAborted()
    const part = await loadPart(item, options)
    if (part !== undefined) kept.set(item.partId, part)
    line.update({ phase: 'reading parts', done: index + 1, total: items.length })
  }
  if (items.length > 0 && teaching.parts === undefined) {
    line.finish()
    process.stderr.write(`going on with ${kept.size} parts that were captured before (${teaching.folder})\n`)
  }
  return kept
}

/** Its features as they were stored when they are of this bundle and engine; else encoded again from its frames. */
async function loadPart(
  item: PartToTeach,
  { bundle, teaching, seed }: EncodeOptions,
): Promise<EncodedPart | undefined> {
  const whole = await teaching.load(item.partId, 'all')
  if (whole === undefined) return undefined
  const { features, condition } = whole
  const looks = looksOf(whole.frames)
  if (features?.bundleId === bundle.id && features.engine === ENGINE) {
    return { ...item, condition, features, looks }
  }
  const { features: anew, condition: seen } = await encodeSample(sampleOfStored(whole), { bundle, seed })
  if (anew === undefined) return undefined
  await teaching.keep({ ...whole, condition: seen, features: anew, heldOut: item.heldOut })
  return { ...item, condition: seen, features: anew, looks }
}

/** Encodes it and puts it on the disk. @returns undefined for a sample without a usable frame. */
async function encodeCaptured(
  captured: CapturedPart | undefined,
  { bundle, teaching, seed, line }: EncodeOptions,
): Promise<EncodedPart | undefined> {
  if (captured === undefined) throw new Error('more parts are missing than were captured')
  const { item, sample, capturedAt } = captured
  const { partId, heldOut } = item
  const { condition, absent, flags, frames, features } = await encodeSample(withoutDegraded(sample), {
    bundle,
    seed,
  })
  if (condition !== 'complete') {
    const what = condition === 'none' ? 'is not taught' : `is taught as ${condition}`
    const why = Object.values(absent).map(({ detail }) => detail)
    line.finish()
    process.stderr.write(`${partId} ${what}: ${why.join('; ')}\n`)
  }
  if (features === undefined) return undefined
  await teaching.keep({ partId, heldOut, capturedAt, condition, absent, flags, frames, features })
  return { partId, heldOut, condition, features, looks: looksOf(frames) }
}

function noveltyOf(points: readonly CurvePoint[]): string | undefined {
  const last = points.slice(-NOVELTY_PARTS)
  const gains = (['rgb', 'xyz'] as const).flatMap((modality) => {
    const near = last.flatMap((point) => point[modality] ?? [])
    return near.length === 0 ? [] : gainOf(near)
  })
  return gains.length === 0 ? undefined : `novelty ${Math.round(100 * Math.max(...gains))} %`
}
