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
import { RuntimeError } from './runtime-error.ts'

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
/** The ledger's texts are bounded. */
const MOST_WHY = 1000

export class RepositoryFollower {
  readonly #options: FollowerOptions
  #following: Promise<void> | undefined
  /** Somebody has asked since the ledger was last looked into. */
  #isAsked = false
  #cancel: (() => void) | undefined
  /** Why the ledger could not be followed: told once per change. */
  #trouble: string | undefined
  /** The ledger says that it is in use, and could not be told otherwise: not asked for again until another one is wanted. */
  #refused: string | undefined
  /** The host was away when it was asked. */
  #isBehind = false
  /** Why the host did not answer: logged once per change. */
  #lateFor: string | undefined

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
    this.#isAsked = true
    this.#following ??= this.#followAll()
    return this.#following
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  async #followAll(): Promise<void> {
    const { signal } = this.#options
    // An entry may come while another one is being followed.
    while (this.#isAsked && !signal.aborted) {
      this.#isAsked = false
      await this.#followOne()
    }
    this.#following = undefined
  }

  async #followOne(): Promise<void> {
    const { ledger, product, host, log, tell, signal, onFollowed } = this.#options
    const wanted = this.#asked(() => ledger.active(product))
    const { state, description } = host.stats()
    const used = description?.repositoryId
    // A host that starts opens with what was in use then; afterwards it is looked at again.
    this.#isBehind = state !== 'ready'
    if (this.#isBehind || wanted === undefined) return
    if (wanted === this.#refused) return
    this.#refused = undefined
    if (wanted === used) return
    try {
      const folder = ledger.activeFolder(product)
      if (folder === undefined) return
      const activated = await host.activate(
        folder,
        AbortSignal.any([signal, AbortSignal.timeout(ACTIVATE_MS)]),
      )
      this.#lateFor = undefined
      const detail = `repository ${wanted} is in use${used === undefined ? '' : `, before it ${used}`}`
      log.info({ repositoryId: activated.repositoryId, before: used }, 'repository')
      tell({ kind: 'repository', code: 'IN_USE', detail })
      onFollowed()
    } catch (error) {
      if (signal.aborted) return
      const detail = messageOf(error)
      this.#isBehind = !(error instanceof RepositoryError)
      if (this.#isBehind) {
        if (detail !== this.#lateFor) log.warn({ detail }, 'the repository is followed later')
        this.#lateFor = detail
        return
      }
      this.#refused = wanted
      log.error({ detail }, 'repository refused')
      tell({ kind: 'alarm', code: 'REPOSITORY_REFUSED', detail })
      this.#takeBack(wanted, used, detail)
    }
  }

  /** Unless another one was put into use meanwhile: that one has not been asked for yet. */
  #takeBack(refused: string | undefined, used: string | undefined, detail: string): void {
    const { ledger, product } = this.#options
    if (used === undefined) return
    this.#asked(() => {
      const why = `refused: ${detail}`.slice(0, MOST_WHY)
      try {
        ledger.rollback({ product, repositoryId: used, expectedActive: refused, who: WHO, why })
      } catch (error) {
        if (!(error instanceof RuntimeError) || error.code !== 'LEDGER_CONFLICT') throw error
        return
      }
      this.#refused = undefined
    })
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
        const code = error instanceof RuntimeError ? error.code : 'LEDGER_UNREADABLE'
        this.#options.tell({ kind: 'alarm', code, detail })
      }
      return undefined
    }
  }
}
