/** Where the repositories of a station are: `<root>/<product>/<id>/`. */
import path from 'node:path'
import { RepositoryError } from './repository.ts'

const ID = /^[0-9a-f]{64}$/
/** A product's name becomes a folder's name. */
const PRODUCT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** @throws RepositoryError `REPOSITORY_UNREADABLE` for names that could lead out of the root. */
export function repositoryFolder(root: string, product: string, id: string): string {
  if (!PRODUCT.test(product) || !ID.test(id)) {
    throw new RepositoryError('REPOSITORY_UNREADABLE', `'${product}' / '${id}' names no repository`)
  }
  return path.join(root, product, id)
}
