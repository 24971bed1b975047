/** The archive's tables: one SQLite file beside the parts' folders. What it says of a part can be read off the part again. */
import * as z from 'zod'
import { DECIDABLE_CONDITIONS, type Condition } from '../drivers/sample.ts'
import { openDatabase, type Database, type Value } from './database.ts'

/** What is known of a part without opening its files. */
export interface PartFacts {
  readonly triggerId: string
  readonly seq: number
  readonly product: string
  /** Of the verdict. Wall clock, ISO 8601, UTC. */
  readonly time: string
  /** The line's name for the part, if it told us. */
  readonly partId?: string
  readonly outcome: 'pass' | 'fail' | 'unknown'
  readonly condition: Condition
  readonly normality?: number
  readonly distance?: number
  readonly repositoryId?: string
  readonly flags: readonly string[]
  readonly degraded: boolean
}

/** What of it lies on the disk. */
export interface PartFiles {
  readonly hasFeatures: boolean
  readonly hasFrames: boolean
  readonly bytes: number
}

export interface IndexedPart {
  readonly facts: PartFacts
  /** Absent when nothing of the part is kept but its score. */
  readonly files?: PartFiles
}

/** `accepted`: a person called this false reject good. `lot`: the line called the lot good that it belongs to. */
export type Confirmation = 'accepted' | 'lot'

export interface ArchiveRecord extends PartFacts, PartFiles {
  readonly confirmed: 'none' | Confirmation
  readonly confirmedBy?: string
  readonly confirmedWhy?: string
  readonly confirmedAt?: string
  /** Id of the candidate repository that it went into, or why it goes into none: `withdrawn`, `refused:<reason>`. */
  readonly used?: string
}

/** Everything that is given must hold. */
export interface ArchiveQuery {
  readonly product?: string
  readonly outcome?: PartFacts['outcome']
  readonly condition?: Condition
  readonly confirmed?: ArchiveRecord['confirmed']
  /** Whether a repository has learned from it. */
  readonly used?: 'yes' | 'no'
  /** ISO 8601, both ends included. */
  readonly from?: string
  readonly to?: string
  /**
   * Each of its words must occur in the part's id, the trigger's id or a flag. `%` and `_` mean themselves; only the letters a to z
   * are the same as A to Z.
   */
  readonly text?: string
  readonly limit: number
}

export interface ScoreQuery {
  readonly product: string
  readonly condition: Condition
  /** Scores of two repositories are not comparable. */
  readonly repositoryId?: string
  /** ISO 8601, included. */
  readonly since?: string
  readonly limit: number
}

export interface GoodScore {
  readonly triggerId: string
  readonly time: string
  readonly normality: number
  readonly distance: number
  readonly repositoryId: string
}

export interface Totals {
  readonly parts: number
  /** Parts with frames. */
  readonly rejects: number
  readonly bytes: number
  readonly rejectBytes: number
  readonly confirmedUnused: number
}

/** "rdar" */
const APPLICATION_ID = 0x72646172

/** Per product and condition. They outlive the parts' files by far: a hundred bytes each. */
const MOST_SCORES = 10_000

const TABLES = `
  CREATE TABLE parts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, trigger_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL, product TEXT NOT NULL,
    time_ms INTEGER NOT NULL, part_id TEXT, outcome TEXT NOT NULL, condition TEXT NOT NULL, normality REAL, distance REAL,
    repository_id TEXT, flags TEXT NOT NULL, degraded INTEGER NOT NULL, confirmed TEXT NOT NULL DEFAULT 'none',
    confirmed_by TEXT, confirmed_why TEXT, confirmed_ms INTEGER, used TEXT, has_features INTEGER NOT NULL,
    has_frames INTEGER NOT NULL, bytes INTEGER NOT NULL
  );
  CREATE INDEX parts_by_product ON parts (product, has_frames, number);
  CREATE INDEX parts_by_frames ON parts (has_frames, bytes);
  CREATE TABLE scores (
    number INTEGER PRIMARY KEY AUTOINCREMENT, trigger_id TEXT NOT NULL UNIQUE, product TEXT NOT NULL, condition TEXT NOT NULL,
    time_ms INTEGER NOT NULL, repository_id TEXT NOT NULL, normality REAL NOT NULL, distance REAL NOT NULL,
    is_good INTEGER NOT NULL
  );
  CREATE INDEX scores_by_condition ON scores (product, condition, number)`

