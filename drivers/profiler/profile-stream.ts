import type { ByteLink, ByteLinkEvents } from '../byte-link.ts'
import type { Clock } from '../clock.ts'
import type { ProfileParser } from './profile.ts'
import type { OpenProfileSource } from './profile-source.ts'

export interface ProfileStreamOptions {
  openLink(events: ByteLinkEvents, signal: AbortSignal): Promise<ByteLink>
  /** A fresh one for each connection. */
  makeParser(): ProfileParser
  /** Sent after opening: makes the sensor run. */
  readonly openCommand?: Uint8Array
  /** For sensors that answer only: asks for one profile, `everyMs`. */
  readonly poll?: { readonly command: Uint8Array; readonly everyMs: number }
  readonly clock: Clock
}

/** Profiles out of a link's bytes. */
export function profileStream(options: ProfileStreamOptions): OpenProfileSource {
  return async (events, signal) => {
    const parser = options.makeParser()
    let cancel = (): void => undefined
    const link = await options.openLink(
      {
        onBytes(bytes) {
          events.onAnything()
          const before = parser.damage.total
          for (const profile of parser.read(bytes)) events.onProfile(profile)
          if (parser.damage.total > before) events.onDamage()
        },
        onClosed(reason) {
          cancel()
          events.onClosed(reason)
        },
      },
      signal,
    )
    const close = async (): Promise<void> => {
      cancel()
      await link.close()
    }
    const { openCommand, poll, clock } = options
    try {
      if (openCommand) await link.write(openCommand)
    } catch (error) {
      await close()
      throw error
    }
    const ask = (command: Uint8Array, everyMs: number): void => {
      cancel = clock.after(everyMs, () => ask(command, everyMs))
      void link.write(command).catch(() => undefined) // a sensor that does not answer shows in its silence
    }
    if (poll) ask(poll.command, poll.everyMs)
    return { send: (bytes) => link.write(bytes), damage: parser.damage, close }
  }
}
