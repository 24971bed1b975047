/**
 * The ledger says which repository is in use; the running station follows it, whoever wrote the entry: a command over MQTT, a job, or the
 * command line in another process. The inference host loads and checks the other repository while it is asked for no part, then swaps;
 * the next part meets it. One that the host refuses is taken back in the ledger, so that the ledger never says what is not so.
 */
import type { Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import type { InspectorDescription } from '../models/host-protocol.ts'
import type { HostStats } from '../models/inference-host.ts'
import { RepositoryError } from '../models/repository.ts'
import type { StationEvent } from './event.ts'
import type { Ledger } from './ledger.ts'
import type { Log } from './log.ts'

export interface FollowerOptions {
  readonly ledger: Ledger
  readonly product: string
  readonly host: {
    stats(): Pick<HostStats, 'state' | 'description'>
    activate(repositoryFolder: string, signal: AbortSignal): Promise<InspectorDescription>
  }
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
  readonly signal: AbortSignal
  tell(event: StationEvent): void
  /** Another repository is in use. */
  onFollowed(): void
}

/** So long after an entry of another process the next part meets its repository; those of this process are followed at once. */
const LOOK_EVERY_MS = 500
/** Loading and checking hundreds of megabytes takes seconds on a slow disk; a host that is away takes longer to come back. */
const ACTIVATE_MS = 30_000
const WHO = 'station'

export class RepositoryFollower {
  readonly #options: FollowerOptions
  #following: Promise<void> | undefined
  #cancel: (() => void) | undefined
  /** Why the ledger could not be followed: told once per change. */
  #trouble: string | undefined
  /** Not asked for again until another one is wanted. */
  #refused: string | undefined
  /** The host was away when it was asked. */
  #isBehind = false

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  /** Looks from now on. */
  open(): void {
    const { clock, ledger } = this.#options
    const look = (): void => {
      this.#cancel = clock.after(LOOK_EVERY_MS, look)
      if (this.#isBehind || this.#asked(() => ledger.hasChanged()) === true) void this.follow()
    }
    look()
  }

  /** Resolves when the host uses what the ledger says, or cannot be made to. Never rejects. */
  follow(): Promise<void> {
    this.#following ??= this.#followAll().finally(() => (this.#following = undefined))
    return this.#following
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  async #followAll(): Promise<void> {
    const { signal } = this.#options
    // An entry may come while another one is being followed.
    for (let step = 0; step < 2 && !signal.aborted; step++) if (!(await this.#followOne())) return
  }

  /** @returns whether something was changed, so that it is worth looking again. */
  async #followOne(): Promise<boolean> {
    const { ledger, product, host, log, tell, signal, onFollowed } = this.#options
    const wanted = this.#asked(() => ledger.active(product))
    const { state, description } = host.stats()
    const used = description?.repositoryId
    // A host that starts opens with what was in use then; afterwards it is looked at again.
    this.#isBehind = state !== 'ready'
    if (this.#isBehind || wanted === undefined || wanted === used) return false
    if (description?.repositoryProblem !== undefined) this.#refused ??= wanted
    if (wanted === this.#refused) return false
    try {
      const folder = ledger.activeFolder(product)
      if (folder === undefined) return false
      const activated = await host.activate(
        folder,
        AbortSignal.any([signal, AbortSignal.timeout(ACTIVATE_MS)]),
      )
      this.#refused = undefined
      const detail = `repository ${wanted} is in use${used === undefined ? '' : `, before it ${used}`}`
      log.info({ repositoryId: activated.repositoryId, before: used }, 'repository')
      tell({ kind: 'repository', code: 'IN_USE', detail })
      onFollowed()
      return true
    } catch (error) {
      if (signal.aborted) return false
      const detail = messageOf(error)
      this.#isBehind = !(error instanceof RepositoryError)
      if (this.#isBehind) {
        log.warn({ detail }, 'the repository is followed later')
        return false
      }
      this.#refused = wanted
      log.error({ detail }, 'repository refused')
      tell({ kind: 'alarm', code: 'REPOSITORY_REFUSED', detail })
      if (used === undefined) return false
      this.#asked(() =>
        ledger.rollback({ product, repositoryId: used, who: WHO, why: `refused: ${detail}`.slice(0, 1000) }),
      )
      return false
    }
  }

  /** The ledger may be unreadable: the station goes on with what it has, and says so once. */
  #asked<Result>(question: () => Result): Result | undefined {
    try {
      const answer = question()
      this.#trouble = undefined
      return answer
    } catch (error) {
      const detail = messageOf(error)
      if (detail !== this.#trouble) {
        this.#trouble = detail
        this.#options.log.error({ detail }, 'ledger')
        this.#options.tell({ kind: 'alarm', code: 'LEDGER_UNREADABLE', detail })
      }
      return undefined
    }
  }
}
