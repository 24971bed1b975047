/** The kept parts of a workshop's product, with features of the bundle and engine in use. */
import { messageOf } from '../drivers/message-of.ts'
import type { KnownDefect } from '../models/admission.ts'
import type { Bundle } from '../models/bundle.ts'
import { ENGINE } from '../models/engine.ts'
import { extractFeatures } from '../models/extract.ts'
import type { Features } from '../models/features.ts'
import type { GoldenPart } from '../models/gate.ts'
import type { PartShelf } from '../models/part-shelf.ts'
import { maskedPatches } from '../models/square-mask.ts'
import { sampleOfStored, type StoredPart } from '../models/stored-part.ts'
import type { TaughtPart } from '../models/teach.ts'
import { PLANE_SEED } from './plane-seed.ts'
import type { Workshop } from './workshop.ts'

/** Parts of a shelf, and why some of it is of no use. */
export interface Loaded<Part> {
  readonly parts: readonly Part[]
  /** In sentences. */
  readonly left: readonly string[]
}

export type WorkshopGolden = GoldenPart & KnownDefect

/** Golden parts with features of the bundle and engine in use. */
export async function loadGolden(shop: Workshop, signal: AbortSignal): Promise<Loaded<WorkshopGolden>> {
  return loadShelf(shop, shop.golden, signal, (part, features) => {
    const { partId, label, defect, mask } = part
    if (label === 'unknown') return undefined
    return {
      partId,
      label,
      features,
      ...(defect !== undefined && { defect }),
      ...(label === 'bad' && mask !== undefined && { defectPatches: maskedPatches(mask) }),
    }
  })
}

/** Kept good parts with features of the bundle and engine in use, oldest first. */
export async function loadGood(shop: Workshop, signal: AbortSignal): Promise<Loaded<TaughtPart>> {
  return loadShelf(shop, shop.good, signal, ({ partId }, features) => ({ partId, features }))
}

async function loadShelf<Part>(
  shop: Workshop,
  shelf: PartShelf,
  signal: AbortSignal,
  of: (part: StoredPart, features: Features) => Part | undefined,
): Promise<Loaded<Part>> {
  const { parts: records, damaged } = await shelf.list()
  const left = damaged.map(({ partId, detail }) => `part '${partId}' is damaged: ${detail}`)
  const parts: Part[] = []
  for (const { partId } of records) {
    signal.throwIfAborted()
    try {
      const stored = await shelf.load(partId, 'all')
      const features = await featuresOf(stored, shop.bundle)
      const part = features && of(stored, features)
      if (part === undefined)
        left.push(`part '${partId}' has neither features of this bundle and engine nor frames`)
      else parts.push(part)
    } catch (error) {
      left.push(`part '${partId}' cannot be used: ${messageOf(error)}`)
    }
  }
  return { parts, left }
}

/** As they were stored when they are of this bundle and engine; else encoded again from the frames, where there are any. */
export async function featuresOf(part: StoredPart, bundle: Bundle): Promise<Features | undefined> {
  const { features } = part
  if (features?.bundleId === bundle.id && features.engine === ENGINE) return features
  return freshFeatures(part, bundle)
}

/** Encoded again from the frames; undefined where there are none. */
export async function freshFeatures(part: StoredPart, bundle: Bundle): Promise<Features | undefined> {
  const extracted = await extractFeatures(sampleOfStored(part), { bundle, seed: PLANE_SEED })
  return extracted.condition === 'none' ? undefined : extracted.features
}
