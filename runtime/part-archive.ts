/**
 * What the station has inspected lately: the features of the last parts, for a repository that learns from those that are confirmed,
 * and the images of rejects, for people. An SQLite index to search in; what it names lies in a folder of its own per part.
 *
 * No verdict waits for it: `offer` puts a part in a queue that is bounded in parts and bytes. The victim is the newest part, counted.
 *
 * The archive is bounded in parts (without frames, per product), in bytes and in days (with frames). Victims are the oldest, those
 * that are confirmed and not yet learned from last. On a full disk it gives up its oldest parts for new ones: their files go first,
 * because the index needs room to forget them. A reserve on the disk is the room that it needs to be opened.
 *
 * Files come before their row and go before it. So a power cut leaves files without a row, which are taken in again, or a row without
 * files, which is forgotten; and an index that is damaged is made anew from the files. Only confirmations are lost with it.
 */
import * as files from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import { removeFolder, removePartials, writeFolder, type FileSystem } from '../models/durable-folder.ts'
import { folderNameOf } from '../models/folder-name.ts'
import { encodePart, loadStoredPart, PartError, readPartRecord } from '../models/stored-part.ts'
import type { PartRecord, StoredPart } from '../models/stored-part.ts'
import { factsOf, storedPartOf, type PartToKeep } from './archived-part.ts'
import { sqliteCodeOf } from './database.ts'
import { openPartIndex } from './part-index.ts'
import type { ArchiveQuery, ArchiveRecord, Confirmation, GoodScore, IndexedPart } from './part-index.ts'
import type { PartFiles, PartIndex, ScoreQuery, Totals } from './part-index.ts'
import { RuntimeError } from './runtime-error.ts'

export interface ArchiveOptions {
  readonly folder: string
  readonly bounds: ArchiveBounds
  /**
   * `owner`: the daemon, of which the outbox's lock lets only one be. It heals what a power cut left, and makes a damaged index anew.
   * `guest`: searches, and confirms in the owner's absence or beside it.
   */
  readonly role: 'owner' | 'guest'
  readonly clock: Clock
  /** Told once per change: parts cannot be kept, or can be again. */
  onTrouble?(trouble: RuntimeError | undefined): void
  /** Wall clock, milliseconds: the age of rejects counts to here. */
  readonly nowMs?: () => number
  readonly fileSystem?: FileSystem
}

export interface ArchiveBounds {
  /** Parts without frames, of each product. */
  readonly recentParts: number
  /** Of all parts with frames. */
  readonly rejectBytes: number
  readonly rejectDays: number
}

export interface Healed {
  /** Half-written or half-removed folders, and folders that hold no part of the archive. */
  readonly removed: readonly string[]
  /** Trigger ids of files that the index did not know. */
  readonly takenIn: readonly string[]
  /** Trigger ids that had no files. */
  readonly forgotten: readonly string[]
  /** Where the damaged index is now, for whoever wants to know what happened to it. */
  readonly damagedIndex?: string
}

export interface Cleaned {
  readonly removed: readonly Removal[]
  readonly bytes: number
}

export interface Removal {
  readonly triggerId: string
  readonly why: 'recent-parts' | 'reject-bytes' | 'reject-days' | 'disk-full'
  readonly bytes: number
}

export interface Confirmed {
  readonly confirmed: readonly string[]
  readonly refused: readonly {
    readonly triggerId: string
    /** `unknown`: never archived, or gone. `used`: a repository has learned from it already. */
    readonly why: 'unknown' | 'used'
  }[]
}

export interface ArchiveStats extends Totals {
  /** Since the archive was opened. */
  readonly kept: number
  /** Found no room in the queue. */
  readonly dropped: number
  /** Could not be written. */
  readonly failed: number
  /** Oldest parts given up for new ones because the disk was full. */
  readonly givenUp: number
}

