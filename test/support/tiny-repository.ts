/** A repository taught on the tiny bundle from the parts of samples.ts, by the product's own steps. */
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

/** Saves it in `folder`, which must not exist yet. */
export async function teachTinyRepository(
  folder: string,
  { bundleFolder = TINY_BUNDLE, seed = 1 } = {},
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
      parts.push({ partId: `good-${part}`, features: extracted.features })
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
