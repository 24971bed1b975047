/**
 * Teaching while the line runs: the next parts that it is asked to inspect are put away as they were captured, and when there are enough a
 * job makes a repository of them. Their verdicts go out all the same. What is put away survives a restart: the same command goes on.
 */
import { messageOf } from '../drivers/message-of.ts'
import { withoutDegraded, type Sample } from '../drivers/sample.ts'
import { admitFrames } from '../models/admit.ts'
import { ENGINE } from '../models/engine.ts'
import type { Inspection } from '../models/inspection.ts'
import { reduceSample } from '../models/reduce.ts'
import type { Config } from './config-schema.ts'
import type { StationEvent } from './event.ts'
import type { Log } from './log.ts'
import type { RepositoryJob } from './repository-job.ts'
import type { Reasons, WorkReport } from './repository-work.ts'
import { RuntimeError } from './runtime-error.ts'
import { linePlan, openTeaching, partName, type Teaching } from './teaching.ts'

export interface LiveTeachingOptions {
  readonly config: Config
  readonly log: Pick<Log, 'info' | 'error'>
  readonly signal: AbortSignal
  tell(event: StationEvent): void
  runJob(job: RepositoryJob, signal: AbortSignal): Promise<WorkReport>
  /** The ledger has another repository. */
  follow(): Promise<void>
}

export interface TeachCommand extends Reasons {
  readonly parts: number
  /** Drops an interrupted teaching instead of going on with it. */
  readonly restart: boolean
}

interface Session extends TeachCommand {
  readonly teaching: Teaching
  captured: number
  incompleteInARow: number
}

/** Parts that wait for the disk; the next one is passed over, and one more is captured in its place. */
const MOST_WAITING = 4
/** After this many parts in a row that lack a sensor something is wrong with the station. */
const MOST_INCOMPLETE_IN_A_ROW = 5
export class LiveTeaching {
  readonly #options: LiveTeachingOptions
  #session: Session | undefined
  #waiting = 0
  #turn: Promise<void> = Promise.resolve()

  constructor(options: LiveTeachingOptions) {
    this.#options = options
  }

  /**
   * From the next part on. @returns how many parts there are already, of an interrupted teaching.
   * @throws RuntimeError JOB_BUSY while one goes on; what openTeaching throws.
   */
  async begin(command: TeachCommand): Promise<{ captured: number; parts: number }> {
    if (this.#session !== undefined) {
      const { captured, parts } = this.#session
      throw new RuntimeError(
        'JOB_BUSY',
        `a teaching has captured ${captured} of ${parts} parts: it goes on by itself`,
      )
    }
    const { config, log } = this.#options
    const { parts, restart } = command
    const teaching = await openTeaching(config, linePlan(config.product, parts), { restart, again: false })
    const captured = (await teaching.captured()).size
    this.#session = { ...command, teaching, captured, incompleteInARow: 0 }
    log.info({ parts, captured }, 'teaching')
    if (captured >= parts) void this.#finish(this.#session)
    return { captured, parts }
  }

  /** Parts are put away: what they look like is not yet known. */
  get isCapturing(): boolean {
    return this.#session !== undefined
  }

  /** Returns at once. */
  offer({ sample, inspection }: { sample: Sample; inspection?: Inspection }): void {
    const session = this.#session
    if (session === undefined || this.#waiting >= MOST_WAITING || session.captured >= session.parts) return
    this.#waiting += 1
    this.#turn = this.#turn.then(async () => {
      try {
        if (this.#session === session) await this.#keep(session, sample, inspection)
      } catch (error) {
        this.#stop(session, messageOf(error))
      } finally {
        this.#waiting -= 1
      }
    })
  }

  /**
   * No more parts are put away. What was captured is kept for the same command.
   *
   * @throws RuntimeError NOT_TEACHING when none goes on, or its parts are there and a repository is being made of them
   */
  async stop({ who, why }: Reasons): Promise<{ captured: number; parts: number }> {
    const session = this.#session
    if (session === undefined) throw new RuntimeError('NOT_TEACHING', 'no teaching goes on')
    const { parts } = session
    const isStopped = (): boolean => session.captured < parts
    if (isStopped()) this.#session = undefined
    // The part that is under way may be the last one.
    await this.#turn
    if (!isStopped()) {
      throw new RuntimeError(
        'NOT_TEACHING',
        `all ${parts} parts are there: a repository is being made of them`,
      )
    }
    session.teaching.close()
    const { captured } = session
    const detail = `${who} stopped the teaching with ${captured} of ${parts} parts: ${why}`
    this.#options.log.info({ detail }, 'teaching')
    this.#options.tell({ kind: 'repository', code: 'TEACHING_STOPPED', detail })
    return { captured, parts }
  }

  /** What was captured is kept for the same command. */
  async close(): Promise<void> {
    await this.#turn
    this.#session?.teaching.close()
    this.#session = undefined
  }

  async #keep(session: Session, sample: Sample, inspection: Inspection | undefined): Promise<void> {
    const { teaching, parts } = session
    if (session.captured >= parts) return
    const { sample: reduced } = await reduceSample(admitFrames(withoutDegraded(sample)))
    const { frames, condition } = reduced
    session.incompleteInARow = condition === 'complete' ? 0 : session.incompleteInARow + 1
    if (session.incompleteInARow >= MOST_INCOMPLETE_IN_A_ROW) {
      throw new RuntimeError('TEACHING_FAILED', `${session.incompleteInARow} parts in a row lacked a sensor`)
    }
    if (condition === 'none') return
    const decided =
      inspection?.kind === 'decided' && inspection.condition === condition ? inspection : undefined
    await teaching.keep({
      partId: partName(teaching.firstNumber + session.captured),
      heldOut: false,
      capturedAt: new Date().toISOString(),
      condition,
      absent: reduced.absent,
      flags: decided?.flags ?? [],
      frames,
      ...(decided?.features && {
        features: { ...decided.features, bundleId: decided.bundleId, engine: ENGINE },
      }),
    })
    session.captured += 1
    this.#options.log.info({ captured: session.captured, parts }, 'teaching')
    if (session.captured >= parts) void this.#finish(session)
  }

  /** The job opens the teaching itself. */
  async #finish(session: Session): Promise<void> {
    const { runJob, follow, signal } = this.#options
    const { parts, who, why, teaching } = session
    teaching.close()
    try {
      await runJob({ kind: 'teach', parts, who, why }, signal)
      await follow()
      if (this.#session === session) this.#session = undefined
    } catch (error) {
      if (!signal.aborted) this.#stop(session, messageOf(error))
    }
  }

  #stop(session: Session, reason: string): void {
    if (this.#session === session) this.#session = undefined
    session.teaching.close()
    const detail = `teaching ended with ${session.captured} of ${session.parts} parts: ${reason}. The same command goes on with them`
    this.#options.log.error({ detail }, 'teaching')
    this.#options.tell({ kind: 'alarm', code: 'TEACHING_FAILED', detail })
  }
}
