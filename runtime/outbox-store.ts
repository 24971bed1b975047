/** The outbox's tables: one SQLite file, or `:memory:` while the disk is unusable. */
import { openDatabase, type Database } from './database.ts'

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

/** "rdox" */
const APPLICATION_ID = 0x72646f78

const TABLES = `
  CREATE TABLE verdicts (seq INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL);
  CREATE TABLE gaps (first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL);
  CREATE TABLE numbering (id INTEGER PRIMARY KEY CHECK (id = 1), last_seq INTEGER NOT NULL);
  INSERT INTO numbering VALUES (1, 0)`

/** Throws the library's error when the file is damaged, locked, not ours or not writable. */
export class OutboxStore {
  readonly #database: Database
  #depth = 0
  #bytes = 0

  constructor(file: string) {
    this.#database = openDatabase(file, {
      applicationId: APPLICATION_ID,
      tables: TABLES,
      journal: 'wal',
      // A second daemon on the same file would give the same numbers. The lock dies with the process.
      exclusive: true,
      busyMs: 0,
    })
    try {
      const totals = 'SELECT count(*) AS depth, ifnull(sum(bytes), 0) AS bytes FROM verdicts'
      const [{ depth, bytes } = { depth: 0, bytes: 0 }] = this.#database.all<{
        depth: number
        bytes: number
      }>(totals)
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
    return this.#database.get<{ last_seq: number }>('SELECT last_seq FROM numbering')?.last_seq ?? 0
  }

  gaps(): Gap[] {
    return this.#database.all(
      'SELECT first_seq AS firstSeq, last_seq AS lastSeq FROM gaps ORDER BY first_seq',
    )
  }

  after(seq: number, limit: number): StoredVerdict[] {
    const query = 'SELECT seq, topic, payload FROM verdicts WHERE seq > ? ORDER BY seq LIMIT ?'
    return this.#database.all(query, seq, limit)
  }

  sizesAfter(seq: number, limit: number): { seq: number; bytes: number }[] {
    return this.#database.all(
      'SELECT seq, bytes FROM verdicts WHERE seq > ? ORDER BY seq LIMIT ?',
      seq,
      limit,
    )
  }

  /** All or nothing; on the disk when it returns. */
  write(change: Change): void {
    const database = this.#database
    let depth = this.#depth
    let bytes = this.#bytes
    database.transaction(() => {
      for (const seq of change.deletes) {
        const remove = 'DELETE FROM verdicts WHERE seq = ? RETURNING bytes'
        for (const row of database.all<{ bytes: number }>(remove, seq)) {
          depth -= 1
          bytes -= row.bytes
        }
      }
      for (const { seq, topic, payload } of change.verdicts) {
        const size = Buffer.byteLength(payload)
        const insert = 'INSERT INTO verdicts (seq, bytes, topic, payload) VALUES (?, ?, ?, ?)'
        database.all(insert, seq, size, topic, payload)
        depth += 1
        bytes += size
      }
      database.all('DELETE FROM gaps')
      for (const gap of change.gaps) database.all('INSERT INTO gaps VALUES (?, ?)', gap.firstSeq, gap.lastSeq)
      database.all('UPDATE numbering SET last_seq = ?', change.lastSeq)
    })
    this.#depth = depth
    this.#bytes = bytes
  }

  close(): void {
    this.#database.close()
  }
}