const COLUMNS = `trigger_id, seq, product, time_ms, part_id, outcome, condition, normality, distance, repository_id, flags,
  degraded, confirmed, confirmed_by, confirmed_why, confirmed_ms, used, has_features, has_frames, bytes`

const rowSchema = z.object({
  trigger_id: z.string(),
  seq: z.int(),
  product: z.string(),
  time_ms: z.number(),
  part_id: z.string().nullable(),
  outcome: z.enum(['pass', 'fail', 'unknown']),
  condition: z.enum([...DECIDABLE_CONDITIONS, 'none']),
  normality: z.number().nullable(),
  distance: z.number().nullable(),
  repository_id: z.string().nullable(),
  flags: z.string(),
  degraded: z.number(),
  confirmed: z.enum(['none', 'accepted', 'lot']),
  confirmed_by: z.string().nullable(),
  confirmed_why: z.string().nullable(),
  confirmed_ms: z.number().nullable(),
  used: z.string().nullable(),
  has_features: z.number(),
  has_frames: z.number(),
  bytes: z.number(),
})

/** Withdrawn and refused ones may be confirmed again: admission may refuse one of a lot and ask for it by name. */
const IS_OPEN = `(used IS NULL OR used = 'withdrawn' OR used LIKE 'refused:%')`
/** Confirmed ones that no repository has learned from yet go last; among equals the oldest goes first. */
const GOES_LAST = `(confirmed <> 'none' AND used IS NULL)`
const ORDER_OF_VICTIMS = `ORDER BY ${GOES_LAST}, number`

/** @throws the library's error when the file is damaged, locked, not ours or not writable. */
export function openPartIndex(file: string, { busyMs }: { busyMs: number }): PartIndex {
  const database = openDatabase(file, {
    applicationId: APPLICATION_ID,
    tables: TABLES,
    journal: 'wal',
    exclusive: false,
    busyMs,
  })
  return new PartIndex(database)
}

