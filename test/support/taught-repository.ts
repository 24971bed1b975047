/** A small repository of made-up parts, taught by the product's own code. */
import { readFile } from 'node:fs/promises'
import { bundleManifestSchema } from '../../models/bundle-manifest.ts'
import type { Search } from '../../models/nearest.ts'
import { teach, type TaughtPart, type TeachRequest } from '../../models/teach.ts'
import type { Repository } from '../../models/repository.ts'
import { fuseSideBySide, partFeatures, type PartOptions } from './part-features.ts'

const manifestFile = new URL('../fixtures/tiny-bundle/manifest.json', import.meta.url)

export function goodParts(
  count: number,
  firstSeed: number,
  options: Omit<PartOptions, 'seed'> = {},
): TaughtPart[] {
  return Array.from({ length: count }, (_, i) => ({
    partId: `part-${firstSeed + i}`,
    features: partFeatures({ ...options, seed: firstSeed + i }),
  }))
}

export async function teachRequest(
  search: Search,
  changes: Partial<TeachRequest> = {},
): Promise<TeachRequest> {
  const manifest = bundleManifestSchema.parse(JSON.parse(await readFile(manifestFile, 'utf8')))
  return {
    product: 'widget',
    bundle: { id: 'bundle-1', manifest },
    parts: goodParts(6, 1),
    heldOut: goodParts(4, 101),
    search,
    fuse: fuseSideBySide,
    byteBudget: 60_000,
    falseRejectRate: 0.05,
    seed: 1,
    ...changes,
  }
}

export async function taughtRepository(
  search: Search,
  changes: Partial<TeachRequest> = {},
): Promise<Repository> {
  return teach(await teachRequest(search, changes))
}
