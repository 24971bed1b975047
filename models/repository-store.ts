/** Which repository of a product is in use: `<root>/<product>/<id>/` holds them, `<root>/<product>/active` names one. */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { replaceFile, type FileSystem } from './durable-folder.ts'
import { RepositoryError } from './repository.ts'

const ID = /^[0-9a-f]{64}$/
/** A product's name becomes a folder's name. */
const PRODUCT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

export function repositoryFolder(root: string, product: string, id: string): string {
  if (!PRODUCT.test(product) || !ID.test(id)) {
    throw new RepositoryError('REPOSITORY_UNREADABLE', `'${product}' / '${id}' names no repository`)
  }
  return path.join(root, product, id)
}

/** Puts a saved repository into use for whoever asks next; a power cut leaves the one before or this one. */
export async function activateRepository(
  root: string,
  product: string,
  id: string,
  fileSystem?: FileSystem,
): Promise<void> {
  const folder = repositoryFolder(root, product, id)
  await stat(path.join(folder, 'manifest.json')).catch((cause: unknown) => {
    throw new RepositoryError('REPOSITORY_UNREADABLE', `${folder} holds no repository to put into use`, {
      cause,
    })
  })
  await replaceFile(path.join(root, product, 'active'), Buffer.from(`${id}\n`), fileSystem)
}

/** @returns the folder of the repository in use; undefined when the product was never taught. */
export async function activeRepository(root: string, product: string): Promise<string | undefined> {
  const file = path.join(root, product, 'active')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new RepositoryError('REPOSITORY_UNREADABLE', `${file} cannot be read`, { cause: error })
  })
  return text === undefined ? undefined : repositoryFolder(root, product, text.trim())
}
