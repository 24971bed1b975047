import { activeRepository } from '../models/repository-store.ts'
import { RepositoryError } from '../models/repository.ts'

/** Why every verdict is `unknown` until the product is taught; the code of the alarm that says so. */
export interface RepositoryTrouble {
  readonly code: 'NOT_TAUGHT' | 'REPOSITORY_REFUSED'
  readonly detail: string
}

/** What to open the model with. A repository that cannot be found is trouble, but no reason to leave triggers unanswered. */
export async function repositoryInUse(
  root: string,
  product: string,
): Promise<{ readonly repositoryFolder?: string; readonly trouble?: RepositoryTrouble }> {
  try {
    const repositoryFolder = await activeRepository(root, product)
    if (repositoryFolder !== undefined) return { repositoryFolder }
    return { trouble: { code: 'NOT_TAUGHT', detail: 'nothing was taught yet: every verdict is unknown' } }
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error
    return { trouble: { code: 'REPOSITORY_REFUSED', detail: error.message } }
  }
}
