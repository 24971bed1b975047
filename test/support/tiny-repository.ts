/** A repository taught on the tiny bundle from the parts of samples.ts, by the product's own steps. */
import { ENGINE } from '../../models/engine.ts'
import type { PartShelf } from '../../models/part-shelf.ts'
import { openBundle } from '../../models/bundle.ts'
import { extractFeatures } from '../../models/extract.ts'
import { fuseWith } from '../../models/fusion.ts'
import { openSearch } from '../../models/nearest.ts'
import { saveRepository, type Repository } from '../../models/repository.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { rgbFrame, sampleOf, xyzFrame } from './samples.ts'
import { TINY_BUNDLE } from './tiny-bundle.ts'

const TAUGHT = 6
/** As many as measure a false-reject rate of 5 %. */
const HELD_OUT = 20

/** @param folder where it is saved; it must not exist yet. `shelf`: where its good parts are kept. */
export async function teachTinyRepository(
  folder: string,
  {
    bundleFolder = TINY_BUNDLE,
    seed = 1,
    shelf,
  }: { readonly bundleFolder?: string; readonly seed?: number; readonly shelf?: PartShelf } = {},
): Promise<Repository> {
  const bundle = await openBundle(bundleFolder, { threads: 1 })
  const search = await openSearch({ threads: 1 })
  try {
    const parts: TaughtPart[] = []
    for (let part = 0; part < TAUGHT + HELD_OUT; part++) {
      const size = { width: 100, height: 100, seed: 100 + part }
      const frames = { rgb: rgbFrame(size), xyz: xyzFrame(size) }
      const extracted = await extractFeatures(sampleOf(frames), { bundle, seed })
      if (extracted.condition !== 'complete') throw new Error(`a taught part came as ${extracted.condition}`)
      const { features } = extracted
      parts.push({ partId: `good-${part}`, features })
      await shelf?.add({
        partId: `good-${part}`,
        product: 'tiny',
        capturedAt: new Date(Date.UTC(2026, 0, 1, 0, part)).toISOString(),
        label: 'good',
        condition: 'complete',
        absent: {},
        flags: [],
        frames,
        features: { ...features, bundleId: bundle.id, engine: ENGINE },
      })
    }
    const repository = await teach({
      product: 'tiny',
      bundle,
      parts: parts.slice(0, TAUGHT),
      heldOut: parts.slice(TAUGHT),
      search,
      fuse: fuseWith(bundle),
      byteBudget: 100_000,
      falseRejectRate: 0.05,
      seed,
    })
    await saveRepository(folder, repository)
    return repository
  } finally {
    await search.release()
    await bundle.release()
  }
}
