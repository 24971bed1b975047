/**
 * What happened to repositories, by whom and why, and with that the truth of which one a product uses: a promotion is
 * its entry, so neither is ever there without the other. One SQLite file beside the repositories, shared by the daemon
 * and the command line. Entries are never changed or deleted.
 *
 * The file is opened when it is first asked for and again after an error: a station whose ledger is damaged inspects on,
 * and needs no restart when a person has moved the file away. No file means that nothing was taught; only a new entry
 * makes one, so whoever just looks (root, a full disk) leaves nothing behind.
 *
 * Never open the file in any other way: closing it drops the locks that SQLite holds in the same process. `copyTo` copies.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { messageOf } from '../drivers/message-of.ts'
import { repositoryFolder } from '../models/repository-folder.ts'
import { RepositoryError } from '../models/repository.ts'
import { openDatabase, sqliteCodeOf, type Database } from './database.ts'
import { RuntimeError } from './runtime-error.ts'

export const LEDGER_ACTIONS = [
  'candidate',
  'refused',
  'promote',
  'rollback',
  'import',
  'accept',
  'confirm',
  'golden',
  'self-test',
  'alarm',
] as const
export type LedgerAction = (typeof LEDGER_ACTIONS)[number]

export type Figures = Readonly<Record<string, unknown>>

export interface LedgerEntry {
  readonly seq: number
  /** Wall clock, ISO 8601. Order by `seq`. */
  readonly time: string
  readonly product: string
  readonly action: LedgerAction
  readonly repositoryId?: string
  /** Was in use until this promotion or rollback. */
  readonly previousId?: string
  readonly who: string
  readonly why: string
  /** Before and after, as far as JSON can say it. */
  readonly figures?: Figures
}

interface Reasons {
  readonly product: string
  readonly who: string
  readonly why: string
  readonly figures?: Figures
}

export interface NewEntry extends Reasons {
  readonly action: Exclude<LedgerAction, 'promote' | 'rollback'>
  readonly repositoryId?: string
}

export interface Promotion extends Reasons {
  readonly repositoryId: string
  /** In use when this promotion was decided; undefined for none. */
  readonly expectedActive: string | undefined
}

export interface Rollback extends Reasons {
  /** Without it the one that was in use before the active one was promoted. */
  readonly repositoryId?: string
  /** Only if this one is in use still. */
  readonly expectedActive?: string | undefined
}

export interface HistoryQuery {
  readonly product?: string
  readonly repositoryId?: string
  readonly limit: number
  /** Only entries older than this one. */
  readonly before?: number
}

/** "rdlg" */
const APPLICATION_ID = 0x72646c67

const IN_USE = `action IN ('promote', 'rollback')`
const COLUMNS = `seq, time, product, action, repository_id AS repositoryId, previous_id AS previousId, who, why, figures`
const TABLES = `
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, product TEXT NOT NULL, action TEXT NOT NULL,
    repository_id TEXT, previous_id TEXT, who TEXT NOT NULL, why TEXT NOT NULL, figures TEXT
  );
  CREATE INDEX uses ON entries (product, seq) WHERE ${IN_USE}`

const MAX_TEXT_CHARACTERS = 2000
const MAX_FIGURES_BYTES = 65_536

const rowSchema = z.object({
  seq: z.int(),
  time: z.string(),
  product: z.string(),
  action: z.enum(LEDGER_ACTIONS),
  repositoryId: z.string().nullable(),
  previousId: z.string().nullable(),
  who: z.string(),
  why: z.string(),
  figures: z.string().nullable(),
})
const figuresSchema = z.record(z.string(), z.unknown())

/**
 * @param root holds the repositories of every product, and the ledger.
 * @param busyMs how long another process's write is waited for. The whole thread waits.
 */
export function openLedger(root: string, { busyMs = 5000 } = {}): Ledger {
  return new Ledger(root, busyMs)
}

export class Ledger {
  readonly file: string
  readonly #root: string
  readonly #busyMs: number
  #database: Database | undefined
  /** A file that was moved away or put back from a backup is another file. */
  #inode: number | undefined
  #seenVersion: number | undefined

  constructor(root: string, busyMs: number) {
    this.file = join(root, 'ledger.sqlite')
    this.#root = root
    this.#busyMs = busyMs
  }

  /** On the disk when it returns, as `promote` and `rollback` are. */
  record({ repositoryId, action, ...reasons }: NewEntry): LedgerEntry {
    return this.#write((database) => insert(database, reasons, { action, repositoryId }))
  }

