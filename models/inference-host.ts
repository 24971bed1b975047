/**
 * The inspector behind a pipe. ONNX Runtime's `run()` blocks and must not be interrupted inside the daemon (inference 5.3), so the model
 * lives in a child process that is killed and restarted when it is stuck, failed or dead. Whatever happens to the child, every request
 * gets one answer: an inspection, or `undecided` with the reason.
 */
import { monotonicClock } from '../drivers/clock.ts'
import type { Sample } from '../drivers/sample.ts'
import { admitFrames } from './admit.ts'
import type { FromHost, InspectorDescription, InspectorOptions, ToHost } from './host-protocol.ts'
import type { Inspection, Inspector, Undecided, UndecidedReason } from './inspection.ts'
import { siblingUrl, startHostProcess, type HostProcess } from './host-process.ts'
import { deferred } from './deferred.ts'
import { asModelErrorCode, ModelError } from './model-error.ts'
import { asRepositoryErrorCode, RepositoryError } from './repository.ts'
import { enlargeInspection, reduceSample } from './reduce.ts'

export interface HostLimits {
  /** A run is stuck after `max(runLeastMs, runFactor x median of recent runs)`. */
  readonly runLeastMs: number
  readonly runFactor: number
  /** Limit of the first run of a host, which compiles and allocates. */
  readonly firstRunMs: number
  /** From the start of the process to `opened`: reads, hashes and compiles the graphs. */
  readonly openMs: number
  readonly beatMs: number
  /** An idle host that is silent for this long is stuck. */
  readonly silenceMs: number
  /** Pause before a restart; doubles with every failure without an answer in between. */
  readonly backOffFirstMs: number
  readonly backOffMostMs: number
  /** Requests that may wait behind the one in flight; each holds a sample. The newest is refused: `host-busy`. */
  readonly queueMost: number
  /** How long `close` waits for the host to leave by itself. */
  readonly closeMs: number
}

const DEFAULT_LIMITS: HostLimits = {
  runLeastMs: 1000,
  runFactor: 10,
  firstRunMs: 20_000,
  openMs: 60_000,
  beatMs: 500,
  silenceMs: 5_000,
  backOffFirstMs: 100,
  backOffMostMs: 10_000,
  queueMost: 2,
  closeMs: 2_000,
}

export interface InferenceHostOptions extends InspectorOptions {
  readonly limits?: Partial<HostLimits>
  /** Exports `makeInspector`; the model itself when absent. */
  readonly inspectorModule?: URL
  /** Told once per edge. */
  readonly onState?: (state: HostState, detail: string) => void
}

export type HostState = 'closed' | 'starting' | 'ready' | 'waiting-to-restart'

export interface HostStats {
  readonly state: HostState
  readonly restarts: number
  readonly pid?: number
  /** What the host was doing when it last said so; `idle` between parts. */
  readonly step?: string
  /** Resident memory of the host as of its last beat; 0 before the first. */
  readonly rssBytes: number
  readonly description?: InspectorDescription
  /** What ended the host before this one. */
  readonly lastFailure?: string
}

/** What became of a request that the host did not answer. */
interface Lost {
  readonly kind: 'lost'
  readonly reason: UndecidedReason
  readonly detail: string
}

interface Job {
  readonly message: Exclude<ToHost, { kind: 'open' }>
  /** Settles the caller's promise; only the first call counts. */
  readonly settle: (answer: FromHost | Lost) => void
}

interface Host {
  readonly process: HostProcess
  step: string
  /** Calls off the wait that ends in a kill: for `opened`, for the answer, or for the next beat. */
  cancelWatch: () => void
  busy: { readonly job: Job; readonly sinceMs: number } | undefined
  /** Parts decided since it started, or since its repository changed. */
  runs: number
  /** Condemned: it may still speak, but nobody listens. */
  ended: boolean
}

/** How many runs the median is taken over. */
const RECENT_RUNS = 33

