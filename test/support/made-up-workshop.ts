/** A workshop of made-up parts: real ledger, shelves, repositories and gate, features that need no model. */
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Bundle } from '../../models/bundle.ts'
import { ENGINE } from '../../models/engine.ts'
import type { Features } from '../../models/features.ts'
import type { Search } from '../../models/nearest.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { loadRepository, saveRepository, type Repository } from '../../models/repository.ts'
import type { StoredPart } from '../../models/stored-part.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { configSchema, recipeOf } from '../../runtime/config-schema.ts'
import { openLedger } from '../../runtime/ledger.ts'
import type { ConfirmedStored } from '../../runtime/repository-work.ts'
import { goldenShelf, goodShelf } from '../../runtime/shelves.ts'
import type { Workshop } from '../../runtime/workshop.ts'
import { teachRequest } from './taught-repository.ts'

export const PRODUCT = 'widget'

export interface MadeUpWorkshop extends Workshop {
  readonly root: string
  /** In use. */
  readonly taught: Repository
  /** Beside it, promoted by nobody. */
  save(repository: Repository): Promise<void>
}

/** A product that was taught: its repository is in use and its good parts are on the shelf. */
export async function madeUpWorkshop(t: Test, search: Search): Promise<MadeUpWorkshop> {
  const stateDirectory = t.testdir()
  const config = configSchema.parse({
    station: { site: 'plant', name: 'cell' },
    product: PRODUCT,
    sensors: { rgb: { kind: 'synthetic', name: 'camera' } },
    stateDirectory,
    recipes: { [PRODUCT]: { falseRejectRate: 0.05 } },
  })
  const request = await teachRequest(search)
  const { bundle, fuse, byteBudget } = request
  const taught = await teach(request)
  const root = join(stateDirectory, 'repositories')
  const ledger = openLedger(root)
  t.teardown(() => ledger.close())
  const folderOf = (id: string) => repositoryFolder(root, PRODUCT, id)
  const context = { bundleId: bundle.id, engine: ENGINE, product: PRODUCT }
  const good = goodShelf(config, PRODUCT)
  for (const part of [...request.parts, ...request.heldOut]) await good.add(storedOf(part))
  const save = (repository: Repository) => saveRepository(folderOf(repository.id), repository)
  await save(taught)
  const reasons = { product: PRODUCT, repositoryId: taught.id, who: 'ada', why: 'taught' }
  ledger.promote({ ...reasons, expectedActive: undefined })
  return {
    config,
    product: PRODUCT,
    recipe: { ...recipeOf(config), bankMebibytes: byteBudget / 2 ** 20 },
    // No part has frames: nothing is ever encoded.
    bundle: bundle as Bundle,
    comparer: { search, fuse },
    ledger,
    golden: goldenShelf(config, PRODUCT),
    good,
    folderOf,
    context,
    async active() {
      const id = ledger.active(PRODUCT)
      return id === undefined ? undefined : loadRepository(folderOf(id), context)
    },
    close: async () => undefined,
    root,
    taught,
    save,
  }
}

let captured = 0

/** A part whose frames were let go. */
export function storedOf({ partId, features }: TaughtPart, fields: Partial<StoredPart> = {}): StoredPart {
  return {
    partId,
    product: PRODUCT,
    // In order.
    capturedAt: new Date(Date.UTC(2026, 0, 1) + captured++ * 1000).toISOString(),
    label: 'good',
    condition: features.condition,
    absent: {},
    flags: [],
    frames: {},
    features: stored(features),
    ...fields,
  }
}

export function confirmedOf(
  parts: readonly TaughtPart[],
  origin: ConfirmedStored['origin'] = 'accepted',
): ConfirmedStored[] {
  return parts.map((part) => ({ stored: storedOf(part, { label: 'unknown' }), origin }))
}

const stored = (features: Features) => ({ ...features, bundleId: 'bundle-1', engine: ENGINE })
