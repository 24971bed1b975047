import { extname } from 'node:path'
import { FormatError } from './format-error.ts'
import { readNpy } from './npy.ts'
import { readPcd } from './pcd.ts'
import { readPly } from './ply.ts'
import type { PointMap, PointMapOptions } from './point-map.ts'
import { readWholeFile } from './read-whole-file.ts'
import { readTiff } from './tiff.ts'

const READERS: Readonly<Record<string, typeof readTiff>> = {
  '.tif': readTiff,
  '.tiff': readTiff,
  '.ply': readPly,
  '.pcd': readPcd,
  '.npy': readNpy,
}

export const POINT_MAP_EXTENSIONS: readonly string[] = Object.keys(READERS)

/** Reads a point map from a file, by its extension. Rejects with FormatError, or with the signal's reason. */
export async function readPointMap(
  path: string,
  options: PointMapOptions & { readonly signal?: AbortSignal } = {},
): Promise<PointMap> {
  const extension = extname(path).toLowerCase()
  const read = Object.hasOwn(READERS, extension) ? READERS[extension] : undefined
  if (read === undefined) {
    throw new FormatError('FORMAT_UNSUPPORTED', `${path}: expected one of ${POINT_MAP_EXTENSIONS.join(', ')}`)
  }
  const bytes = await readWholeFile(path, options)
  return read(path, bytes, options)
}