export class PartIndex {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** All or none. A part of the same trigger is replaced. */
  insert(parts: readonly IndexedPart[]): void {
    this.#database.transaction(() => {
      for (const part of parts) this.#insert(part)
    })
  }

  remove(triggerIds: readonly string[]): void {
    this.#database.transaction(() => {
      for (const triggerId of triggerIds) {
        this.#database.all('DELETE FROM parts WHERE trigger_id = ?', triggerId)
      }
    })
  }

  find(triggerId: string): ArchiveRecord | undefined {
    return this.#records('WHERE trigger_id = ?', triggerId)[0]
  }

  /** Newest first. */
  search(query: ArchiveQuery): ArchiveRecord[] {
    const conditions: string[] = ['1']
    const values: Value[] = []
    const must = (condition: string, ...of: readonly Value[]): void => {
      conditions.push(condition)
      values.push(...of)
    }
    if (query.product !== undefined) must('product = ?', query.product)
    if (query.outcome !== undefined) must('outcome = ?', query.outcome)
    if (query.condition !== undefined) must('condition = ?', query.condition)
    if (query.confirmed !== undefined) must('confirmed = ?', query.confirmed)
    if (query.used !== undefined) must(query.used === 'yes' ? 'used IS NOT NULL' : 'used IS NULL')
    if (query.from !== undefined) must('time_ms >= ?', Date.parse(query.from))
    if (query.to !== undefined) must('time_ms <= ?', Date.parse(query.to))
    for (const word of query.text?.split(/\s+/).filter((word) => word !== '') ?? []) {
      const pattern = `%${word.replace(/[\\%_]/g, '\\$&')}%`
      const columns = ['trigger_id', 'part_id', 'flags']
      must(
        `(${columns.map((column) => `${column} LIKE ? ESCAPE '\\'`).join(' OR ')})`,
        pattern,
        pattern,
        pattern,
      )
    }
    return this.#records(
      `WHERE ${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`,
      ...values,
      query.limit,
    )
  }

  /** The last word counts. @returns those that are there and that no repository has learned from yet. */
  confirm(
    triggerIds: readonly string[],
    {
      as,
      who,
      why,
      timeMs,
      product,
    }: { as: Confirmation; who: string; why: string; timeMs: number; product?: string | undefined },
  ): string[] {
    return this.#database.transaction(() =>
      triggerIds.filter((triggerId) => {
        const update = `UPDATE parts SET confirmed = ?, confirmed_by = ?, confirmed_why = ?, confirmed_ms = ?, used = NULL
          WHERE trigger_id = ? AND ${IS_OPEN} AND (? IS NULL OR product = ?) RETURNING number`
        const of = product ?? null
        if (this.#database.all(update, as, who, why, timeMs, triggerId, of, of).length === 0) return false
        this.#database.all('UPDATE scores SET is_good = 1 WHERE trigger_id = ?', triggerId)
        return true
      }),
    )
  }

  markUsed(triggerIds: readonly string[], candidateId: string): void {
    this.#database.transaction(() => {
      for (const triggerId of triggerIds) {
        this.#database.all('UPDATE parts SET used = ? WHERE trigger_id = ?', candidateId, triggerId)
      }
    })
  }

  learnedBy(product: string): string[] {
    const rows = this.#database.all<{ used: string }>(
      `SELECT DISTINCT used FROM parts WHERE product = ? AND NOT ${IS_OPEN}`,
      product,
    )
    return rows.map(({ used }) => used)
  }

  reopen(product: string, repositoryId: string): void {
    this.#database.all('UPDATE parts SET used = NULL WHERE product = ? AND used = ?', product, repositoryId)
  }

  /** Newest first: of parts that passed or were confirmed. */
  scores({ product, condition, repositoryId, since, limit }: ScoreQuery): GoodScore[] {
    const conditions = ['product = ?', 'condition = ?', 'is_good = 1']
    const values: Value[] = [product, condition]
    if (repositoryId !== undefined) {
      conditions.push('repository_id = ?')
      values.push(repositoryId)
    }
    if (since !== undefined) {
      conditions.push('time_ms >= ?')
      values.push(Date.parse(since))
    }
    const rows = this.#database.all<Omit<GoodScore, 'time'> & { timeMs: number }>(
      `SELECT trigger_id AS triggerId, time_ms AS timeMs, normality, distance, repository_id AS repositoryId FROM scores
        WHERE ${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`,
      ...values,
      limit,
    )
    return rows.map(({ timeMs, ...score }) => ({ ...score, time: isoOf(timeMs) }))
  }

  totals(): Totals {
    const totals = this.#database.get<Totals>(
      `SELECT count(*) AS parts, ifnull(sum(has_frames), 0) AS rejects, ifnull(sum(bytes), 0) AS bytes,
        ifnull(sum(bytes * has_frames), 0) AS rejectBytes, ifnull(sum(${GOES_LAST}), 0) AS confirmedUnused FROM parts`,
    )
    return totals ?? { parts: 0, rejects: 0, bytes: 0, rejectBytes: 0, confirmedUnused: 0 }
  }

  /** The folders that should be there. */
  triggerIdsOf(product: string): string[] {
    const rows = this.#database.all<{ triggerId: string }>(
      'SELECT trigger_id AS triggerId FROM parts WHERE product = ?',
      product,
    )
    return rows.map(({ triggerId }) => triggerId)
  }

  products(): string[] {
    const rows = this.#database.all<{ product: string }>('SELECT DISTINCT product FROM parts')
    return rows.map(({ product }) => product)
  }

  /** Parts without frames beyond the newest `keep` of their product. */
  beyondRecent(keep: number): ArchiveRecord[] {
    const crowded = this.#database.all<{ product: string; beyond: number }>(
      `SELECT product, count(*) - ? AS beyond FROM parts WHERE has_frames = 0 GROUP BY product HAVING beyond > 0`,
      keep,
    )
    return crowded.flatMap(({ product, beyond }) =>
      this.#records(`WHERE product = ? AND has_frames = 0 ${ORDER_OF_VICTIMS} LIMIT ?`, product, beyond),
    )
  }

  /** Parts with frames that must go until the others have `most` bytes. */
  beyondBytes(most: number): ArchiveRecord[] {
    const sum = 'SELECT ifnull(sum(bytes), 0) AS bytes FROM parts WHERE has_frames = 1'
    const held = this.#database.get<{ bytes: number }>(sum)?.bytes ?? 0
    return this.#firstOf('WHERE has_frames = 1', held - most)
  }

  /** Parts with frames from before that time, but for those that a repository is still to learn from. */
  olderThan(timeMs: number): ArchiveRecord[] {
    return this.#records(`WHERE has_frames = 1 AND time_ms < ? AND NOT ${GOES_LAST} ORDER BY number`, timeMs)
  }

  /** Parts that would free so many bytes; none that a repository is still to learn from. */
  expendable(bytes: number): ArchiveRecord[] {
    return this.#firstOf(`WHERE NOT ${GOES_LAST}`, bytes)
  }

  /** Scores beyond the newest. */
  forgetScores(): void {
    const groups = this.#database.all<{ product: string; condition: string }>(
      'SELECT product, condition FROM scores GROUP BY product, condition HAVING count(*) > ?',
      MOST_SCORES,
    )
    if (groups.length === 0) return
    this.#database.transaction(() => {
      for (const { product, condition } of groups) {
        this.#database.all(
          `DELETE FROM scores WHERE product = ?1 AND condition = ?2 AND number <= (SELECT number FROM scores
            WHERE product = ?1 AND condition = ?2 ORDER BY number DESC LIMIT 1 OFFSET ?3)`,
          product,
          condition,
          MOST_SCORES,
        )
      }
    })
  }

  /** Empties the log, up to 4 MiB of what the tables say by now, unless another process reads. On a full disk that is room. */
  shrink(): void {
    this.#database.all('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  close(): void {
    this.#database.close()
  }

  #insert({ facts, files }: IndexedPart): void {
    const { triggerId, product, condition, normality, distance, repositoryId, outcome } = facts
    const timeMs = Date.parse(facts.time)
    const database = this.#database
    database.all('DELETE FROM parts WHERE trigger_id = ?', triggerId)
    if (files !== undefined) {
      database.all(
        `INSERT INTO parts (trigger_id, seq, product, time_ms, part_id, outcome, condition, normality, distance, repository_id,
          flags, degraded, has_features, has_frames, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[triggerId, facts.seq, product, timeMs, facts.partId ?? null, outcome, condition],
        ...[normality ?? null, distance ?? null, repositoryId ?? null, facts.flags.join('\n')],
        ...[Number(facts.degraded), Number(files.hasFeatures), Number(files.hasFrames), files.bytes],
      )
    }
    if (normality === undefined || distance === undefined || repositoryId === undefined) return
    database.all(
      `INSERT OR REPLACE INTO scores (trigger_id, product, condition, time_ms, repository_id, normality, distance, is_good)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[
        triggerId,
        product,
        condition,
        timeMs,
        repositoryId,
        normality,
        distance,
        Number(outcome === 'pass'),
      ],
    )
  }

  /** As few as have this many bytes together. */
  #firstOf(where: string, bytes: number): ArchiveRecord[] {
    const victims: ArchiveRecord[] = []
    let left = bytes
    while (left > 0) {
      const page = this.#records(`${where} ${ORDER_OF_VICTIMS} LIMIT 64 OFFSET ?`, victims.length)
      for (const record of page) {
        if (left <= 0) break
        victims.push(record)
        left -= record.bytes
      }
      if (page.length < 64) break
    }
    return victims
  }

  #records(where: string, ...values: readonly Value[]): ArchiveRecord[] {
    return this.#database
      .all<unknown>(`SELECT ${COLUMNS} FROM parts ${where}`, ...values)
      .map((row) => recordOf(rowSchema.parse(row)))
  }
}

function recordOf(row: z.infer<typeof rowSchema>): ArchiveRecord {
  return {
    triggerId: row.trigger_id,
    seq: row.seq,
    product: row.product,
    time: isoOf(row.time_ms),
    ...(row.part_id !== null && { partId: row.part_id }),
    outcome: row.outcome,
    condition: row.condition,
    ...(row.normality !== null && { normality: row.normality }),
    ...(row.distance !== null && { distance: row.distance }),
    ...(row.repository_id !== null && { repositoryId: row.repository_id }),
    flags: row.flags === '' ? [] : row.flags.split('\n'),
    degraded: row.degraded !== 0,
    confirmed: row.confirmed,
    ...(row.confirmed_by !== null && { confirmedBy: row.confirmed_by }),
    ...(row.confirmed_why !== null && { confirmedWhy: row.confirmed_why }),
    ...(row.confirmed_ms !== null && { confirmedAt: isoOf(row.confirmed_ms) }),
    ...(row.used !== null && { used: row.used }),
    hasFeatures: row.has_features !== 0,
    hasFrames: row.has_frames !== 0,
    bytes: row.bytes,
  }
}

function isoOf(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
