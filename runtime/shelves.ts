/** Where the parts of a product are kept that its repository rests on: in the state directory, each kind on a shelf of its own. */
import { join } from 'node:path'
import { PartShelf } from '../models/part-shelf.ts'
import type { Config } from './config-schema.ts'
import type { ArchiveOptions } from './part-archive.ts'

/** Somebody vouches for each of them: none goes unasked. */
const MOST_GOLDEN_PARTS = 500
const MOST_GOLDEN_BYTES = 4 * 2 ** 30

export type ShelvesConfig = Pick<Config, 'stateDirectory' | 'keep'>

/** Reference parts, good and bad, that gate every change. */
export function goldenShelf({ stateDirectory }: ShelvesConfig, product: string): PartShelf {
  return new PartShelf({
    folder: join(stateDirectory, 'golden', product),
    mostParts: MOST_GOLDEN_PARTS,
    mostBytes: MOST_GOLDEN_BYTES,
    whenFull: 'refuse',
  })
}

/** Good parts that were taught or confirmed: updates calibrate with them, and repositories are rebuilt from them. */
export function goodShelf({ stateDirectory, keep }: ShelvesConfig, product: string): PartShelf {
  return new PartShelf({
    folder: join(stateDirectory, 'good', product),
    mostParts: keep.goodParts,
    mostBytes: keep.goodMebibytes * 2 ** 20,
    whenFull: 'drop-oldest',
  })
}

/** What was inspected lately, of all products. */
export function archiveOf({
  stateDirectory,
  keep,
}: ShelvesConfig): Pick<ArchiveOptions, 'folder' | 'bounds'> {
  const { recentParts, rejectMebibytes, rejectDays } = keep
  return {
    folder: join(stateDirectory, 'archive'),
    bounds: { recentParts, rejectBytes: rejectMebibytes * 2 ** 20, rejectDays },
  }
}
