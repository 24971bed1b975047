/** A station with two repositories of the tiny bundle: the second is in use, the first was before it. */
import { join } from 'node:path'
import { saveRepository, makeRepository, type Repository } from '../../models/repository.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { writeConfig } from './command-line.ts'
import { TINY_BUNDLE } from './tiny-bundle.ts'
import { teachTinyRepository } from './tiny-repository.ts'

export interface TinyStation {
  readonly file: string
  readonly root: string
  readonly first: Repository
  readonly second: Repository
}

export async function tinyStation(
  folder: string,
  changes: Record<string, unknown> = {},
): Promise<TinyStation> {
  const config = { product: 'tiny', bundle: TINY_BUNDLE, recipes: { tiny: { bankMebibytes: 1 } } }
  const file = await writeConfig(folder, { ...config, ...changes })
  const root = join(folder, 'state', 'repositories')
  const first = await teachTinyRepository(join(folder, 'taught'))
  const manifest = { ...first.manifest, made: 'updated' as const, parent: first.id, warnings: [] }
  const second = makeRepository({ ...first, manifest })
  const ledger = openLedger(root)
  try {
    for (const repository of [first, second]) {
      const { id } = repository
      const by = { product: 'tiny', repositoryId: id, who: 'ana', why: 'lamps were replaced' }
      await saveRepository(join(root, 'tiny', id), repository)
      ledger.record({ ...by, action: 'candidate' })
      ledger.promote({ ...by, expectedActive: ledger.active('tiny') })
    }
  } finally {
    ledger.close()
  }
  return { file, root, first, second }
}
