/**
 * What work on a product's repository needs, opened for one job and closed after it: the model, the ledger, the kept parts. Only for a
 * process that may be blocked by a graph: a command line, or the daemon's child.
 */
import { join } from 'node:path'
import { openBundle, verifyGolden, type Bundle } from '../models/bundle.ts'
import type { Comparer } from '../models/comparison.ts'
import { ENGINE } from '../models/engine.ts'
import { fuseWith } from '../models/fusion.ts'
import { openSearch } from '../models/nearest.ts'
import type { PartShelf } from '../models/part-shelf.ts'
import { repositoryFolder } from '../models/repository-folder.ts'
import { loadRepository, type Repository, type RepositoryContext } from '../models/repository.ts'
import { trustedBundleFolder } from './bundle-folder.ts'
import { recipeOf, type Config, type Recipe } from './config-schema.ts'
import { openLedger, type Ledger } from './ledger.ts'
import { goldenShelf, goodShelf } from './shelves.ts'

export interface Workshop {
  readonly config: Config
  readonly product: string
  readonly recipe: Recipe
  readonly bundle: Bundle
  readonly comparer: Comparer
  readonly ledger: Ledger
  readonly golden: PartShelf
  readonly good: PartShelf
  /** Where the repository of this id is or goes. */
  folderOf(id: string): string
  /** What a repository must have been made with to be used here. */
  readonly context: RepositoryContext
  /** The repository in use; undefined when there is none. @throws RepositoryError when it cannot be believed. */
  active(): Promise<Repository | undefined>
  close(): Promise<void>
}

/** @param config of the product to work on. @throws ModelError when the bundle is refused. */
export async function openWorkshop(config: Config): Promise<Workshop> {
  const { product } = config
  const root = join(config.stateDirectory, 'repositories')
  const bundle = await openBundle(await trustedBundleFolder(config), config.inference)
  const closers: (() => Promise<void> | void)[] = [() => bundle.release()]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    await verifyGolden(bundle)
    const search = await openSearch(config.inference)
    closers.push(() => search.release())
    const ledger = openLedger(root)
    closers.push(() => ledger.close())
    const folderOf = (id: string): string => repositoryFolder(root, product, id)
    const context = { bundleId: bundle.id, engine: ENGINE, product }
    return {
      config,
      product,
      recipe: recipeOf(config),
      bundle,
      comparer: { search, fuse: fuseWith(bundle) },
      ledger,
      golden: goldenShelf(config, product),
      good: goodShelf(config, product),
      folderOf,
      context,
      async active() {
        const id = ledger.active(product)
        return id === undefined ? undefined : loadRepository(folderOf(id), context)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
