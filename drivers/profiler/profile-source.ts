/** Where a profiler's profiles come from: a stream of bytes, or registers that are polled. */
import type { Damage, Profile } from './profile.ts'

export interface ProfileSource {
  /** For sensors that take commands. Rejects when the link is not open. */
  send?(bytes: Uint8Array): Promise<void>
  readonly damage: Damage
  /** Twice is fine; never rejects. */
  close(): Promise<void>
}

export interface ProfileSourceEvents {
  onProfile(profile: Profile): void
  /** Something came that is no profile; `damage` says what. */
  onDamage(): void
  /** Something came, whatever it is. */
  onAnything(): void
  /** Once; not after `close`. */
  onClosed(reason: string): void
}

/** Rejects with an Error that says why, or with the signal's reason. */
export type OpenProfileSource = (events: ProfileSourceEvents, signal: AbortSignal) => Promise<ProfileSource>