  /** @throws RuntimeError LEDGER_CONFLICT when another repository is in use by now, REPOSITORY_UNKNOWN without its folder. */
  promote({ repositoryId, expectedActive, ...reasons }: Promotion): LedgerEntry {
    return this.#write((database) => {
      const { product } = reasons
      const previousId = usesOf(database, product).at(-1)?.id
      mustBeInUse(product, previousId, expectedActive)
      this.#mustBeKept(product, repositoryId)
      return insert(database, reasons, { action: 'promote', repositoryId, previousId })
    })
  }

  /** @throws RuntimeError REPOSITORY_UNKNOWN when there is nothing to go back to, LEDGER_CONFLICT when it is in use or the expected one is not. */
  rollback({ repositoryId: asked, expectedActive, ...reasons }: Rollback): LedgerEntry {
    return this.#write((database) => {
      const { product } = reasons
      const uses = usesOf(database, product)
      const previousId = uses.at(-1)?.id
      if (expectedActive !== undefined) mustBeInUse(product, previousId, expectedActive)
      const repositoryId = asked ?? oneBefore(uses)
      if (repositoryId === undefined) {
        const detail = `${product} has no repository before the one in use to go back to`
        throw new RuntimeError('REPOSITORY_UNKNOWN', detail)
      }
      if (uses.every(({ id }) => id !== repositoryId)) {
        throw new RuntimeError('REPOSITORY_UNKNOWN', `${repositoryId} was never in use for ${product}`)
      }
      if (repositoryId === previousId) {
        throw new RuntimeError('LEDGER_CONFLICT', `${repositoryId} is in use for ${product} already`)
      }
      this.#mustBeKept(product, repositoryId)
      return insert(database, reasons, { action: 'rollback', repositoryId, previousId })
    })
  }

  /** The id of the repository in use; undefined when there is none. */
  active(product: string): string | undefined {
    const query = `SELECT repository_id AS id FROM entries WHERE product = ? AND ${IN_USE} ORDER BY seq DESC LIMIT 1`
    return this.#read(undefined, (database) => database.get<{ id: string }>(query, product)?.id)
  }

  /** Where the repository in use is. */
  activeFolder(product: string): string | undefined {
    const id = this.active(product)
    return id === undefined ? undefined : repositoryFolder(this.#root, product, id)
  }

  /** Newest first. */
  history({ product, repositoryId, limit, before }: HistoryQuery): LedgerEntry[] {
    const query = `SELECT ${COLUMNS} FROM entries
      WHERE seq < ? AND (? IS NULL OR product = ?) AND (? IS NULL OR repository_id = ?) ORDER BY seq DESC LIMIT ?`
    const [ofProduct, ofRepository] = [product ?? null, repositoryId ?? null]
    const values = [
      before ?? Number.MAX_SAFE_INTEGER,
      ofProduct,
      ofProduct,
      ofRepository,
      ofRepository,
      limit,
    ]
    return this.#read([], (database) => database.all(query, ...values).map(toEntry))
  }

  /** Every repository that was ever in use: the one used last comes first. */
  promoted(product: string): string[] {
    return this.#idsOf(product, IN_USE)
  }

  /** Every repository that was made or imported, promoted or not: the newest comes first. */
  candidates(product: string): string[] {
    return this.#idsOf(product, `action IN ('candidate', 'import')`)
  }

  /** Whether anybody else has added an entry since it was last asked; also true when it is asked first. */
  hasChanged(): boolean {
    const version = this.#read(
      0,
      (database) => database.get<{ data_version: number }>('PRAGMA data_version')?.data_version ?? 0,
    )
    const hasChanged = version !== this.#seenVersion
    this.#seenVersion = version
    return hasChanged
  }

  /** Nobody adds an entry meanwhile, and everybody who wants to waits. */
  whileHeld<Result>(work: () => Result): Result {
    // An error of the work's own is no error of the ledger's.
    const outcome = this.#write(() => {
      try {
        return { result: work() }
      } catch (error) {
        return { error }
      }
    })
    if ('error' in outcome) throw outcome.error
    return outcome.result
  }

  /** A whole copy at one instant. `target` must not exist, and is not yet flushed to the disk. */
  copyTo(target: string): void {
    this.#read(undefined, (database) => database.all('VACUUM INTO ?', target))
  }

  /** Twice is fine. */
  close(): void {
    this.#database?.close()
    this.#database = undefined
    this.#inode = undefined
    this.#seenVersion = undefined
  }

  #idsOf(product: string, actions: string): string[] {
    const query = `SELECT repository_id AS id FROM entries WHERE product = ? AND ${actions} GROUP BY id ORDER BY max(seq) DESC`
    return this.#read([], (database) => database.all<{ id: string }>(query, product).map(({ id }) => id))
  }

  #mustBeKept(product: string, id: string): void {
    const folder = repositoryFolder(this.#root, product, id)
    if (existsSync(join(folder, 'manifest.json'))) return
    throw new RuntimeError('REPOSITORY_UNKNOWN', `${folder} holds no repository to put into use`)
  }

  #read<Result>(absent: Result, work: (database: Database) => Result): Result {
    try {
      const database = this.#opened()
      return database === undefined ? absent : work(database)
    } catch (error) {
      throw this.#failed(error, 'LEDGER_UNREADABLE')
    }
  }

  #write<Result>(work: (database: Database) => Result): Result {
    try {
      const database = this.#opened() ?? this.#made()
      return database.transaction(() => work(database))
    } catch (error) {
      throw this.#failed(error, 'LEDGER_UNWRITABLE')
    }
  }

  #opened(): Database | undefined {
    const about = statSync(this.file, { throwIfNoEntry: false })
    // Empty: whoever was making it was killed, or found no room. Nothing was taught yet, and reading writes no tables.
    const inode = about === undefined || about.size === 0 ? undefined : about.ino
    if (inode !== this.#inode) this.close()
    try {
      if (inode !== undefined) this.#database ??= this.#open(inode)
    } catch (error) {
      // Its making was undone just now, and on a full disk it cannot be made again: empty after all.
      if (statSync(this.file, { throwIfNoEntry: false })?.size !== 0) throw error
      this.close()
    }
    return this.#database
  }

  #made(): Database {
    makeFolder(this.#root)
    const database = this.#open(undefined)
    this.#inode = statSync(this.file).ino
    this.#database = database
    return database
  }

  #open(inode: number | undefined): Database {
    this.#inode = inode
    return openDatabase(this.file, {
      applicationId: APPLICATION_ID,
      tables: TABLES,
      journal: 'delete',
      exclusive: false,
      busyMs: this.#busyMs,
    })
  }

  #failed(error: unknown, code: 'LEDGER_UNREADABLE' | 'LEDGER_UNWRITABLE'): unknown {
    if (error instanceof RuntimeError || error instanceof RepositoryError) return error
    // Whatever it was, the next one who asks finds out whether it still is.
    this.close()
    const detail = `${this.file} cannot be used: ${messageOf(error)}`
    const sqliteCode = sqliteCodeOf(error) ?? ''
    if (sqliteCode.startsWith('SQLITE_BUSY')) {
      const busy = `${detail}; another process has kept it for ${this.#busyMs} ms`
      return new RuntimeError(code, busy, { cause: error })
    }
    const isDamaged =
      /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode) ||
      error instanceof z.ZodError ||
      error instanceof SyntaxError
    if (!isDamaged) return new RuntimeError(code, detail, { cause: error })
    const advice = 'Move it away and teach again, or promote one of the repositories beside it'
    return new RuntimeError('LEDGER_UNREADABLE', `${detail}. ${advice}`, { cause: error })
  }
}

