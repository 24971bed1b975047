/** The repositories of a product that are on the disk, as a person asks for them: by the first letters of their ids. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryFolder } from '../models/repository-folder.ts'
import type { RepositoryManifest } from '../models/repository-manifest.ts'
import { readManifest, RepositoryError } from '../models/repository.ts'
import { RuntimeError } from './runtime-error.ts'

const ID = /^[0-9a-f]{64}$/

export interface KeptRepository {
  readonly id: string
  readonly folder: string
  /** Of its files. */
  readonly bytes: number
  /** When its folder was written. */
  readonly writtenAt: Date
  /** Absent when it cannot be believed. */
  readonly manifest?: RepositoryManifest
  /** Why it cannot be believed. */
  readonly problem?: string
}

/** @returns ids in order of the alphabet. */
export async function keptIds(root: string, product: string): Promise<string[]> {
  const names = await readdir(join(root, product)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => ID.test(name)).sort()
}

/** What is wrong with it is told, not thrown. */
export async function lookAt(root: string, product: string, id: string): Promise<KeptRepository> {
  const folder = repositoryFolder(root, product, id)
  const { mtime } = await stat(folder)
  const about = { id, folder, bytes: await bytesIn(folder), writtenAt: mtime }
  try {
    const { id: found, manifest } = await readManifest(folder)
    if (found === id) return { ...about, manifest }
    return { ...about, problem: `${folder} holds repository ${found}` }
  } catch (error) {
    if (!(error instanceof RepositoryError)) throw error
    return { ...about, problem: error.message }
  }
}

/** @throws RuntimeError `REPOSITORY_UNKNOWN` when none begins like this, or several do. */
export async function idThatBegins(root: string, product: string, prefix: string): Promise<string> {
  const ids = await keptIds(root, product)
  const found = ids.filter((id) => id.startsWith(prefix))
  const [id] = found
  if (id !== undefined && found.length === 1) return id
  const listed = (found.length > 0 ? found : ids).map((each) => each.slice(0, 12)).join(', ')
  const detail =
    found.length > 0
      ? `several repositories of ${product} begin with '${prefix}': ${listed}`
      : `no repository of ${product} begins with '${prefix}'; there ${ids.length > 0 ? `is ${listed}` : 'is none'}`
  throw new RuntimeError('REPOSITORY_UNKNOWN', detail)
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size
  return bytes
}
