import { readFile, stat } from 'node:fs/promises'
import { FormatError } from './format-error.ts'
import { limitsOf, type FormatLimits } from './limits.ts'

/** Reads a regular file whole. Refuses folders, pipes and devices (a pipe would block) and files over the limit. */
export async function readWholeFile(
  path: string,
  options: {
    readonly limits?: Partial<FormatLimits> | undefined
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<Uint8Array> {
  const { maxFileBytes } = limitsOf(options.limits)
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new FormatError('FORMAT_UNREADABLE', `${path}: expected a regular file`)
    if (found.size > maxFileBytes) {
      throw new FormatError('FORMAT_TOO_LARGE', `${path}: ${found.size} bytes, the limit is ${maxFileBytes}`)
    }
    return await readFile(path, options.signal ? { signal: options.signal } : {})
  } catch (error) {
    if (error instanceof FormatError) throw error
    options.signal?.throwIfAborted()
    throw new FormatError('FORMAT_UNREADABLE', `${path}: cannot be read (${String(error)})`, { cause: error })
  }
}
