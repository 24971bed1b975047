import type { VerdictPayload } from '../messages.ts'

/** Tells the line of verdicts. Nothing waits for it. */
export interface Output {
  /** @param triggerMs monotonic: when its part was at the trigger */
  tell(verdict: VerdictPayload, triggerMs: number): void
  counts(): OutputCounts
  /** Ends what is active; drops what waits. Twice is fine; never rejects. */
  close(): Promise<void>
}

export interface OutputCounts {
  /** Handed to the system, or acknowledged by the PLC. */
  readonly told: number
  readonly dropped: Readonly<Record<DropReason, number>>
}

/**
 * Too late for its part; its part, or itself, from before the link was last up; link down, or lost meanwhile; too many
 * wait; refused by the device (no such line, no such register).
 */
export type DropReason = 'late' | 'stale' | 'down' | 'full' | 'refused'

export interface Dropped {
  readonly link: string
  readonly reason: DropReason
  readonly triggerId: string
  readonly detail: string
}

export type OnDropped = (dropped: Dropped) => void

export class OutputCounter {
  readonly #dropped: Record<DropReason, number> = { late: 0, stale: 0, down: 0, full: 0, refused: 0 }
  readonly #link: string
  readonly #onDropped: OnDropped
  #told = 0

  constructor(link: string, onDropped: OnDropped) {
    this.#link = link
    this.#onDropped = onDropped
  }

  told(): void {
    this.#told++
  }

  drop(triggerId: string, reason: DropReason, detail: string): void {
    this.#dropped[reason]++
    this.#onDropped({ link: this.#link, reason, triggerId, detail })
  }

  counts(): OutputCounts {
    return { told: this.#told, dropped: { ...this.#dropped } }
  }
}
