/** One SQLite file, or `:memory:`: the library's only door, and the one place that knows its traps. */
import Libsql from 'libsql'

export interface DatabaseOptions {
  /** Tells our file from any other SQLite file: `PRAGMA application_id`, four letters. */
  readonly applicationId: number
  /** Makes the tables of a new file. A file that has them is left as it is, so one on a full disk can be opened. */
  readonly tables: string
  /**
   * `wal`: one writer commits quickly. `delete`: one plain file that processes share; a reader writes nothing beside it,
   * not even on a full disk.
   */
  readonly journal: 'wal' | 'delete'
  /** No other process may open the file until this one closes it or dies. */
  readonly exclusive: boolean
  /** How long somebody else's lock is waited for. The whole thread waits. */
  readonly busyMs: number
}

export type Value = string | number | bigint | Uint8Array | null

/** @throws the library's error when the file is damaged, locked, not ours or not writable; decide on `sqliteCodeOf`. */
export function openDatabase(file: string, options: DatabaseOptions): Database {
  return new Database(file, options)
}

/** `SQLITE_BUSY`, `SQLITE_FULL`, ...; undefined for other errors, also where the file cannot be opened at all. */
export function sqliteCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const code = String(error.code)
  return code.startsWith('SQLITE_') ? code : undefined
}

export class Database {
  readonly #options: DatabaseOptions
  #database: Libsql.Database | undefined

  constructor(file: string, options: DatabaseOptions) {
    this.#options = options
    this.#database = new Libsql(file)
    try {
      this.#setUp()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Runs to the end: the library's get() and exec() may leave a read transaction open behind them. */
  all<Row>(sql: string, ...values: readonly Value[]): Row[] {
    // As one array: the library takes a single null for named parameters.
    return this.#opened().prepare(sql).all(values) as Row[]
  }

  /** The first row. */
  get<Row>(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0]
  }

  /** All or nothing; on the disk when it returns. Nobody else writes meanwhile. Not to be nested. */
  transaction<Result>(work: () => Result): Result {
    this.#opened().exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#opened().exec('COMMIT')
      return result
    } catch (error) {
      this.#rollBack()
      throw error
    }
  }

  /** Twice is fine. */
  close(): void {
    // The library's close waits for the garbage collector to drop the statements; every lock must go now.
    try {
      this.#rollBack()
      if (this.#options.exclusive) {
        // Leaving WAL gives the lock up, and leaves one plain file behind.
        this.all('PRAGMA journal_mode = DELETE')
        this.all('PRAGMA locking_mode = NORMAL')
        this.all('SELECT count(*) FROM sqlite_schema')
      }
    } catch {
      // A damaged file that could not be locked needs no unlocking.
    }
    this.#database?.close()
    this.#database = undefined
  }

  #setUp(): void {
    const { applicationId, tables, journal, exclusive, busyMs } = this.#options
    this.all(`PRAGMA busy_timeout = ${busyMs}`)
    if (exclusive) this.all('PRAGMA locking_mode = EXCLUSIVE')
    this.all(`PRAGMA journal_mode = ${journal}`)
    // EXTRA: the folder is flushed after the journal is deleted, or a power cut brings it back and undoes the commit.
    this.all(`PRAGMA synchronous = ${journal === 'delete' ? 'EXTRA' : 'FULL'}`)
    this.all('PRAGMA journal_size_limit = 4194304')
    const isOurs = (): boolean =>
      this.get<{ application_id: number }>('PRAGMA application_id')?.application_id === applicationId
    // In this order: another process may be making its tables, and signs the file together with them.
    const found = this.get<{ tables: number }>('SELECT count(*) AS tables FROM sqlite_schema')
    if (!isOurs() && found?.tables !== 0) {
      throw new Libsql.SqliteError('a database of another program', 'SQLITE_NOTADB')
    }
    const check = this.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check
    if (check !== 'ok') {
      throw new Libsql.SqliteError(`damaged: ${check?.replaceAll('\n', ' ')}`, 'SQLITE_CORRUPT')
    }
    if (isOurs()) return
    this.transaction(() => {
      if (!isOurs()) this.#opened().exec(`${tables}; PRAGMA application_id = ${applicationId}`)
    })
  }

  /** After some errors (disk full) SQLite has rolled back by itself and a second ROLLBACK would hide the cause. */
  #rollBack(): void {
    if (this.#database?.inTransaction === true) this.#database.exec('ROLLBACK')
  }

  /** Never the library's own word for it: asked for `inTransaction`, a closed database takes the whole process down. */
  #opened(): Libsql.Database {
    if (this.#database === undefined) throw new Error('the database is closed')
    return this.#database
  }
}