/** With a sample of 12 megapixels more would be a threat to the memory of a Jetson. One part of any size may wait. */
const MOST_WAITING = 8
const MOST_WAITING_BYTES = 64 * 2 ** 20
/** Another process's write takes milliseconds; the daemon's thread must not stand still for it. */
const OWNER_BUSY_MS = 5
const GUEST_BUSY_MS = 5000
const BUSY_RETRIES = 40
const BUSY_PAUSE_MS = 50
/** Room for the write-ahead log and its shared memory. */
const RESERVE_FILE = 'reserve'
const RESERVE_BYTES = 2 ** 20
/** The oldest parts that go for a new one on a full disk also make room for what the index writes. */
const INDEX_BYTES = 2 ** 18
/** So that scores are forgotten now and then also where nobody cleans. */
const CLEAN_AFTER_PARTS = 1000
const DAY_MS = 86_400_000
const INDEX_FILE = 'index.sqlite'
const DAMAGED = /^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/
const NOTHING_HEALED: Healed = { removed: [], takenIn: [], forgotten: [] }

/** @throws RuntimeError ARCHIVE_UNREADABLE. For the owner a damaged index is no reason. */
export async function openPartArchive(options: ArchiveOptions): Promise<PartArchive> {
  const { folder, role, clock } = options
  const file = path.join(folder, INDEX_FILE)
  if (role === 'owner') return openOwnArchive(options)
  const isThere = await files.stat(file).then(
    () => true,
    () => false,
  )
  // Asking makes no archive.
  if (!isThere) throw new RuntimeError('ARCHIVE_UNREADABLE', `${folder} holds no archive yet`)
  const index = await patiently(() => openPartIndex(file, { busyMs: GUEST_BUSY_MS }), clock).catch(
    (cause: unknown) => {
      throw unreadable(folder, cause)
    },
  )
  return new PartArchive(options, index)
}

export class PartArchive {
  /** What the owner found when it opened the archive. */
  readonly healed: Healed
  readonly #options: ArchiveOptions
  readonly #index: PartIndex
  #waiting: PartToKeep[] = []
  #waitingBytes = 0
  #working: Promise<void> | undefined
  #turn: Promise<unknown> = Promise.resolve()
  /** Their files are going: too late to confirm them. */
  readonly #leaving = new Set<string>()
  #isClosed = false
  #hasTrouble = false
  #sinceClean = 0
  #counts = { kept: 0, dropped: 0, failed: 0, givenUp: 0 }

  constructor(options: ArchiveOptions, index: PartIndex, healed: Healed = NOTHING_HEALED) {
    this.#options = options
    this.#index = index
    this.healed = healed
  }

  /** Returns at once. The part is dropped and counted when too many wait. */
  offer(part: PartToKeep): void {
    const bytes = bytesOf(part)
    const isCrowded = this.#waiting.length >= MOST_WAITING || this.#waitingBytes + bytes > MOST_WAITING_BYTES
    if (this.#isClosed || (isCrowded && this.#waiting.length > 0)) {
      this.#counts.dropped += 1
      return
    }
    this.#waiting.push(part)
    this.#waitingBytes += bytes
    this.#working ??= this.#work()
  }

  /** Resolves when all that was offered is kept, dropped or failed. Rejects with the signal's reason. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.#working !== undefined) await orAborted(this.#working, signal)
  }

  /** Newest first. */
  search(query: ArchiveQuery): ArchiveRecord[] {
    return this.#asked(() => this.#index.search(query))
  }

  find(triggerId: string): ArchiveRecord | undefined {
    return this.#asked(() => this.#index.find(triggerId))
  }

  /** Normalities of good parts, newest first: those that passed, and those that were confirmed. */
  scores(query: ScoreQuery): GoodScore[] {
    return this.#asked(() => this.#index.scores(query))
  }

