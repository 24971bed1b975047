import type { TriggerSource } from '../../drivers/driver.ts'
import type { VerdictPayload } from '../messages.ts'

export interface InspectionRequest {
  readonly source: TriggerSource
  readonly partId?: string
}

/** Every request has a verdict, also the one that came when the queue was full. */
export interface Asked {
  readonly triggerId: string
  /** Resolves when the verdict is in the outbox. Never rejects. */
  readonly verdict: Promise<VerdictPayload>
}

export type Ask = (request: InspectionRequest) => Asked

/** Asks for inspections until its source ends or the signal aborts. A rejection stops the station. */
export type TriggerFeed = (ask: Ask, signal: AbortSignal) => Promise<void>

/** A request from outside that is none: told to whoever can mend it. */
export type OnRefused = (refused: { readonly source: TriggerSource; readonly detail: string }) => void
