/**
 * Verdicts on disk until the broker has acknowledged them, and the one place that gives them numbers.
 *
 * A number and its verdict are committed in one SQLite transaction with an fsync, so numbers are gap-free across
 * restarts, kill -9 and power loss. The call is synchronous on purpose: a verdict without a number on disk must not be
 * published, and it costs one fsync (1.5 ms on a server's disk).
 *
 * Bounded in verdicts and bytes. The victim is the oldest verdict; the range given up is kept as a gap, which is
 * announced before the verdicts after it. Heatmaps are never stored.
 *
 * When the disk fails the outbox turns volatile: the same numbering in memory under a smaller bound, while what is on
 * the disk can still be sent. It tries to get back to the disk every few seconds. Numbers given meanwhile are given
 * again if the daemon restarts before that, so such verdicts say `durable: false`.
 */
import type { Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import { OutboxStore, type Gap, type StoredVerdict } from './outbox-store.ts'
import { RuntimeError } from './runtime-error.ts'

export interface OutboxOptions {
  readonly maxVerdicts: number
  /** Of payload. */
  readonly maxBytes: number
  readonly clock: Clock
  /** Told once per change. */
  onDurability(change: DurabilityChange): void
}

export interface DurabilityChange {
  readonly durability: 'durable' | 'volatile'
  readonly error?: RuntimeError
}

export interface GivenNumber {
  readonly seq: number
  readonly durable: boolean
}

export interface OutboxStats {
  readonly durability: 'durable' | 'volatile'
  readonly lastSeq: number
  /** Verdicts that the broker has not acknowledged. */
  readonly depth: number
  /** Given up since the outbox was opened. */
  readonly evicted: number
}

/** Acknowledged verdicts are deleted together with the next commit; so many at most are sent again after a crash. */
const MAX_PENDING_DELETES = 64
const RETRY_DISK_MS = 5000
/** About 8000 verdicts: no threat to the memory of a Jetson. */
const MAX_VOLATILE_BYTES = 16 * 2 ** 20

/** @throws RuntimeError OUTBOX_LOCKED. An unreadable file does not throw: the outbox starts volatile and says so. */
export function openOutbox(file: string, options: OutboxOptions): Outbox {
  return new Outbox(file, options)
}

export class Outbox {
  readonly #file: string
  readonly #options: OutboxOptions
  #disk: OutboxStore | undefined
  /** There while the disk cannot be written; holds only what the disk has not. */
  #memory: OutboxStore | undefined
  #lastSeq = 0
  /** The last number that went to the disk. */
  #diskSeq = 0
  #gaps: readonly Gap[] = []
  /** Acknowledged or given up, and still on the disk. */
  #deletes = new Set<number>()
  #evicted = 0
  #retryAtMs = 0

  constructor(file: string, options: OutboxOptions) {
    this.#file = file
    this.#options = options
    try {
      this.#disk = new OutboxStore(file)
      this.#lastSeq = this.#diskSeq = this.#disk.lastSeq()
      this.#gaps = this.#disk.gaps()
    } catch (error) {
      const reason = openError(file, error)
      if (reason.code === 'OUTBOX_LOCKED') throw reason
      this.#turnVolatile(reason)
    }
  }

  /**
   * Numbers one verdict and stores it as JSON: on the disk on return if `durable` is true. `build` may be called twice.
   */
  commit<Payload extends object>(topic: string, build: (given: GivenNumber) => Payload): Payload {
    if (this.#memory !== undefined && this.#options.clock.now() >= this.#retryAtMs) this.#returnToDisk()
    const seq = this.#lastSeq + 1
    if (this.#memory === undefined) {
      const payload = build({ seq, durable: true })
      try {
        this.#write([{ seq, topic, payload: JSON.stringify(payload) }])
        return payload
      } catch (error) {
        this.#turnVolatile(writeError(this.#file, error))
      }
    }
    const payload = build({ seq, durable: false })
    this.#write([{ seq, topic, payload: JSON.stringify(payload) }])
    return payload
  }

  /** Unacknowledged verdicts after `seq`, oldest first. */
  after(seq: number, limit: number): StoredVerdict[] {
    const found: StoredVerdict[] = []
    for (const store of [this.#disk, this.#memory]) {
      let last = seq
      while (store !== undefined && found.length < limit) {
        const page = this.#page(store, last, limit)
        found.push(...page.filter((verdict) => !this.#deletes.has(verdict.seq)))
        last = page.at(-1)?.seq ?? last
        if (page.length < limit) break
      }
    }
    return found.slice(0, limit)
  }

  gaps(): readonly Gap[] {
    return this.#gaps
  }

  /** The broker has this verdict. */
  acknowledge(seq: number): void {
    this.#deletes.add(seq)
    const isWaitingForDisk = this.#memory !== undefined && seq <= this.#diskSeq
    if (this.#deletes.size >= MAX_PENDING_DELETES && !isWaitingForDisk) this.flush()
  }

  /** The broker has this gap's event. A gap that has grown meanwhile stays, and is announced again. */
  acknowledgeGap(gap: Gap): void {
    this.#gaps = this.#gaps.filter((kept) => kept.firstSeq !== gap.firstSeq || kept.lastSeq !== gap.lastSeq)
    this.flush()
  }

  /** Writes what was acknowledged. If that fails it is kept for the next time: duplicates, never a loss. */
  flush(): void {
    try {
      this.#write([])
    } catch (error) {
      this.#turnVolatile(writeError(this.#file, error))
    }
  }

  stats(): OutboxStats {
    const stored = (this.#disk?.depth ?? 0) + (this.#memory?.depth ?? 0)
    return {
      durability: this.#memory === undefined ? 'durable' : 'volatile',
      lastSeq: this.#lastSeq,
      depth: stored - this.#deletes.size,
      evicted: this.#evicted,
    }
  }

  close(): void {
    if (this.#memory !== undefined) this.#returnToDisk()
    this.flush()
    this.#disk?.close()
    this.#memory?.close()
    this.#disk = undefined
    this.#memory = undefined
  }

  #page(store: OutboxStore, seq: number, limit: number): StoredVerdict[] {
    try {
      return store.after(seq, limit)
    } catch (error) {
      this.#turnVolatile(writeError(this.#file, error))
      return []
    }
  }

  /** One transaction in whichever store takes verdicts now: new ones in; acknowledged ones and victims out. */
  #write(verdicts: readonly StoredVerdict[]): void {
    const store = this.#memory ?? this.#disk
    if (store === undefined) return
    const victims = this.#victimsFor(store, verdicts)
    const deletes = new Set([...this.#deletes, ...victims])
    const gaps = withVictims(this.#gaps, victims)
    const lastSeq = verdicts.at(-1)?.seq ?? this.#lastSeq
    store.write({ verdicts, deletes: [...deletes], gaps, lastSeq })
    this.#gaps = gaps
    this.#lastSeq = lastSeq
    this.#evicted += victims.length
    if (store === this.#disk) {
      this.#deletes.clear()
      this.#diskSeq = lastSeq
    } else {
      for (const seq of deletes) if (seq > this.#diskSeq) this.#deletes.delete(seq)
    }
  }

  /** The oldest verdicts, which must go so that the new ones fit. */
  #victimsFor(store: OutboxStore, verdicts: readonly StoredVerdict[]): number[] {
    const volatileBytes = store === this.#memory ? MAX_VOLATILE_BYTES : Infinity
    const maxBytes = Math.min(this.#options.maxBytes, volatileBytes)
    const added = verdicts.reduce((sum, verdict) => sum + Buffer.byteLength(verdict.payload), 0)
    let excess = store.depth + verdicts.length - this.#options.maxVerdicts
    let excessBytes = store.bytes + added - maxBytes
    const victims: number[] = []
    let last = 0
    while (excess > 0 || excessBytes > 0) {
      const page = store.sizesAfter(last, MAX_PENDING_DELETES)
      for (const { seq, bytes } of page) {
        if (excess <= 0 && excessBytes <= 0) break
        excess -= 1
        excessBytes -= bytes
        if (!this.#deletes.has(seq)) victims.push(seq)
      }
      const end = page.at(-1)?.seq
      if (end === undefined) break
      last = end
    }
    return victims
  }

  #turnVolatile(error: RuntimeError): void {
    this.#retryAtMs = this.#options.clock.now() + RETRY_DISK_MS
    if (this.#memory !== undefined) return
    this.#memory = new OutboxStore(':memory:')
    this.#options.onDurability({ durability: 'volatile', error })
  }

  /** Moves what is in memory onto the disk. A file that was unreadable at the start waits for a person and a restart. */
  #returnToDisk(): void {
    const memory = this.#memory
    this.#retryAtMs = this.#options.clock.now() + RETRY_DISK_MS
    if (this.#disk === undefined || memory === undefined) return
    const verdicts = memory.after(0, this.#options.maxVerdicts).filter(({ seq }) => !this.#deletes.has(seq))
    this.#memory = undefined
    try {
      this.#write(verdicts)
    } catch {
      this.#memory = memory
      return
    }
    memory.close()
    this.#options.onDurability({ durability: 'durable' })
  }
}

/** Appends the victims as ranges of consecutive numbers. */
function withVictims(gaps: readonly Gap[], victims: readonly number[]): readonly Gap[] {
  const ranges = [...gaps]
  for (const seq of victims) {
    const index = ranges.findIndex((gap) => gap.lastSeq === seq - 1)
    const previous = ranges[index]
    if (previous === undefined) ranges.push({ firstSeq: seq, lastSeq: seq })
    else ranges[index] = { ...previous, lastSeq: seq }
  }
  return ranges
}

function openError(file: string, error: unknown): RuntimeError {
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')) {
    const message = `${file} is held by another process; expected one daemon per state directory`
    return new RuntimeError('OUTBOX_LOCKED', message, { cause: error })
  }
  const message = `${file} cannot be used as the outbox: ${messageOf(error)}. Verdicts are kept in memory until it is repaired or moved away and the daemon is restarted`
  return new RuntimeError('OUTBOX_UNREADABLE', message, { cause: error })
}

function writeError(file: string, error: unknown): RuntimeError {
  const message = `${file} cannot be used any more: ${messageOf(error)}. Verdicts are kept in memory until it can`
  return new RuntimeError('OUTBOX_UNWRITABLE', message, { cause: error })
}