  /** @throws PartError `PART_UNKNOWN` for a part that is not, or not any more, in the archive; `PART_UNREADABLE`. */
  async load(triggerId: string, what: 'features' | 'all'): Promise<StoredPart> {
    const record = this.find(triggerId)
    if (record === undefined) {
      throw new PartError('PART_UNKNOWN', `${this.#options.folder} holds no part of trigger '${triggerId}'`)
    }
    return loadStoredPart(this.#folderOf(record), what)
  }

  /** On the disk when it resolves. The last word on a part counts. `product`: parts of another are unknown. */
  async confirm(
    triggerIds: readonly string[],
    { as, who, why, product }: { as: Confirmation; who: string; why: string; product?: string },
  ): Promise<Confirmed> {
    const asked = [...new Set(triggerIds)]
    const there = asked.filter((triggerId) => !this.#leaving.has(triggerId))
    const timeMs = this.#nowMs()
    const confirmed = await this.#withRoom(0, () =>
      this.#write(() => this.#index.confirm(there, { as, who, why, timeMs, product })),
    )
    const refused = asked
      .filter((triggerId) => !confirmed.includes(triggerId))
      .map((triggerId) => {
        const record = this.find(triggerId)
        const isUsed = record?.used !== undefined && record.product === (product ?? record.product)
        return { triggerId, why: isUsed ? ('used' as const) : ('unknown' as const) }
      })
    return { confirmed, refused }
  }

  /** A candidate has learned from these parts: they need not be kept for the next. */
  async markUsed(triggerIds: readonly string[], candidateId: string): Promise<void> {
    await this.#withRoom(0, () => this.#write(() => this.#index.markUsed(triggerIds, candidateId)))
  }

  /** Ids of the repositories that learned from parts which are still here. */
  learnedBy(product: string): string[] {
    return this.#asked(() => this.#index.learnedBy(product))
  }

  /** What that repository learned from counts as not learned from. */
  async reopen(product: string, repositoryId: string): Promise<void> {
    await this.#withRoom(0, () => this.#write(() => this.#index.reopen(product, repositoryId)))
  }

  /** Brings the archive back within its bounds. Works on a full disk. */
  clean(): Promise<Cleaned> {
    return this.#inTurn(async () => {
      const { recentParts, rejectBytes, rejectDays } = this.#options.bounds
      const index = this.#index
      const earliestMs = this.#steadyNowMs() - rejectDays * DAY_MS
      const removed = [
        ...(await this.#remove(() => index.olderThan(earliestMs), 'reject-days')),
        ...(await this.#remove(() => index.beyondBytes(rejectBytes), 'reject-bytes')),
        ...(await this.#remove(() => index.beyondRecent(recentParts), 'recent-parts')),
      ]
      await this.#write(() => index.forgetScores())
      if (this.#options.role === 'owner') await keepReserve(this.#options.folder)
      this.#sinceClean = 0
      return { removed, bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0) }
    })
  }

  stats(): ArchiveStats {
    return { ...this.#asked(() => this.#index.totals()), ...this.#counts }
  }

  /** What waits is kept until the signal aborts, then dropped. Twice is fine. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) return
    await this.idle(signal).catch(() => undefined)
    this.#isClosed = true
    this.#counts.dropped += this.#waiting.length
    this.#waiting = []
    this.#index.close()
  }

  async #work(): Promise<void> {
    for (let part = this.#waiting[0]; part !== undefined; part = this.#waiting[0]) {
      try {
        await this.#keep(part)
        this.#counts.kept += 1
        this.#tell(undefined)
      } catch (error) {
        this.#counts.failed += 1
        if (!this.#isClosed) this.#tell(unwritable(this.#options.folder, error))
      }
      // Not shift(): `close` may have emptied the list meanwhile.
      this.#waiting = this.#waiting.filter((other) => other !== part)
      this.#waitingBytes = this.#waiting.reduce((sum, other) => sum + bytesOf(other), 0)
      if (++this.#sinceClean >= CLEAN_AFTER_PARTS && !this.#isClosed)
        await this.clean().catch(() => undefined)
    }
    this.#working = undefined
  }

  async #keep(part: PartToKeep): Promise<void> {
    const { facts } = part
    if (part.sample === undefined && part.features === undefined) {
      await this.#write(() => this.#index.insert([{ facts }]))
      return
    }
    const folder = this.#folderOf(facts)
    const { contents, record } = await encodePart(await storedPartOf(part))
    const kept = filesOf(record)
    await this.#inTurn(async () => {
      if (this.find(facts.triggerId) !== undefined) await removeFolder(folder, this.#options.fileSystem)
      try {
        await this.#withRoom(record.bytes, () => writeFolder(folder, contents, this.#options.fileSystem))
        // Closed while the disk was slow: the next owner takes the files in.
        if (this.#isClosed) return
        await this.#withRoom(0, () => this.#write(() => this.#index.insert([{ facts, files: kept }])))
      } catch (error) {
        // What is half written would take the room that the next part needs.
        await removeFolder(folder, this.#options.fileSystem).catch(() => undefined)
        throw error
      }
    })
    const { recentParts, rejectBytes } = this.#options.bounds
    await this.#inTurn(() =>
      kept.hasFrames
        ? this.#remove(() => this.#index.beyondBytes(rejectBytes), 'reject-bytes')
        : this.#remove(() => this.#index.beyondRecent(recentParts), 'recent-parts'),
    )
  }

  /** The disk may be full of other things: the archive stays a ring of what it has. */
  async #withRoom<Result>(bytes: number, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (!isFull(error) || this.#isClosed) throw error
      const victims = await this.#remove(() => this.#index.expendable(bytes + INDEX_BYTES), 'disk-full')
      this.#counts.givenUp += victims.length
      if (victims.length === 0) throw error
      // Only now: the tables need room for what the log says.
      await this.#write(() => this.#index.shrink()).catch(() => undefined)
      return await work()
    }
  }

  /** Files first, then their rows. */
  async #remove(choose: () => readonly ArchiveRecord[], why: Removal['why']): Promise<Removal[]> {
    const victims = choose()
    if (victims.length === 0) return []
    const triggerIds = victims.map(({ triggerId }) => triggerId)
    for (const triggerId of triggerIds) this.#leaving.add(triggerId)
    try {
      for (const victim of victims) await removeFolder(this.#folderOf(victim), this.#options.fileSystem)
      await this.#write(() => this.#index.remove(triggerIds))
    } finally {
      for (const triggerId of triggerIds) this.#leaving.delete(triggerId)
    }
    return victims.map(({ triggerId, bytes }) => ({ triggerId, why, bytes }))
  }

  #write<Result>(work: () => Result): Promise<Result> {
    return patiently(work, this.#options.clock).catch((cause: unknown) => {
      throw unwritable(this.#options.folder, cause)
    })
  }

