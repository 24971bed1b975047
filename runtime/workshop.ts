/**
 * What work on a product's repository needs, opened for one job and closed after it: the model, the ledger, the kept parts. Only for a
 * process that may be blocked by a graph: a command line, or the daemon's child.
 */
import { join } from 'node:path'
import { messageOf } from '../drivers/message-of.ts'
import type { KnownDefect } from '../models/admission.ts'
import { openBundle, verifyGolden, type Bundle } from '../models/bundle.ts'
import type { Comparer } from '../models/comparison.ts'
import { ENGINE } from '../models/engine.ts'
import { extractFeatures } from '../models/extract.ts'
import type { Features } from '../models/features.ts'
import { fuseWith } from '../models/fusion.ts'
import type { GoldenPart } from '../models/gate.ts'
import { openSearch } from '../models/nearest.ts'
import type { PartShelf } from '../models/part-shelf.ts'
import { repositoryFolder } from '../models/repository-folder.ts'
import { loadRepository, type Repository, type RepositoryContext } from '../models/repository.ts'
import { maskedPatches } from '../models/square-mask.ts'
import { sampleOfStored, type StoredPart } from '../models/stored-part.ts'
import type { TaughtPart } from '../models/teach.ts'
import { trustedBundleFolder } from './bundle-folder.ts'
import { recipeOf, type Config, type Recipe } from './config-schema.ts'
import { openLedger, type Ledger } from './ledger.ts'
import { goldenShelf, goodShelf } from './shelves.ts'

export interface Workshop {
  readonly config: Config
  readonly product: string
  readonly recipe: Recipe
  readonly bundle: Bundle
  readonly comparer: Comparer
  readonly ledger: Ledger
  readonly golden: PartShelf
  readonly good: PartShelf
  /** Where the repository of this id is or goes. */
  folderOf(id: string): string
  /** What a repository must have been made with to be used here. */
  readonly context: RepositoryContext
  /** The repository in use; undefined when there is none. @throws RepositoryError when it cannot be believed. */
  active(): Promise<Repository | undefined>
  close(): Promise<void>
}

/** Seeds the plane fit of frames without a calibrated plane: the same frame always has the same plane. */
export const PLANE_SEED = 1

/** @param config of the product to work on. @throws ModelError when the bundle is refused. */
export async function openWorkshop(config: Config): Promise<Workshop> {
  const { product } = config
  const root = join(config.stateDirectory, 'repositories')
  const bundle = await openBundle(await trustedBundleFolder(config), config.inference)
  const closers: (() => Promise<void> | void)[] = [() => bundle.release()]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    await verifyGolden(bundle)
    const search = await openSearch(config.inference)
    closers.push(() => search.release())
    const ledger = openLedger(root)
    closers.push(() => ledger.close())
    const folderOf = (id: string): string => repositoryFolder(root, product, id)
    const context = { bundleId: bundle.id, engine: ENGINE, product }
    return {
      config,
      product,
      recipe: recipeOf(config),
      bundle,
      comparer: { search, fuse: fuseWith(bundle) },
      ledger,
      golden: goldenShelf(config, product),
      good: goodShelf(config, product),
      folderOf,
      context,
      async active() {
        const id = ledger.active(product)
        return id === undefined ? undefined : loadRepository(folderOf(id), context)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

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
