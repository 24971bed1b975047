/** Small parts for the archive; those that did not pass have frames. */
import type { PartToKeep } from '../../runtime/archived-part.ts'
import type { PartFacts } from '../../runtime/part-index.ts'
import { rgbFrame, sampleOf, xyzFrame } from './samples.ts'
import { storedFeatures } from './stored-parts.ts'

const START = Date.UTC(2026, 2, 1, 6)

/** A minute after the one before. */
export function keptPart(seq: number, fields: Partial<PartFacts> = {}): PartToKeep {
  const facts: PartFacts = {
    triggerId: `run-${seq}`,
    seq,
    product: 'nut',
    time: new Date(START + seq * 60_000).toISOString(),
    outcome: 'pass',
    condition: 'complete',
    normality: 0.5,
    distance: 1.5,
    repositoryId: 'repository-a',
    flags: [],
    degraded: false,
    ...fields,
  }
  const size = { width: 16, height: 16, seed: seq }
  const sample = sampleOf({ rgb: rgbFrame(size), xyz: xyzFrame(size) }, facts.triggerId)
  return {
    facts,
    absent: {},
    features: storedFeatures({ seed: seq }),
    ...(facts.outcome !== 'pass' && { sample }),
  }
}