  #asked<Result>(question: () => Result): Result {
    try {
      return question()
    } catch (error) {
      throw unreadable(this.#options.folder, error)
    }
  }

  #folderOf({ product, triggerId }: { product: string; triggerId: string }): string {
    return path.join(this.#options.folder, folderNameOf(product), folderNameOf(triggerId))
  }

  #nowMs(): number {
    return (this.#options.nowMs ?? Date.now)()
  }

  /** A clock that is set forward while the daemon runs makes no part older: days are counted on from the daemon's start. */
  #steadyNowMs(): number {
    return this.#options.nowMs?.() ?? Math.min(Date.now(), performance.timeOrigin + performance.now())
  }

  #tell(trouble: RuntimeError | undefined): void {
    if ((trouble !== undefined) === this.#hasTrouble) return
    this.#hasTrouble = trouble !== undefined
    this.#options.onTrouble?.(trouble)
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

async function openOwnArchive(options: ArchiveOptions): Promise<PartArchive> {
  const { folder } = options
  try {
    await files.mkdir(folder, { recursive: true })
    return await openHealed(options)
  } catch (error) {
    // Whatever it was, another attempt costs nothing, and on a full disk this is the room for it.
    if (!(await giveReserve(folder))) throw unreadable(folder, error)
    return openHealed(options).catch((cause: unknown) => {
      throw unreadable(folder, cause)
    })
  }
}

async function openHealed(options: ArchiveOptions): Promise<PartArchive> {
  const { folder, clock } = options
  const file = path.join(folder, INDEX_FILE)
  const open = (): Promise<PartIndex> =>
    patiently(() => openPartIndex(file, { busyMs: OWNER_BUSY_MS }), clock)
  let damagedIndex: string | undefined
  const index = await open().catch(async (error: unknown) => {
    if (!DAMAGED.test(sqliteCodeOf(error) ?? '')) throw error
    damagedIndex = `${file}.damaged`
    await moveAside(file, damagedIndex)
    return open()
  })
  try {
    const healed = await heal(folder, index)
    const archive = new PartArchive(options, index, {
      ...healed,
      ...(damagedIndex !== undefined && { damagedIndex }),
    })
    await archive.clean()
    return archive
  } catch (error) {
    index.close()
    throw error
  }
}

/** Makes files and rows agree. */
async function heal(folder: string, index: PartIndex): Promise<Healed> {
  const removed: string[] = []
  const forgotten: string[] = []
  const found: IndexedPart[] = []
  const byFolder = new Map((await foldersIn(folder)).map((name) => [name, decodeURIComponent(name)]))
  for (const product of index.products()) byFolder.set(folderNameOf(product), product)
  for (const [name, product] of byFolder) {
    const shelf = path.join(folder, name)
    for (const partial of await removePartials(shelf)) removed.push(path.join(name, partial))
    const rows = index.triggerIdsOf(product)
    const known = new Set(rows.map(folderNameOf))
    const there = new Set(await foldersIn(shelf))
    forgotten.push(...rows.filter((triggerId) => !there.has(folderNameOf(triggerId))))
    for (const stray of there) {
      if (known.has(stray)) continue
      const part = await indexedPartIn(path.join(shelf, stray))
      if (part?.facts.product === product && folderNameOf(part.facts.triggerId) === stray) found.push(part)
      else {
        await removeFolder(path.join(shelf, stray))
        removed.push(path.join(name, stray))
      }
    }
  }
  if (forgotten.length > 0) index.remove(forgotten)
  const ordered = found.sort(
    ({ facts: a }, { facts: b }) => Date.parse(a.time) - Date.parse(b.time) || a.seq - b.seq,
  )
  if (ordered.length > 0) index.insert(ordered)
  return { removed, forgotten, takenIn: ordered.map(({ facts }) => facts.triggerId) }
}

/** @returns undefined for what the archive did not write, or cannot read any more. */
async function indexedPartIn(folder: string): Promise<IndexedPart | undefined> {
  const record = await readPartRecord(folder).catch(() => undefined)
  const facts = record && factsOf(record)
  return record && facts && { facts, files: filesOf(record) }
}

function filesOf({ features, framesSha256, bytes }: PartRecord): PartFiles {
  return { hasFeatures: features !== undefined, hasFrames: framesSha256 !== undefined, bytes }
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await files
    .readdir(folder, { withFileTypes: true })
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
  // A name with a dot is none of ours, or a half-written part.
  return entries.filter((entry) => entry.isDirectory() && !entry.name.includes('.')).map(({ name }) => name)
}

/** With what SQLite keeps beside it: another index must not find the log of this one. The last damaged one is kept. */
async function moveAside(file: string, target: string): Promise<void> {
  await files.rename(file, target)
  for (const beside of ['-wal', '-shm']) await files.rm(file + beside, { force: true })
}

async function keepReserve(folder: string): Promise<void> {
  const file = path.join(folder, RESERVE_FILE)
  const size = await files.stat(file).then(
    (about) => about.size,
    () => 0,
  )
  if (size === RESERVE_BYTES) return
  try {
    await files.writeFile(file, Buffer.alloc(RESERVE_BYTES))
  } catch {
    // No room for it now: half a reserve would only take more.
    await files.rm(file, { force: true })
  }
}

/** @returns whether there was one. */
async function giveReserve(folder: string): Promise<boolean> {
  return files.rm(path.join(folder, RESERVE_FILE)).then(
    () => true,
    () => false,
  )
}

/** Another process's lock is waited for without making the thread wait. */
async function patiently<Result>(work: () => Result, clock: Clock): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return work()
    } catch (error) {
      const isBusy = sqliteCodeOf(error)?.startsWith('SQLITE_BUSY') ?? false
      if (!isBusy || attempt > BUSY_RETRIES) throw error
      await new Promise<void>((resolve) => void clock.after(BUSY_PAUSE_MS, resolve))
    }
  }
}

