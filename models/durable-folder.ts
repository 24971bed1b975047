/**
 * Files that survive a power cut at any instant: everything is written and flushed under another name, then renamed, then
 * the folder that holds the name is flushed. A rename without that last flush may be forgotten by the disk.
 */
import * as files from 'node:fs/promises'
import path from 'node:path'

/** What of node:fs/promises is used; a test cuts the power between any two calls. */
export type FileSystem = Pick<typeof files, 'mkdir' | 'open' | 'rename' | 'rm'>

/** The name a folder or file has until it is whole. A power cut can leave one; the next write removes it. */
const PARTIAL = '.partial'

/** Afterwards `folder` holds exactly these files, or, after an error or a power cut, does not exist. It must not exist before. */
export async function writeFolder(
  folder: string,
  contents: ReadonlyMap<string, Uint8Array>,
  fileSystem: FileSystem = files,
): Promise<void> {
  const partial = folder + PARTIAL
  await fileSystem.rm(partial, { recursive: true, force: true })
  const firstCreated = (await fileSystem.mkdir(partial, { recursive: true })) ?? partial
  try {
    for (const [name, bytes] of contents) await writeFlushed(path.join(partial, name), bytes, fileSystem)
    await flushFolder(partial, fileSystem)
    await fileSystem.rename(partial, folder)
  } catch (error) {
    // On a full disk half a folder would be what keeps it full.
    await fileSystem.rm(partial, { recursive: true, force: true }).catch(() => undefined)
    throw error
  }
  await flushUpTo(path.dirname(folder), path.dirname(firstCreated), fileSystem)
}

/** For a folder that is found whole: whoever wrote it may have been killed before its name was flushed. */
export function flushName(folder: string, fileSystem: FileSystem = files): Promise<void> {
  return flushFolder(path.dirname(folder), fileSystem)
}

/** Every folder that was made on the way has its name in the one above it. */
async function flushUpTo(folder: string, highest: string, fileSystem: FileSystem): Promise<void> {
  for (let above = folder; ; above = path.dirname(above)) {
    await flushFolder(above, fileSystem)
    if (above === highest) return
  }
}

/**
 * Afterwards `folder` does not exist; after an error or a power cut it is whole or gone. No folder is fine. Frees room on a full
 * disk: a rename within a folder needs none, and where it does after all the files go from where they are.
 */
export async function removeFolder(folder: string, fileSystem: FileSystem = files): Promise<void> {
  const partial = folder + PARTIAL
  await fileSystem.rm(partial, { recursive: true, force: true })
  try {
    await fileSystem.rename(folder, partial)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
    await fileSystem.rm(folder, { recursive: true, force: true })
  }
  await flushFolder(path.dirname(folder), fileSystem)
  await fileSystem.rm(partial, { recursive: true, force: true })
}

/** Within one file system. Wherever the power is cut the folder is whole under one of its names. `to` must not exist. */
export async function moveFolder(from: string, to: string, fileSystem: FileSystem = files): Promise<void> {
  await makeFolder(path.dirname(to), fileSystem)
  await fileSystem.rename(from, to)
  // The new name first: where only the old one is forgotten, the folder would be lost.
  await flushFolder(path.dirname(to), fileSystem)
  await flushFolder(path.dirname(from), fileSystem)
}

/** With those above it. One that is there is left as it is. */
export async function makeFolder(folder: string, fileSystem: FileSystem = files): Promise<void> {
  const firstCreated = await fileSystem.mkdir(folder, { recursive: true })
  if (firstCreated === undefined) return
  await flushUpTo(path.dirname(folder), path.dirname(firstCreated), fileSystem)
}

/** What a power cut left of `writeFolder` and `removeFolder`. Only for whoever knows that nobody is writing into `folder` now. */
export async function removePartials(folder: string): Promise<string[]> {
  const names = await files.readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const partials = names.filter((name) => name.endsWith(PARTIAL))
  for (const name of partials) await files.rm(path.join(folder, name), { recursive: true, force: true })
  return partials
}

/** Afterwards `file` holds these bytes; after an error or a power cut, these or those it had before. */
export async function replaceFile(
  file: string,
  bytes: Uint8Array,
  fileSystem: FileSystem = files,
): Promise<void> {
  await writeFlushed(file + PARTIAL, bytes, fileSystem)
  await fileSystem.rename(file + PARTIAL, file)
  await flushFolder(path.dirname(file), fileSystem)
}

async function writeFlushed(file: string, bytes: Uint8Array, fileSystem: FileSystem): Promise<void> {
  const handle = await fileSystem.open(file, 'w')
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function flushFolder(folder: string, fileSystem: FileSystem): Promise<void> {
  const handle = await fileSystem.open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
