import { RepositoryError } from '../models/repository.ts'
import type { Ledger } from './ledger.ts'
import { RuntimeError } from './runtime-error.ts'

/** Why every verdict is `unknown` until the product is taught; the code of the alarm that says so. */
export interface RepositoryTrouble {
  readonly code: 'NOT_TAUGHT' | 'REPOSITORY_REFUSED'
  readonly detail: string
}

/** What to open the model with. A repository that cannot be found is trouble, but no reason to leave triggers unanswered. */
export function repositoryInUse(
  ledger: Pick<Ledger, 'activeFolder'>,
  product: string,
): { readonly repositoryFolder?: string; readonly trouble?: RepositoryTrouble } {
  try {
    const repositoryFolder = ledger.activeFolder(product)
    if (repositoryFolder !== undefined) return { repositoryFolder }
    return { trouble: { code: 'NOT_TAUGHT', detail: 'nothing was taught yet: every verdict is unknown' } }
  } catch (error) {
    if (!(error instanceof RepositoryError) && !(error instanceof RuntimeError)) throw error
    return { trouble: { code: 'REPOSITORY_REFUSED', detail: error.message } }
  }
}
