/**
 * What the archive keeps of an inspected part: of every part the features, of one that did not pass also what the sensors saw and
 * the map. And back again: the facts that the index holds can be read off a stored part, so that a lost index is not the end.
 */
import * as z from 'zod'
import type { Sample } from '../drivers/sample.ts'
import { ENGINE } from '../models/engine.ts'
import type { Inspection } from '../models/inspection.ts'
import { reduceSample } from '../models/reduce.ts'
import type { PartRecord, StoredFeatures, StoredMap, StoredPart } from '../models/stored-part.ts'
import type { VerdictPayload } from './messages.ts'
import type { PartFacts } from './part-index.ts'

export interface PartToKeep {
  readonly facts: PartFacts
  readonly absent: Sample['absent']
  readonly features?: StoredFeatures
  /** As captured: reducing takes a while, which only a part that finds room in the queue is worth. */
  readonly sample?: Sample
  readonly map?: StoredMap
}

export function partToKeep(
  verdict: VerdictPayload,
  { sample, inspection }: { sample: Sample; inspection?: Inspection },
): PartToKeep {
  const decided = inspection?.kind === 'decided' ? inspection : undefined
  const hasFrames = sample.frames.rgb !== undefined || sample.frames.xyz !== undefined
  const isShown = verdict.outcome !== 'pass' && hasFrames
  const { triggerId, seq, product, time, partId, outcome, condition, flags, degraded } = verdict
  const { score: normality, distance, provenance } = verdict
  return {
    facts: {
      triggerId,
      seq,
      product,
      time: new Date(time).toISOString(),
      ...(partId !== undefined && { partId }),
      outcome,
      condition,
      ...(normality !== undefined && { normality }),
      ...(distance !== undefined && { distance }),
      ...(provenance && { repositoryId: provenance.repositoryId }),
      flags,
      degraded,
    },
    absent: { ...sample.absent, ...inspection?.absent },
    // Not of a part that was decided and not believed: its numbers are not finite, or not of its sensors.
    ...(decided?.features &&
      outcome !== 'unknown' && {
        features: { ...decided.features, bundleId: decided.bundleId, engine: ENGINE },
      }),
    ...(isShown && { sample }),
    ...(isShown &&
      decided &&
      outcome !== 'unknown' && { map: { values: decided.map, placement: decided.placement } }),
  }
}

/** Under its trigger's id, which no other part has. */
export async function storedPartOf({
  facts,
  absent,
  features,
  sample,
  map,
}: PartToKeep): Promise<StoredPart> {
  const { triggerId, seq, product, time, partId, outcome, condition, normality, distance } = facts
  const { repositoryId, flags, degraded } = facts
  return {
    partId: triggerId,
    product,
    capturedAt: time,
    label: 'unknown',
    condition,
    absent,
    flags,
    frames: sample === undefined ? {} : (await reduceSample(sample)).sample.frames,
    ...(features && { features }),
    ...(map && { map }),
    note: {
      seq,
      ...(partId !== undefined && { linePartId: partId }),
      outcome,
      ...(normality !== undefined && { normality }),
      ...(distance !== undefined && { distance }),
      ...(repositoryId !== undefined && { repositoryId }),
      degraded,
    },
  }
}

const noteSchema = z.object({
  seq: z.int(),
  linePartId: z.exactOptional(z.string()),
  outcome: z.enum(['pass', 'fail', 'unknown']),
  normality: z.exactOptional(z.number()),
  distance: z.exactOptional(z.number()),
  repositoryId: z.exactOptional(z.string()),
  degraded: z.boolean(),
})

/** @returns undefined for a part that the archive did not write. */
export function factsOf(record: PartRecord): PartFacts | undefined {
  const note = noteSchema.safeParse(record.note)
  if (!note.success) return undefined
  const { linePartId, ...facts } = note.data
  const { partId: triggerId, product, capturedAt: time, condition, flags } = record
  return {
    triggerId,
    product,
    time,
    ...(linePartId !== undefined && { partId: linePartId }),
    condition,
    flags,
    ...facts,
  }
}
