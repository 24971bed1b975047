/**
 * Work on repositories beside a running line: in a child process of low priority, one job at a time. The child blocks as it likes, may be
 * killed at any instant, and its result is what the ledger says.
 */
import { fork } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { deferred } from '../models/deferred.ts'
import type { TeachProgress } from '../models/taught-banks.ts'
import type { Config } from './config-schema.ts'
import type { RepositoryJob } from './repository-job.ts'
import type { WorkReport } from './repository-work.ts'
import { RuntimeError } from './runtime-error.ts'

export interface ToJob {
  readonly config: Config
  readonly job: RepositoryJob
}

export type FromJob =
  | { readonly kind: 'progress'; readonly progress: TeachProgress }
  | { readonly kind: 'done'; readonly report: WorkReport }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

export interface JobRunnerOptions {
  readonly config: Config
  /** Ends a job that takes longer. */
  readonly deadlineMs: number
  readonly onProgress?: (job: RepositoryJob, progress: TeachProgress) => void
  /** Takes one ToJob and says FromJob; job-main.ts when absent. */
  readonly jobModule?: URL
}

/** A job said no: `code` is that of the error in the child. */
export class JobError extends Error {
  override readonly name = 'JobError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export class JobRunner {
  readonly #options: JobRunnerOptions
  #running: RepositoryJob | undefined

  constructor(options: JobRunnerOptions) {
    this.#options = options
  }

  /** The job that is being done. */
  get running(): RepositoryJob | undefined {
    return this.#running
  }

  /**
   * @throws RuntimeError JOB_BUSY while another is being done, JOB_FAILED when the child ends without a report or takes too long;
   * JobError with the code of what it met. Rejects with the signal's reason, with the child killed.
   */
  async run(job: RepositoryJob, signal: AbortSignal): Promise<WorkReport> {
    signal.throwIfAborted()
    if (this.#running !== undefined) {
      throw new RuntimeError(
        'JOB_BUSY',
        `'${this.#running.kind}' for ${this.#running.who} is being done: ask again when it has ended`,
      )
    }
    this.#running = job
    try {
      return await this.#inChild(job, signal)
    } finally {
      this.#running = undefined
    }
  }

  async #inChild(job: RepositoryJob, signal: AbortSignal): Promise<WorkReport> {
    const { config, deadlineMs, onProgress, jobModule = siblingUrl('job-main') } = this.#options
    const child = fork(fileURLToPath(jobModule), [], {
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
      stdio: ['ignore', 2, 2, 'ipc'],
    })
    if (child.pid !== undefined) yieldTo(child.pid)
    const { promise, resolve, reject } = deferred<WorkReport>()
    const late = setTimeout(() => {
      reject(new RuntimeError('JOB_FAILED', `'${job.kind}' took more than ${deadlineMs} ms and was ended`))
    }, deadlineMs)
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    child.once('error', (cause) =>
      reject(
        new RuntimeError('JOB_FAILED', `'${job.kind}' could not be started: ${cause.message}`, { cause }),
      ),
    )
    child.once('exit', (code, by) => {
      reject(
        new RuntimeError('JOB_FAILED', `'${job.kind}' ended without a report (${by ?? `status ${code}`})`),
      )
    })
    child.on('message', (message: FromJob) => {
      if (message.kind === 'progress') onProgress?.(job, message.progress)
      else if (message.kind === 'done') resolve(message.report)
      else reject(new JobError(message.code, message.message))
    })
    const request: ToJob = { config: { ...config, inference: { threads: 1 } }, job }
    child.send(request, () => undefined)
    try {
      return await promise
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', abort)
      child.kill('SIGKILL')
    }
  }
}

/** The line goes first. */
function yieldTo(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended already, which its exit tells.
  }
}

function siblingUrl(name: string): URL {
  return new URL(`./${name}${path.extname(import.meta.url)}`, import.meta.url)
}
