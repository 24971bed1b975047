/** Old repositories make room: the one in use, those used last and those made last stay. */
import { readdirSync, renameSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ledger } from './ledger.ts'

export interface Pruned {
  /** Ids of repositories that are gone. */
  readonly removed: readonly string[]
  /** What the ledger has never heard of: after a ledger was lost they are all that is left, so a person decides. */
  readonly unknown: readonly string[]
}

/** Set aside until its files are gone; whatever has this name can go at any time. */
const REMOVED = '.removed'
const REPOSITORY = /^([0-9a-f]{64})(\.partial)?$/

/**
 * Keeps `keep` repositories that were in use and `keep` that were made or imported. A repository must be in the ledger
 * before its folder is written: then also the one that another process is writing is among the newest, and stays.
 */
export async function pruneRepositories(
  root: string,
  product: string,
  ledger: Ledger,
  { keep }: { readonly keep: number },
): Promise<Pruned> {
  const folder = join(root, product)
  const removed: string[] = []
  const unknown: string[] = []
  // Nobody rolls back to a repository between the look into the ledger and the moment it is gone.
  ledger.whileHeld(() => {
    const promoted = ledger.promoted(product)
    const candidates = ledger.candidates(product)
    const known = new Set([...promoted, ...candidates])
    const kept = new Set([...promoted.slice(0, Math.max(1, keep)), ...candidates.slice(0, keep)])
    for (const name of namesIn(folder)) {
      const [, id, partial] = REPOSITORY.exec(name) ?? []
      if (id === undefined || kept.has(id)) continue
      if (!known.has(id)) {
        unknown.push(name)
        continue
      }
      setAside(join(folder, name))
      if (partial === undefined) removed.push(id)
    }
  })
  for (const name of namesIn(folder)) {
    if (name.endsWith(REMOVED)) await rm(join(folder, name), { recursive: true, force: true })
  }
  return { removed, unknown }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** A rename takes no time and leaves no half repository; where it cannot be (no room at all), the files go at once. */
function setAside(folder: string): void {
  // Whoever was pruning it may have been killed, and it came again since.
  rmSync(folder + REMOVED, { recursive: true, force: true })
  try {
    renameSync(folder, folder + REMOVED)
  } catch {
    rmSync(folder, { recursive: true, force: true })
  }
}
