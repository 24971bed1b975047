/**
 * A connection that carries bytes both ways: a TCP socket, a serial port. One object per connection, never reopened: what
 * was meant for a connection that is gone must not be sent on the next one.
 */
export interface ByteLink {
  readonly isOpen: boolean
  /**
   * Resolves when the system has the bytes. Rejects when the link is not open, when it closes meanwhile, or when
   * `MAX_UNSENT_BYTES` wait already: the newest is the victim, so nothing waits for a device that does not read.
   */
  write(bytes: Uint8Array): Promise<void>
  /** Discards what is unsent. Twice is fine; never rejects. */
  close(): Promise<void>
}

export interface ByteLinkEvents {
  /** The bytes may be kept. */
  onBytes(bytes: Buffer): void
  /** Once, when the other side or the system ended it; not after `close`. The reason is for a person. */
  onClosed(reason: string): void
}

export const MAX_UNSENT_BYTES = 65_536