function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const forget = (): void => signal.removeEventListener('abort', abort)
    work.then(resolve, reject).finally(forget)
  })
}

/** What waits in memory. */
function bytesOf({ features, sample, map }: PartToKeep): number {
  const buffers = [
    ...[features?.rgb?.values, features?.xyz?.values, map?.values],
    ...[sample?.frames.rgb?.pixels, sample?.frames.xyz?.pointsMetres],
  ]
  return buffers.reduce((sum, buffer) => sum + (buffer?.byteLength ?? 0), 0)
}

function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT' || sqliteCodeOf(error) === 'SQLITE_FULL') return true
  return error.cause !== undefined && isFull(error.cause)
}

function unwritable(folder: string, cause: unknown): RuntimeError {
  if (cause instanceof RuntimeError) return cause
  return new RuntimeError('ARCHIVE_UNWRITABLE', `${folder} cannot keep parts: ${messageOf(cause)}`, { cause })
}

function unreadable(folder: string, cause: unknown): RuntimeError {
  if (cause instanceof RuntimeError && cause.code === 'ARCHIVE_UNREADABLE') return cause
  return new RuntimeError(
    'ARCHIVE_UNREADABLE',
    `the archive in ${folder} cannot be read: ${messageOf(cause)}`,
    { cause },
  )
}