export class InferenceHost implements Inspector {
  readonly #options: InferenceHostOptions
  readonly #limits: HostLimits
  readonly #waiting: Job[] = []
  readonly #openers = new Set<{ resolve(): void; reject(error: unknown): void }>()
  #recentRunsMs: readonly number[] = []
  #state: HostState = 'closed'
  #host: Host | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #unanswered = 0
  #requests = 0
  #restarts = 0
  #failuresInARow = 0
  #rssBytes = 0
  #repositoryFolder: string | undefined
  #description: InspectorDescription | undefined
  #lastFailure: string | undefined
  /** The host refuses the bundle. It is restarted all the same, since files can be repaired, but nobody waits for it. */
  #refusal: ModelError | undefined

  constructor(options: InferenceHostOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#repositoryFolder = options.repositoryFolder
  }

  /** Resolves when the host is ready. @throws ModelError when it refuses the bundle; the signal's reason on abort. */
  async open(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#state === 'closed') this.#start()
    if (this.#state === 'ready') return
    const { promise, resolve, reject } = deferred<void>()
    const opener = { resolve, reject }
    const abort = () => reject(signal.reason)
    this.#openers.add(opener)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } catch (error) {
      await this.close()
      throw error
    } finally {
      this.#openers.delete(opener)
      signal.removeEventListener('abort', abort)
    }
  }

