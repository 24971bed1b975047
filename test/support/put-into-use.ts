/** A repository in use without teaching: for whoever only needs it to be there. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { saveRepository, type Repository } from '../../models/repository.ts'
import { openLedger } from '../../runtime/ledger.ts'

/** Saves it, too. */
export async function putIntoUse(root: string, product: string, repository: Repository): Promise<void> {
  await saveRepository(repositoryFolder(root, product, repository.id), repository)
  promote(root, product, repository.id)
}

/** Of a repository there is only what the ledger looks for. */
export async function putNamedIntoUse(root: string, product: string, id: string): Promise<void> {
  await writeNamed(root, product, id)
  promote(root, product, id)
}

export async function writeNamed(root: string, product: string, id: string): Promise<string> {
  const folder = repositoryFolder(root, product, id)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'manifest.json'), '{}')
  return folder
}

function promote(root: string, product: string, repositoryId: string): void {
  const ledger = openLedger(root)
  try {
    const expectedActive = ledger.active(product)
    ledger.promote({ product, repositoryId, expectedActive, who: 'test', why: 'needed' })
  } finally {
    ledger.close()
  }
}
