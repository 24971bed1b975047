/**
 * A shelf: stored parts of one product in a folder, bounded in parts and bytes. The victim of a full shelf is its oldest part, or,
 * where no part may go unasked (golden ones), the new one. A damaged part is named and skipped: the others are still good.
 *
 * A part that is stored again goes into a folder beside the former (`nut-7`, then `nut-7.1`) before that is removed, because no file
 * system exchanges two folders: wherever the power is cut, one of the two is there, and the higher number counts.
 */
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { messageOf } from '../drivers/message-of.ts'
import { moveFolder, removeFolder, removePartials, writeFolder, type FileSystem } from './durable-folder.ts'
import { folderNameOf } from './folder-name.ts'
import {
  encodePart,
  loadStoredPart,
  PartError,
  readPartRecord,
  type PartRecord,
  type StoredPart,
} from './stored-part.ts'

export interface ShelfOptions {
  /** Made when the first part comes. */
  readonly folder: string
  readonly mostParts: number
  readonly mostBytes: number
  readonly whenFull: 'drop-oldest' | 'refuse'
  readonly fileSystem?: FileSystem
}

export interface ShelfListing {
  /** Oldest first, by the time of capture. */
  readonly parts: readonly PartRecord[]
  readonly damaged: readonly DamagedPart[]
}

export interface DamagedPart {
  /** What `remove` takes. The part's id, unless that is too odd to be read from its folder's name. */
  readonly partId: string
  readonly detail: string
}

export interface Taken {
  /** Ids of the parts that are here now. One that was not on the other shelf, or damaged there, is not among them. */
  readonly taken: readonly string[]
  /** Ids of the parts that had to go. */
  readonly victims: readonly string[]
}

export interface Added {
  readonly record: PartRecord
  /** Ids of the parts that had to go. */
  readonly victims: readonly string[]
}

