/** The package as it is installed: compiled, in a folder, kept under `.tap` until a source changes. Starts in a tenth of the time. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transpiled } from './transpiled.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Other test files may still run what was built of the sources before. */
const KEPT_MS = 3_600_000

/** @returns its root, with `dist/` in it. */
export async function builtPackage(): Promise<string> {
  const files: string[] = []
  for (const folder of ['drivers', 'calibration', 'models', 'runtime']) {
    const names = await readdir(join(root, folder), { recursive: true })
    files.push(...names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name)))
  }
  const hash = createHash('sha256')
  for (const file of files.sort()) hash.update(file).update(await readFile(join(root, file)))
  const shelf = join(root, '.tap', 'built')
  const built = join(shelf, hash.digest('hex').slice(0, 16))
  if (existsSync(built)) return built

  // Under another name until it is whole: other test files build at the same time.
  const making = `${built}.${process.pid}`
  await mkdir(making, { recursive: true })
  await transpiled(join(making, 'dist'), files)
  for (const name of ['package.json', 'models']) await symlink(join(root, name), join(making, name))
  try {
    await rename(making, built)
  } catch (error) {
    if (!existsSync(built)) throw error
    await rm(making, { recursive: true })
  }
  for (const name of await readdir(shelf)) {
    // Whoever builds at the same time may have removed it.
    const { mtimeMs } = await stat(join(shelf, name)).catch(() => ({ mtimeMs: Infinity }))
    if (mtimeMs < Date.now() - KEPT_MS) await rm(join(shelf, name), { recursive: true, force: true })
  }
  return built
}
