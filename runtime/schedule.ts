/**
 * Jobs at their times: self-test, drift watch, clean-up, back-up. They never stop the line: one runs at a time, within its deadline, and
 * one that fails is an event. What was due while the daemon was down is made up for once, however often it was due.
 *
 * The wall clock says when a job is due, and it may be wrong: a station without a battery starts in 1970, and time servers set it back.
 * So it is read anew every half a minute, a step makes a job due once at most, and a job does not start again before half of its period
 * is over on the monotonic clock, whatever the other one does. A step back by more than a period makes the clock's new time the one that
 * counts; by less, the times that have been are not repeated.
 *
 * When a job was last begun is kept in a file. It counts when it begins: a job that takes the daemon down with it must not do so at every
 * start.
 */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { bounded } from '../drivers/bounded.ts'
import type { Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import { replaceFile, type FileSystem } from '../models/durable-folder.ts'
import { parseCron, type Cron } from './cron.ts'
import type { StationEvent } from './event.ts'
import type { Log } from './log.ts'
import { RuntimeError } from './runtime-error.ts'

export interface Job {
  /** Its key in the config section `schedule`. */
  readonly name: string
  /** A cron expression without a problem, or `off`. */
  readonly cron: string
  /** The longest that it may take; then its signal aborts, it has failed, and the next one has its turn. */
  readonly deadlineMs: number
  run(signal: AbortSignal): Promise<void>
}

export interface ScheduleOptions {
  readonly jobs: readonly Job[]
  /** Where it is kept what has run. Its folder exists. */
  readonly file: string
  readonly clock: Clock
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  readonly log: Pick<Log, 'info' | 'warn'>
  tell(event: StationEvent): void
  readonly fileSystem?: FileSystem
}

/** Of one job, for a person. Times are the wall clock's. */
export interface JobState {
  readonly name: string
  readonly cron: string
  readonly isRunning: boolean
  readonly attempted?: string
  readonly succeeded?: string
  readonly next?: string
}

/** The wall clock may be set at any time. */
const LONGEST_WAIT_MS = 30_000
/** A job that is told to stop may write for so long before nobody waits for it any more. */
const CLOSE_MS = 5000

const time = z.iso.datetime()
const recordSchema = z.strictObject({
  /** When the job was first scheduled: what was due before was nobody's. */
  since: time,
  attempted: time.optional(),
  succeeded: time.optional(),
})
type JobRecord = z.infer<typeof recordSchema>
const fileSchema = z.strictObject({
  schema: z.literal('radar-edge/schedule@1'),
  jobs: z.record(z.string(), recordSchema),
})

interface Scheduled {
  readonly job: Job
  readonly cron: Cron
  record: JobRecord
  /** Wall clock: what was due up to then has been, or has been made up for. */
  doneMs: number
  /** Of the last start in this process, on both clocks. */
  started?: { readonly wallMs: number; readonly monotonicMs: number }
  /** From its start until its work has really ended. */
  isRunning: boolean
}

export async function openSchedule(options: ScheduleOptions): Promise<Schedule> {
  const schedule = new Schedule(options)
  await schedule.open()
  return schedule
}

export class Schedule {
  readonly #options: ScheduleOptions
  readonly #closing = new AbortController()
  #jobs: Scheduled[] = []
  #running: Promise<void> | undefined
  #cancelWait = (): void => undefined
  #isOpen = false
  #isUnwritable = false

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  /** What was missed begins at once. */
  async open(): Promise<void> {
    if (this.#isOpen) return
    this.#isOpen = true
    const { jobs, wallClock } = this.#options
    const records = await this.#read()
    const since = isoOf(wallClock())
    this.#jobs = jobs
      .filter(({ cron }) => cron !== 'off')
      .map((job) => {
        const record = records[job.name] ?? { since }
        const doneMs = Date.parse(record.attempted ?? record.since)
        return { job, cron: parseCron(job.cron), record, doneMs, isRunning: false }
      })
    await this.#write()
    this.#next()
  }

  states(): JobState[] {
    return this.#options.jobs.map(({ name, cron }) => {
      const scheduled = this.#jobs.find(({ job }) => job.name === name)
      const nextMs = scheduled?.cron.next(Math.max(scheduled.doneMs, this.#options.wallClock()))
      const { attempted, succeeded } = scheduled?.record ?? {}
      return {
        name,
        cron,
        isRunning: scheduled?.isRunning ?? false,
        ...(attempted !== undefined && { attempted }),
        ...(succeeded !== undefined && { succeeded }),
        ...(nextMs !== undefined && { next: isoOf(nextMs) }),
      }
    })
  }

  /** The job that runs is told to stop. */
  async close(): Promise<void> {
    this.#cancelWait()
    this.#closing.abort(new RuntimeError('SHUTTING_DOWN', 'the station stops'))
    await this.#running
  }

  /** Starts the job that has been due for longest, or waits for the next. */
  #next(): void {
    if (this.#closing.signal.aborted || this.#running) return
    const nowMs = this.#options.wallClock()
    let first: { scheduled: Scheduled; dueMs: number } | undefined
    let waitMs = LONGEST_WAIT_MS
    for (const scheduled of this.#jobs) {
      const dueMs = dueOf(scheduled, nowMs)
      if (dueMs === undefined || scheduled.isRunning) continue
      if (dueMs > nowMs) waitMs = Math.min(waitMs, dueMs - nowMs)
      else if (this.#mayStart(scheduled, dueMs) && !(first && first.dueMs <= dueMs))
        first = { scheduled, dueMs }
    }
    if (first) {
      this.#running = this.#run(first.scheduled, nowMs).then(() => {
        this.#running = undefined
        this.#next()
      })
      return
    }
    this.#cancelWait = this.#options.clock.after(waitMs, () => this.#next())
  }

  /** Half of the time to the slot before or behind it, whichever is nearer, has passed since the last start. */
  #mayStart({ started, cron }: Scheduled, dueMs: number): boolean {
    if (!started) return true
    const sinceMs = dueMs - started.wallMs
    const untilMs = (cron.next(dueMs) ?? Infinity) - dueMs
    const periodMs = sinceMs > 0 ? Math.min(sinceMs, untilMs) : untilMs
    return this.#options.clock.now() - started.monotonicMs >= periodMs / 2
  }

  /** Never rejects. */
  async #run(scheduled: Scheduled, nowMs: number): Promise<void> {
    const { clock, log, wallClock } = this.#options
    const { job } = scheduled
    const startedMs = clock.now()
    scheduled.isRunning = true
    scheduled.doneMs = nowMs
    scheduled.started = { wallMs: nowMs, monotonicMs: startedMs }
    scheduled.record = { ...scheduled.record, attempted: isoOf(nowMs) }
    await this.#write()
    const { result, ended } = bounded((signal) => job.run(signal), {
      deadlineMs: job.deadlineMs,
      signals: [this.#closing.signal],
      clock,
      expired: () => new RuntimeError('JOB_DEADLINE', `did not end within ${job.deadlineMs} ms`),
    })
    const hasEnded = ended.then(() => {
      scheduled.isRunning = false
      // A job that takes longer than its period leaves a slot out, rather than run without a pause.
      scheduled.doneMs = Math.max(scheduled.doneMs, wallClock())
    })
    try {
      await result
      scheduled.record = { ...scheduled.record, succeeded: isoOf(wallClock()) }
      await this.#write()
      log.info({ job: job.name, ms: Math.round(clock.now() - startedMs) }, 'job')
    } catch (error) {
      if (this.#closing.signal.aborted) return this.#patience(hasEnded)
      this.#failed(job, error)
    }
  }

  #failed({ name }: Job, error: unknown): void {
    const detail = `${name}: ${messageOf(error)}`
    const code = codeOf(error)
    this.#options.log.warn({ job: name, code, error }, 'job failed')
    this.#options.tell({ kind: 'job-failed', job: name, code, detail })
  }

  async #patience(ended: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(CLOSE_MS, resolve)
      void ended.then(() => {
        cancel()
        resolve()
      })
    })
  }

  async #read(): Promise<Readonly<Record<string, JobRecord>>> {
    const { file } = this.#options
    try {
      return fileSchema.parse(JSON.parse(await readFile(file, 'utf8'))).jobs
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
      const cause = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error)
      this.#alarm('SCHEDULE_UNREADABLE', `${file}: every job counts as never run: ${cause}`)
      return {}
    }
  }

  /** A full disk does not keep jobs from running: one of them may be what makes room. */
  async #write(): Promise<void> {
    const { file, fileSystem } = this.#options
    const jobs = Object.fromEntries(this.#jobs.map(({ job, record }) => [job.name, record]))
    const text = `${JSON.stringify({ schema: 'radar-edge/schedule@1', jobs }, null, 2)}\n`
    try {
      await replaceFile(file, Buffer.from(text), fileSystem)
      this.#isUnwritable = false
    } catch (error) {
      if (!this.#isUnwritable) this.#alarm('SCHEDULE_UNWRITABLE', `${file}: ${messageOf(error)}`)
      this.#isUnwritable = true
    }
  }

  #alarm(code: 'SCHEDULE_UNREADABLE' | 'SCHEDULE_UNWRITABLE', detail: string): void {
    this.#options.log.warn({ code, detail }, 'schedule')
    this.#options.tell({ kind: 'alarm', code, detail })
  }
}

/** When the job is due next, or has been since; a clock that was set back by more than a period starts a new count. */
function dueOf(scheduled: Scheduled, nowMs: number): number | undefined {
  const dueMs = scheduled.cron.next(scheduled.doneMs)
  if (scheduled.doneMs <= nowMs) return dueMs
  const aheadMs = scheduled.doneMs - nowMs
  if (aheadMs <= (dueMs ?? Infinity) - scheduled.doneMs) return dueMs
  scheduled.doneMs = nowMs
  return scheduled.cron.next(nowMs)
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'JOB_FAILED'
}

const isoOf = (ms: number): string => new Date(ms).toISOString()