interface Use {
  readonly id: string
  readonly action: string
}

/** Oldest first. */
function usesOf(database: Database, product: string): Use[] {
  const query = `SELECT repository_id AS id, action FROM entries WHERE product = ? AND ${IN_USE} ORDER BY seq`
  return database.all(query, product)
}

/** Going back again goes further back: what was rolled back is no longer "the one before". */
function oneBefore(uses: readonly Use[]): string | undefined {
  const stack: string[] = []
  for (const { id, action } of uses) {
    const depth = action === 'rollback' ? stack.lastIndexOf(id) : -1
    if (depth >= 0) stack.length = depth + 1
    else if (stack.at(-1) !== id) stack.push(id)
  }
  return stack.at(-2)
}

function mustBeInUse(product: string, active: string | undefined, expected: string | undefined): void {
  if (active === expected) return
  const found = `${product} has ${active ?? 'no repository'} in use by now`
  throw new RuntimeError('LEDGER_CONFLICT', `${found}, expected ${expected ?? 'none'}`)
}

function insert(
  database: Database,
  { product, who, why, figures }: Reasons,
  what: Pick<LedgerEntry, 'action'> & { repositoryId: string | undefined; previousId?: string | undefined },
): LedgerEntry {
  const json = figures === undefined ? null : JSON.stringify(figures)
  if ([product, who, why].some((text) => text.trim() === '' || text.length > MAX_TEXT_CHARACTERS)) {
    const limits = `product, who and why, each at most ${MAX_TEXT_CHARACTERS} characters long`
    throw new RuntimeError('LEDGER_UNWRITABLE', `an entry of the ledger needs ${limits}`)
  }
  const bytes = Buffer.byteLength(json ?? '')
  if (bytes > MAX_FIGURES_BYTES) {
    const detail = `figures of ${bytes} bytes, an entry of the ledger takes ${MAX_FIGURES_BYTES}`
    throw new RuntimeError('LEDGER_UNWRITABLE', detail)
  }
  const time = new Date().toISOString()
  const row = database.get(
    `INSERT INTO entries (time, product, action, repository_id, previous_id, who, why, figures)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING ${COLUMNS}`,
    ...[time, product, what.action, what.repositoryId ?? null, what.previousId ?? null, who, why, json],
  )
  return toEntry(row)
}

function toEntry(row: unknown): LedgerEntry {
  const { repositoryId, previousId, figures, ...rest } = rowSchema.parse(row)
  return {
    ...rest,
    ...(repositoryId !== null && { repositoryId }),
    ...(previousId !== null && { previousId }),
    ...(figures !== null && { figures: figuresSchema.parse(JSON.parse(figures)) }),
  }
}

/** Makes it so that its own name survives the power cut that its ledger survives. */
function makeFolder(folder: string): void {
  const firstMade = mkdirSync(folder, { recursive: true })
  if (firstMade === undefined) return
  for (let above = dirname(folder); ; above = dirname(above)) {
    const handle = openSync(above, 'r')
    fsyncSync(handle)
    closeSync(handle)
    if (above === dirname(firstMade)) return
  }
}