/** One process changes a shelf at a time; any may read it meanwhile. */
export class PartShelf {
  readonly #options: ShelfOptions
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ShelfOptions) {
    this.#options = options
  }

  /**
   * On the disk when it resolves, before any victim goes. A part of the same id is replaced.
   * @throws PartError `PART_REFUSED`; `SHELF_FULL` when it would not fit an empty shelf, or when nothing may go for it; the disk's
   * own error when there is no room, with the shelf as it was.
   */
  add(part: StoredPart): Promise<Added> {
    return this.#inTurn(async () => {
      const { folder, fileSystem } = this.#options
      const { contents, record } = await encodePart(part)
      const name = folderNameOf(part.partId)
      const shelved = await this.#scan()
      const victims = this.#victimsOf(
        shelved.filter((other) => other.name !== name),
        record,
      )
      const former = shelved.find((other) => other.name === name)?.folders ?? []
      const generation = former.length === 0 ? '' : `.${generationOf(former[0]!) + 1}`
      await writeFolder(path.join(folder, name + generation), contents, fileSystem)
      await this.#removeFolders(former)
      for (const victim of victims) await this.#removeFolders(victim.folders)
      return { record, victims: victims.map(({ partId }) => partId) }
    })
  }

  /**
   * Moves parts here from another shelf on the same file system, one after the other: wherever the power is cut, each is on one of the two.
   * Parts of the same id are replaced.
   * @throws PartError `SHELF_FULL` as `add`, with the parts before on this shelf.
   */
  takeFrom(other: PartShelf, partIds: readonly string[]): Promise<Taken> {
    const { folder, fileSystem } = this.#options
    return this.#inTurn(() =>
      other.#inTurn(async () => {
        const sources = new Map((await other.#scan()).map((shelved) => [shelved.name, shelved]))
        let shelved = await this.#scan()
        const taken: string[] = []
        const victims: string[] = []
        for (const partId of partIds) {
          const source = sources.get(folderNameOf(partId))
          if (source?.record === undefined || source.current === undefined) continue
          const { name, record } = source
          const others = shelved.filter((each) => each.name !== name)
          const gone = this.#victimsOf(others, record)
          const former = shelved.find((each) => each.name === name)?.folders ?? []
          const generation = former.length === 0 ? '' : `.${generationOf(former[0]!) + 1}`
          const current = name + generation
          await moveFolder(
            path.join(other.#options.folder, source.current),
            path.join(folder, current),
            fileSystem,
          )
          await other.#removeFolders(source.folders.filter((each) => each !== source.current))
          await this.#removeFolders(former)
          for (const victim of gone) await this.#removeFolders(victim.folders)
          shelved = inOrder([
            ...others.filter((each) => !gone.includes(each)),
            { ...source, folders: [current], current },
          ])
          taken.push(partId)
          victims.push(...gone.map((each) => each.partId))
        }
        return { taken, victims }
      }),
    )
  }

  async has(partId: string): Promise<boolean> {
    return (await this.#foldersOf(partId)).length > 0
  }

  /** Reads each part's part.json and nothing else. */
  async list(): Promise<ShelfListing> {
    const parts: PartRecord[] = []
    const damaged: DamagedPart[] = []
    for (const { partId, record, detail } of await this.#scan()) {
      if (record !== undefined) parts.push(record)
      else damaged.push({ partId, detail })
    }
    return { parts, damaged }
  }

  /** @throws PartError `PART_UNKNOWN` or `PART_UNREADABLE`. */
  async load(partId: string, what: 'features' | 'all'): Promise<StoredPart> {
    const folders = await this.#foldersOf(partId)
    let failure: unknown
    for (const name of folders) {
      try {
        const part = await loadStoredPart(path.join(this.#options.folder, name), what)
        if (part.partId === partId) return part
        throw misplaced(path.join(this.#options.folder, name), part.partId)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure ?? new PartError('PART_UNKNOWN', `${this.#options.folder} holds no part '${partId}'`)
  }

  /** Damaged or not. @returns whether there was one. Works on a full disk. */
  remove(partId: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const folders = (await this.#folders()).filter((folder) => {
        const name = nameOf(folder)
        // Of a damaged part whose id nothing tells, the folder's name is the only one.
        return name === folderNameOf(partId) || (name === partId && idOf(name) === name)
      })
      await this.#removeFolders(folders)
      return folders.length > 0
    })
  }

  /** All parts go at once: wherever the power is cut, all are there or none. */
  clear(): Promise<void> {
    return this.#inTurn(() => removeFolder(this.#options.folder, this.#options.fileSystem))
  }

  /**
   * Removes what a power cut left: half-written parts, and former ones whose successor is whole. For the process that changes the
   * shelf, when it starts. @returns the folders' names.
   */
  tidy(): Promise<string[]> {
    return this.#inTurn(async () => {
      const gone = await removePartials(this.#options.folder)
      for (const { current, folders } of await this.#scan()) {
        const others = current === undefined ? [] : folders.filter((folder) => folder !== current)
        await this.#removeFolders(others)
        gone.push(...others)
      }
      return gone
    })
  }

  /** @param order in the order in which they go. */
  #victimsOf(order: readonly Shelved[], { partId, bytes }: PartRecord): Shelved[] {
    const { folder, mostParts, mostBytes, whenFull } = this.#options
    let partsLeft = mostParts - 1 - order.length
    let bytesLeft = order.reduce((left, other) => left - other.bytes, mostBytes - bytes)
    const victims: Shelved[] = []
    while (partsLeft < 0 || bytesLeft < 0) {
      const victim = order[victims.length]
      if (victim === undefined || whenFull === 'refuse') {
        const held = order.reduce((sum, other) => sum + other.bytes, 0)
        throw new PartError(
          'SHELF_FULL',
          `part '${partId}' of ${bytes} bytes does not fit: ${folder} holds ${order.length} other parts of ${held} bytes, at most ${mostParts} of ${mostBytes} together`,
        )
      }
      victims.push(victim)
      partsLeft += 1
      bytesLeft += victim.bytes
    }
    return victims
  }

  /** Damaged parts, then the others, oldest first: the order in which they go. */
  async #scan(): Promise<Shelved[]> {
    const byName = new Map<string, string[]>()
    for (const folder of await this.#folders()) {
      byName.set(nameOf(folder), [...(byName.get(nameOf(folder)) ?? []), folder])
    }
    const shelved: Shelved[] = []
    const names = [...byName.keys()]
    // Some at a time: every one holds an open file.
    for (let from = 0; from < names.length; from += READ_AT_ONCE) {
      const some = names.slice(from, from + READ_AT_ONCE)
      const read = some.map((name) => readShelved(this.#options.folder, name, byName.get(name) ?? []))
      for (const found of await Promise.all(read)) if (found !== undefined) shelved.push(found)
    }
    return inOrder(shelved)
  }

  /** Of one part, the one that counts first. */
  async #foldersOf(partId: string): Promise<string[]> {
    const name = folderNameOf(partId)
    return (await this.#folders()).filter((folder) => nameOf(folder) === name)
  }

  /** Of all parts, the higher generation of each first. */
  async #folders(): Promise<string[]> {
    const entries = await readdir(this.#options.folder, { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return []
        throw error
      },
    )
    return entries
      .filter((entry) => entry.isDirectory() && PART_FOLDER.test(entry.name))
      .map(({ name }) => name)
      .sort((a, b) => generationOf(b) - generationOf(a))
  }

  /** The one that counts last: until it goes it must not uncover a former one. */
  async #removeFolders(folders: readonly string[]): Promise<void> {
    for (const name of [...folders].reverse()) {
      await removeFolder(path.join(this.#options.folder, name), this.#options.fileSystem)
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

const READ_AT_ONCE = 32
const PART_FOLDER = /^[^.]+(\.\d{1,9})?$/

interface Shelved {
  readonly name: string
  readonly partId: string
  /** The higher generation first. */
  readonly folders: readonly string[]
  /** The folder that counts, and what it says. Absent when none can be read. */
  readonly current?: string
  readonly record?: PartRecord
  /** Why one cannot be read. */
  readonly detail: string
  readonly bytes: number
}

/** @returns undefined for a part that was removed meanwhile. */
async function readShelved(
  shelf: string,
  name: string,
  folders: readonly string[],
): Promise<Shelved | undefined> {
  let detail = ''
  for (const folder of folders) {
    try {
      const record = await readPartRecord(path.join(shelf, folder))
      if (folderNameOf(record.partId) !== name) throw misplaced(path.join(shelf, folder), record.partId)
      return { name, partId: record.partId, folders, current: folder, record, detail, bytes: record.bytes }
    } catch (error) {
      detail ||= messageOf(error)
    }
  }
  const sizes = await Promise.all(folders.map((folder) => bytesIn(path.join(shelf, folder))))
  if (sizes.every((bytes) => bytes === undefined)) return undefined
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  return { name, partId: idOf(name), folders, detail, bytes }
}

/** @returns undefined when there is no such folder any more. */
async function bytesIn(folder: string): Promise<number | undefined> {
  const names = await readdir(folder).catch(() => undefined)
  if (names === undefined) return undefined
  const sizes = await Promise.all(
    names.map((name) =>
      stat(path.join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

function inOrder(shelved: Shelved[]): Shelved[] {
  return shelved.sort((a, b) => ageOf(a) - ageOf(b) || (a.name < b.name ? -1 : 1))
}

function ageOf({ record }: Shelved): number {
  return record === undefined ? -Infinity : Date.parse(record.capturedAt)
}

function nameOf(folder: string): string {
  return folder.replace(/\..*/, '')
}

function generationOf(folder: string): number {
  return Number(/\.(\d+)$/.exec(folder)?.[1] ?? 0)
}

function idOf(name: string): string {
  try {
    const id = decodeURIComponent(name)
    return folderNameOf(id) === name ? id : name
  } catch {
    return name
  }
}

function misplaced(folder: string, partId: string): PartError {
  return new PartError(
    'PART_UNREADABLE',
    `${folder} holds part '${partId}', expected the one it is named after`,
  )
}