  async inspect(sample: Sample, signal: AbortSignal): Promise<Inspection> {
    let admitted = sample
    const undecided = (reason: UndecidedReason, detail: string): Undecided => {
      const { condition, absent } = admitted
      return { kind: 'undecided', condition, absent, reason, detail, flags: [] }
    }
    if (this.#unanswered > this.#limits.queueMost) {
      return undecided('host-busy', `${this.#unanswered} parts are waiting for the inference host`)
    }
    this.#unanswered++
    try {
      admitted = admitFrames(sample)
      if (admitted.condition === 'none') return undecided('nothing-captured', 'no sensor gave a usable frame')
      const reduced = await reduceSample(admitted)
      const message = { kind: 'inspect', request: this.#requests++, sample: reduced.sample } as const
      const answer = await this.#ask(message, signal)
      if (answer.kind === 'inspected') return enlargeInspection(answer.inspection, sample, reduced.step)
      const { reason, detail } = answer.kind === 'lost' ? answer : outOfTurn(answer)
      return undecided(reason, detail)
    } catch (error) {
      return undecided('model-failed', error instanceof Error ? error.message : String(error))
    } finally {
      this.#unanswered--
    }
  }

  /**
   * Takes another repository into use, after the parts that wait; a restarted host opens with it too.
   * @throws RepositoryError when it is refused, ModelError when the host is lost: the repository before stays in use.
   */
  async activate(repositoryFolder: string, signal: AbortSignal): Promise<InspectorDescription> {
    const answer = await this.#ask({ kind: 'activate', request: this.#requests++, repositoryFolder }, signal)
    if (answer.kind === 'activated') return answer.description
    const refused = `${repositoryFolder} was not taken into use`
    if (answer.kind !== 'not-activated') {
      throw new ModelError(
        'MODEL_FAILED',
        `${refused}: ${(answer.kind === 'lost' ? answer : outOfTurn(answer)).detail}`,
      )
    }
    const code = asRepositoryErrorCode(answer.code)
    if (code === undefined) throw new ModelError('MODEL_FAILED', `${refused}: ${answer.message}`)
    throw new RepositoryError(code, `${refused}: ${answer.message}`)
  }

  /** Parts that wait for an answer, the one in work included. */
  get unanswered(): number {
    return this.#unanswered
  }

  stats(): HostStats {
    const pid = this.#host?.process.pid
    return {
      state: this.#state,
      restarts: this.#restarts,
      rssBytes: this.#rssBytes,
      ...(this.#host && { step: this.#host.step }),
      ...(pid !== undefined && { pid }),
      ...(this.#description && { description: this.#description }),
      ...(this.#lastFailure !== undefined && { lastFailure: this.#lastFailure }),
    }
  }

  async close(): Promise<void> {
    const host = this.#host
    clearTimeout(this.#restartTimer)
    host?.cancelWatch()
    if (host) host.ended = true
    this.#enter('closed', 'asked to')
    const lost: Lost = { kind: 'lost', reason: 'host-lost', detail: 'the inference host is closed' }
    host?.busy?.job.settle(lost)
    for (const job of this.#waiting.splice(0)) job.settle(lost)
    for (const { reject } of this.#openers) reject(new ModelError('MODEL_FAILED', lost.detail))
    await host?.process.leave(this.#limits.closeMs)
  }

  #ask(message: Job['message'], signal: AbortSignal): Promise<FromHost | Lost> {
    if (this.#state === 'closed') return lost('host-lost', 'the inference host is closed')
    if (this.#refusal) return lost('model-failed', this.#refusal.message)
    const { promise, resolve } = deferred<FromHost | Lost>()
    const job: Job = {
      message,
      settle: (answer) => {
        signal.removeEventListener('abort', late)
        resolve(answer)
      },
    }
    const late = () => {
      const at = this.#waiting.indexOf(job)
      if (at >= 0) this.#waiting.splice(at, 1)
      // In flight it stays with the host, whose late answer nobody reads.
      if (this.#state === 'ready') {
        const where = at >= 0 ? 'the part was still waiting' : `the model was in step '${this.#host?.step}'`
        job.settle({ kind: 'lost', reason: 'deadline', detail: `the deadline passed while ${where}` })
      } else {
        const detail = `the inference host is ${this.#state}, last failure: ${this.#lastFailure ?? 'none'}`
        job.settle({ kind: 'lost', reason: 'host-starting', detail })
      }
    }
    this.#waiting.push(job)
    if (signal.aborted) late()
    else signal.addEventListener('abort', late, { once: true })
    this.#sendNext()
    return promise
  }

  /** One request at a time: a second would only wait in the host, out of reach. */
  #sendNext(): void {
    const host = this.#host
    if (!host || host.ended || this.#state !== 'ready' || host.busy) return
    const job = this.#waiting.shift()
    if (!job) return
    host.busy = { job, sinceMs: performance.now() }
    const limitMs = this.#runLimitMs(host, job)
    this.#watch(
      host,
      limitMs,
      () => `gave no answer in ${Math.round(limitMs)} ms, stuck in step '${host.step}'`,
    )
    try {
      host.process.send(job.message)
    } catch (error) {
      host.busy = undefined
      const detail = `the sample cannot be sent: ${error instanceof Error ? error.message : String(error)}`
      job.settle({ kind: 'lost', reason: 'model-failed', detail })
      this.#idle(host)
    }
  }

  #runLimitMs(host: Host, job: Job): number {
    const { runLeastMs, runFactor, firstRunMs } = this.#limits
    if (host.runs === 0 || job.message.kind === 'activate') return firstRunMs
    const sorted = [...this.#recentRunsMs].sort((a, b) => a - b)
    return Math.max(runLeastMs, runFactor * (sorted[sorted.length >> 1] ?? 0))
  }

  #start(): void {
    this.#enter('starting', this.#lastFailure ?? 'opened')
    const module = this.#options.inspectorModule ?? siblingUrl('local-inspector')
    const host: Host = {
      process: startHostProcess(module, {
        onMessage: (message) => {
          if (!host.ended) this.#hear(host, message)
        },
        onGone: (detail) => this.#gone(host, detail),
      }),
      step: 'start',
      cancelWatch: () => undefined,
      busy: undefined,
      runs: 0,
      ended: false,
    }
    this.#host = host
    const { openMs, beatMs } = this.#limits
    this.#watch(host, openMs, () => `did not open within ${openMs} ms, stuck in step '${host.step}'`)
    const { bundleFolder, threads, seed, plane, keepFeatures } = this.#options
    const options: InspectorOptions = {
      bundleFolder,
      threads,
      seed,
      ...(plane && { plane }),
      ...(keepFeatures && { keepFeatures }),
      ...(this.#repositoryFolder !== undefined && { repositoryFolder: this.#repositoryFolder }),
    }
    host.process.send({ kind: 'open', options, beatMs })
  }

  #hear(host: Host, message: FromHost): void {
    switch (message.kind) {
      case 'beat':
        this.#rssBytes = message.rssBytes
        host.step = message.step
        if (this.#state === 'ready' && !host.busy) this.#idle(host)
        return
      case 'opened':
        this.#description = message.description
        this.#refusal = undefined
        this.#enter('ready', message.description.repositoryProblem ?? 'opened')
        for (const { resolve } of this.#openers) resolve()
        return this.#idle(host)
      case 'refused': {
        const refusal = new ModelError(asModelErrorCode(message.code), message.message)
        this.#refusal = refusal
        for (const { reject } of this.#openers) reject(refusal)
        for (const job of this.#waiting.splice(0)) {
          job.settle({ kind: 'lost', reason: 'model-failed', detail: refusal.message })
        }
        return this.#end(host, `refused the bundle: ${refusal.message}`)
      }
      case 'inspected':
      case 'activated':
      case 'not-activated': {
        const { busy } = host
        if (busy?.job.message.request !== message.request) return
        host.busy = undefined
        // An answer without an inference says nothing of how long one takes; a new repository's first one is slow.
        if (message.kind === 'activated') {
          host.runs = 0
          // Also when nobody waits for the answer any more: a restarted host must open with what this one uses.
          if (busy.job.message.kind === 'activate') this.#repositoryFolder = busy.job.message.repositoryFolder
          this.#description = message.description
        }
        if (message.kind === 'inspected' && message.inspection.kind === 'decided') {
          this.#recentRunsMs = [...this.#recentRunsMs, performance.now() - busy.sinceMs].slice(-RECENT_RUNS)
          host.runs++
        }
        this.#failuresInARow = 0
        busy.job.settle(message)
        return this.#idle(host)
      }
    }
  }

  #idle(host: Host): void {
    host.step = 'idle'
    const { silenceMs } = this.#limits
    this.#watch(host, silenceMs, () => `sent no beat for ${silenceMs} ms`)
    this.#sendNext()
  }

  /** Kills the host after `ms`, unless the next watch replaces this one. */
  #watch(host: Host, ms: number, reason: () => string): void {
    host.cancelWatch()
    host.cancelWatch = monotonicClock.after(ms, () => this.#end(host, reason()))
  }

  /** The part in flight is answered at once, not when the process has ended. */
  #end(host: Host, detail: string): void {
    host.cancelWatch()
    host.ended = true
    host.busy?.job.settle({ kind: 'lost', reason: 'host-lost', detail: `the inference host ${detail}` })
    host.busy = undefined
    this.#lastFailure = detail
    this.#enter('waiting-to-restart', detail)
    host.process.kill(detail)
  }

  #gone(host: Host, detail: string): void {
    if (this.#host !== host) return
    if (!host.ended && this.#state !== 'closed') this.#end(host, detail)
    this.#host = undefined
    this.#rssBytes = 0
    if (this.#state === 'closed') return
    const { backOffFirstMs, backOffMostMs } = this.#limits
    const pauseMs = Math.min(backOffFirstMs * 2 ** this.#failuresInARow++, backOffMostMs)
    this.#restartTimer = setTimeout(() => {
      this.#restarts++
      this.#start()
    }, pauseMs)
  }

  #enter(state: HostState, detail: string): void {
    if (this.#state === state) return
    this.#state = state
    this.#options.onState?.(state, detail)
  }
}

const lost = async (reason: UndecidedReason, detail: string): Promise<Lost> => ({
  kind: 'lost',
  reason,
  detail,
})

function outOfTurn({ kind }: FromHost): Lost {
  return { kind: 'lost', reason: 'model-failed', detail: `the inference host answered '${kind}' out of turn` }
}
