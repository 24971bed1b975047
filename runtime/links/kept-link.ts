/**
 * A connection to the line (serial port, Modbus slave) that is opened again whenever it ends. Every opening is a new
 * session: whoever signals over one holds on to it, so that nothing from before an unplug is sent after the replug.
 */
import { bounded } from '../../drivers/bounded.ts'
import { delay, type Clock } from '../../drivers/clock.ts'
import { messageOf } from '../../drivers/message-of.ts'

export interface Closable {
  close(): Promise<void>
}

export interface LinkSession<Connection> {
  readonly connection: Connection
  /** Monotonic: since when it is up. */
  readonly sinceMs: number
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal
}

export interface LinkHealth {
  readonly link: string
  readonly state: 'connecting' | 'up' | 'down'
  /** Monotonic, of the state. */
  readonly sinceMs: number
  /** Why it is down. */
  readonly detail?: string
  /** Times it came up. */
  readonly connections: number
}

export interface KeptLinkOptions<Connection extends Closable> {
  readonly name: string
  readonly clock: Clock
  /** @param onClosed the connection ended by itself; may be called before this resolves */
  open(signal: AbortSignal, onClosed: (reason: string) => void): Promise<Connection>
  /** Each edge, once. Never after `close`. */
  onHealth?(health: LinkHealth): void
}

/** Called for each session, and at once if there is one. Must not throw. */
export type LinkUser<Connection> = (session: LinkSession<Connection>) => void

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 2000
/** Up for less than this, the link flaps: the pauses go on growing. */
const STEADY_MS = 5000
const OPEN_LIMIT_MS = 3000

export class KeptLink<Connection extends Closable> {
  readonly name: string
  readonly #options: KeptLinkOptions<Connection>
  readonly #users = new Set<LinkUser<Connection>>()
  readonly #life = new AbortController()
  #session: LinkSession<Connection> | undefined
  #health: LinkHealth
  #running: Promise<void> | undefined

  constructor(options: KeptLinkOptions<Connection>) {
    this.#options = options
    this.name = options.name
    this.#health = {
      link: options.name,
      state: 'connecting',
      sinceMs: options.clock.now(),
      connections: 0,
    }
  }

  get session(): LinkSession<Connection> | undefined {
    return this.#session
  }

  health(): LinkHealth {
    return this.#health
  }

  /** Begins to connect; does not wait for it. */
  open(): void {
    this.#running ??= this.#run()
  }

  /** @returns undoes it */
  use(user: LinkUser<Connection>): () => void {
    this.#users.add(user)
    if (this.#session !== undefined) user(this.#session)
    return () => void this.#users.delete(user)
  }

  /** Twice is fine; never rejects. */
  async close(): Promise<void> {
    this.#life.abort(new Error(`link ${this.name} was closed`))
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const life = this.#life.signal
    let pauseMs = FIRST_PAUSE_MS
    while (!life.aborted) {
      const startedMs = clock.now()
      const reason = await this.#live()
      if (life.aborted) return
      this.#tell('down', reason)
      if (clock.now() - startedMs >= STEADY_MS && this.#health.connections > 0) pauseMs = FIRST_PAUSE_MS
      await delay(pauseMs, life, clock).catch(() => undefined)
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    }
  }

  /** One connection, from its opening to its end. Resolves with the reason of the end; never rejects. */
  async #live(): Promise<string> {
    const { open, clock, name } = this.#options
    const ended = new AbortController()
    let reason = 'closed'
    const end = (why: string): void => {
      if (ended.signal.aborted) return
      reason = why
      this.#session = undefined
      ended.abort(new Error(`link ${name} is down: ${why}`))
    }
    const stop = (): void => end('closed')
    this.#life.signal.addEventListener('abort', stop)
    const { result, ended: opened } = bounded(
      async (signal) => {
        const connection = await open(signal, end)
        // Too late: nobody waits for it.
        if (signal.aborted) await connection.close()
        return connection
      },
      {
        deadlineMs: OPEN_LIMIT_MS,
        signals: [this.#life.signal],
        clock,
        expired: () => new Error(`no connection within ${OPEN_LIMIT_MS} ms`),
      },
    )
    let connection: Connection | undefined
    try {
      connection = await result
      if (!ended.signal.aborted) this.#begin({ connection, sinceMs: clock.now(), signal: ended.signal })
      if (!ended.signal.aborted) {
        await new Promise((resolve) => ended.signal.addEventListener('abort', resolve, { once: true }))
      }
    } catch (error) {
      end(messageOf(error))
    } finally {
      this.#life.signal.removeEventListener('abort', stop)
      // A port that is being opened is locked: the next try waits for this one.
      await opened
      await connection?.close()
    }
    return reason
  }

  #begin(session: LinkSession<Connection>): void {
    this.#session = session
    this.#tell('up')
    for (const user of this.#users) user(session)
  }

  #tell(state: 'up' | 'down', detail?: string): void {
    const { state: former, connections } = this.#health
    this.#health = {
      link: this.name,
      state,
      sinceMs: state === former ? this.#health.sinceMs : this.#options.clock.now(),
      connections: connections + (state === 'up' ? 1 : 0),
      ...(detail !== undefined && { detail }),
    }
    if (state !== former) this.#options.onHealth?.(this.#health)
  }
}
