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
  for (const [name, bytes] of contents) await writeFlushed(path.join(partial, name), bytes, fileSystem)
  await flushFolder(partial, fileSystem)
  await fileSystem.rename(partial, folder)
  // Every folder that was made on the way has its name in the one above it.
  const highest = path.dirname(firstCreated)
  for (let above = path.dirname(folder); ; above = path.dirname(above)) {
    await flushFolder(above, fileSystem)
    if (above === highest) return
  }
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
