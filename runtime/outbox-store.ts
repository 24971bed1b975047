/** The outbox's tables: one SQLite file, or `:memory:` while the disk is unusable. The only file that knows SQL. */
import Database from 'libsql'

export interface Message {
  readonly topic: string
  readonly payload: string
}

export interface StoredVerdict extends Message {
  readonly seq: number
}

/** Verdicts given up, both ends included. */
export interface Gap {
  readonly firstSeq: number
  readonly lastSeq: number
}

export interface Change {
  readonly verdicts: readonly StoredVerdict[]
  readonly deletes: readonly number[]
  readonly gaps: readonly Gap[]
  readonly lastSeq: number
}

/** Tells our file from any other SQLite file: `PRAGMA application_id`, "rdox". */
const APPLICATION_ID = 0x72646f78

const TABLES = `
  CREATE TABLE IF NOT EXISTS verdicts (seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS gaps (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS numbering (id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL);
  INSERT OR IGNORE INTO numbering VALUES (1, 0);
  PRAGMA application_id = ${APPLICATION_ID};`

/** Throws the library's error when the file is damaged, locked, not ours or not writable. */
export class OutboxStore {
  readonly #database: Database.Database
  #depth = 0
  #bytes = 0

  constructor(file: string) {
    this.#database = new Database(file)
    try {
      // Exclusive: a second daemon on the same file would give the same numbers. The lock dies with the process.
      this.#all('PRAGMA locking_mode = EXCLUSIVE')
      this.#all('PRAGMA journal_mode = WAL')
      this.#all('PRAGMA synchronous = FULL')
      this.#all('PRAGMA journal_size_limit = 4194304')
      const owner = this.#get<{ application_id: number }>('PRAGMA application_id').application_id
      const tables = this.#get<{ tables: number }>('SELECT count(*) AS tables FROM sqlite_schema').tables
      if (owner !== APPLICATION_ID && tables > 0) throw new Error('a database of another program')
      const check = this.#get<{ quick_check: string }>('PRAGMA quick_check(1)').quick_check
      if (check !== 'ok') throw new Error(check)
      this.#database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT`)
      const totals = 'SELECT count(*) AS depth, ifnull(sum(bytes), 0) AS bytes FROM verdicts'
      const { depth, bytes } = this.#get<{ depth: number; bytes: number }>(totals)
      this.#depth = depth
      this.#bytes = bytes
    } catch (error) {
      this.close()
      throw error
    }
  }

  get depth(): number {
    return this.#depth
  }

  get bytes(): number {
    return this.#bytes
  }

  lastSeq(): number {
    return this.#get<{ last_seq: number }>('SELECT last_seq FROM numbering').last_seq
  }

  gaps(): Gap[] {
    return this.#all<Gap>('SELECT first_seq AS firstSeq, last_seq AS lastSeq FROM gaps ORDER BY first_seq')
  }

  after(seq: number, limit: number): StoredVerdict[] {
    const query = 'SELECT seq, topic, payload FROM verdicts WHERE seq > ? ORDER BY seq LIMIT ?'
    return this.#all<StoredVerdict>(query, seq, limit)
  }

  sizesAfter(seq: number, limit: number): { seq: number; bytes: number }[] {
    return this.#all('SELECT seq, bytes FROM verdicts WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit)
  }

  /** All or nothing; on the disk when it returns. */
  write(change: Change): void {
    const database = this.#database
    let depth = this.#depth
    let bytes = this.#bytes
    database.exec('BEGIN IMMEDIATE')
    try {
      const remove = database.prepare('DELETE FROM verdicts WHERE seq = ? RETURNING bytes')
      for (const seq of change.deletes) {
        for (const row of remove.all(seq) as { bytes: number }[]) {
          depth -= 1
          bytes -= row.bytes
        }
      }
      const insert = database.prepare('INSERT INTO verdicts (seq, bytes, topic, payload) VALUES (?, ?, ?, ?)')
      for (const { seq, topic, payload } of change.verdicts) {
        const size = Buffer.byteLength(payload)
        insert.run(seq, size, topic, payload)
        depth += 1
        bytes += size
      }
      database.exec('DELETE FROM gaps')
      const insertGap = database.prepare('INSERT INTO gaps VALUES (?, ?)')
      for (const gap of change.gaps) insertGap.run(gap.firstSeq, gap.lastSeq)
      database.prepare('UPDATE numbering SET last_seq = ?').run(change.lastSeq)
      database.exec('COMMIT')
    } catch (error) {
      // After some errors (disk full) SQLite has rolled back by itself and a second ROLLBACK would hide the cause.
      if (database.inTransaction) database.exec('ROLLBACK')
      throw error
    }
    this.#depth = depth
    this.#bytes = bytes
  }

  close(): void {
    try {
      // The library's close waits for the garbage collector to drop the statements; every lock must go now. Leaving
      // WAL does that, and leaves one plain file behind.
      this.#all('PRAGMA journal_mode = DELETE')
      this.#all('PRAGMA locking_mode = NORMAL')
      this.#all('SELECT count(*) FROM sqlite_schema')
    } catch {
      // A damaged file that could not be locked needs no unlocking.
    }
    this.#database.close()
  }

  #get<Result>(query: string): Result {
    return this.#all<Result>(query)[0] as Result
  }

  /** Runs to the end: the library's get() and exec() may leave a read transaction open behind them. */
  #all<Result>(query: string, ...values: unknown[]): Result[] {
    return this.#database.prepare(query).all(...values) as Result[]
  }
}
