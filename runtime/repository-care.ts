/**
 * What happens around a product's repository while the line runs: parts are kept and watched, people's commands are done, jobs run at
 * their times. Nothing here is waited for by a verdict, and nothing that fails here stops the line.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../drivers/clock.ts'
import { messageOf } from '../drivers/message-of.ts'
import type { Sample } from '../drivers/sample.ts'
import type { InferenceHost } from '../models/inference-host.ts'
import type { Inspection } from '../models/inspection.ts'
import { partToKeep } from './archived-part.ts'
import { backUp } from './backup.ts'
import type { Config } from './config-schema.ts'
import type { StationEvent } from './event.ts'
import { goldenSelfTest } from './golden-self-test.ts'
import { JobRunner } from './job-runner.ts'
import type { Ledger } from './ledger.ts'
import { LiveTeaching } from './live-teaching.ts'
import type { Log } from './log.ts'
import type { SelfTestPayload, VerdictPayload } from './messages.ts'
import { OPERATIONS, type OperationsContext } from './operations.ts'
import type { Message } from './outbox-store.ts'
import { openPartArchive, type PartArchive } from './part-archive.ts'
import type { Publisher } from './publisher.ts'
import { RepositoryFollower } from './repository-follower.ts'
import { pruneRepositories } from './repository-pruning.ts'
import type { WorkReport } from './repository-work.ts'
import { openSchedule, type Job } from './schedule.ts'
import { openScoreWatch } from './score-watch.ts'
import { selfTestPayload } from './self-test-payload.ts'
import { archiveOf, goldenShelf } from './shelves.ts'
import type { Topics } from './topics.ts'

export interface CareOptions {
  readonly config: Config
  readonly site: string
  readonly station: string
  readonly topics: Topics
  readonly ledger: Ledger
  readonly host: InferenceHost
  readonly publisher: Pick<Publisher, 'handle'> & { retain(message: Message): void }
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  tell(event: StationEvent): void
  /** Another repository is in use. */
  onFollowed(): void
  /** Closed in the opposite order. */
  defer(close: () => Promise<void> | void): void
}

export interface RepositoryCare {
  /** Parts are put away to be taught. */
  isTeaching(): boolean
  /** What the doors of the station offer: MQTT has them already. */
  readonly context: OperationsContext
  readonly archive: PartArchive | undefined
  onVerdict(verdict: VerdictPayload, about: { sample: Sample; inspection?: Inspection }): void
}

const MINUTE_MS = 60_000
/** Teaching several hundred parts on two slow cores takes the better part of an hour. */
const JOB_DEADLINE_MS = 120 * MINUTE_MS
const SELF_TEST_MS = 30 * MINUTE_MS
const HOUSEKEEPING_MS = 10 * MINUTE_MS
/** What waits for the disk is given so long at shutdown. */
const CLOSE_MS = 2000
/** In the ledger, for what nobody asked for. */
const SCHEDULE = 'schedule'
const STATION = 'station'

export async function openRepositoryCare(options: CareOptions): Promise<RepositoryCare> {
  const { config, ledger, host, publisher, clock, log, signal, tell, defer } = options
  const { product, stateDirectory } = config
  const alarm = (code: string, detail: string): void => {
    log.error({ code, detail }, 'alarm')
    tell({ kind: 'alarm', code, detail })
  }

  const archive = await openPartArchive({
    ...archiveOf(config),
    role: 'owner',
    clock,
    onTrouble(trouble) {
      if (trouble !== undefined) return alarm(trouble.code, trouble.message)
      log.info('parts are kept again')
    },
  }).catch((error: unknown) => {
    // The line goes on without: nothing can be confirmed until it is repaired.
    alarm('ARCHIVE_UNREADABLE', messageOf(error))
    return undefined
  })
  if (archive !== undefined) defer(() => archive.close(AbortSignal.timeout(CLOSE_MS)))

  const watch = await openScoreWatch({
    file: join(stateDirectory, 'drift.json'),
    onTrouble: (detail) => log.warn({ detail }, 'drift watch'),
    onDrift({ condition, hasDrifted, towards, pValue, medianBefore, medianNow }) {
      const figures = `median distance ${medianNow.toPrecision(3)}, before it ${medianBefore.toPrecision(3)}, p = ${pValue.toPrecision(2)}`
      if (!hasDrifted) return log.info({ condition, figures }, 'good parts look as they did again')
      alarm(
        'SCORE_DRIFT',
        `good ${condition} parts look ${towards === 'odder' ? 'odder' : 'more normal'} than they did: ${figures}`,
      )
    },
  })
  defer(() => watch.save())

  const follower = new RepositoryFollower({ ...options, product })
  follower.open()
  defer(() => follower.close())

  const jobs = new JobRunner({
    config,
    deadlineMs: JOB_DEADLINE_MS,
    onProgress: ({ kind }, progress) => log.debug({ job: kind, ...progress }, 'job'),
  })
  const runJob: JobRunner['run'] = async (job, patience) => {
    const report = await jobs.run(job, patience)
    tellOf(report, { log, tell, alarm })
    return report
  }

  const testGolden = async (patience: AbortSignal): Promise<SelfTestPayload> => {
    const startedMs = clock.now()
    const report = await goldenSelfTest({
      product,
      shelf: goldenShelf(config, product),
      host,
      ledger,
      clock,
      signal: patience,
    })
    const { site, station, topics } = options
    const payload = selfTestPayload(report, { site, station, product, durationMs: clock.now() - startedMs })
    publisher.retain({ topic: topics.selfTest, payload: JSON.stringify(payload) })
    if (payload.result === 'UNTESTED') return payload
    if (payload.result === 'FAIL') alarm('SELF_TEST_FAILED', payload.detail)
    const { result, detail, inspections, wrong, unknown } = payload
    ledger.record({
      product,
      action: 'self-test',
      who: STATION,
      why: detail,
      figures: { result, inspections, wrong, unknown },
    })
    return payload
  }

  const teaching = new LiveTeaching({
    config,
    log,
    signal,
    tell,
    runJob,
    follow: () => follower.follow(),
  })
  defer(() => teaching.close())

  const context: OperationsContext = {
    product,
    ledger,
    archive,
    jobs: { run: runJob },
    follower,
    signal,
    teaching,
    selfTest: (patience) => testGolden(AbortSignal.any([patience, AbortSignal.timeout(SELF_TEST_MS)])),
  }
  for (const [verb, { run }] of Object.entries(OPERATIONS))
    publisher.handle(verb, (request) => run(request, context))

  const scheduled = (why: string) => ({ who: SCHEDULE, why })
  const bodies: Record<keyof Config['schedule'], Omit<Job, 'name' | 'cron'>> = {
    selfTest: { deadlineMs: SELF_TEST_MS, run: async (patience) => void (await testGolden(patience)) },
    drift: { deadlineMs: HOUSEKEEPING_MS, run: () => watch.save() },
    update: {
      deadlineMs: JOB_DEADLINE_MS,
      async run(patience) {
        if (ledger.active(product) === undefined) return
        await runJob(
          { kind: 'update', ...scheduled('confirmed parts, at the time of the schedule') },
          patience,
        )
        await follower.follow()
      },
    },
    compaction: {
      deadlineMs: JOB_DEADLINE_MS,
      async run(patience) {
        if (ledger.active(product) === undefined) return
        await runJob({ kind: 'compact', ...scheduled('compaction, at the time of the schedule') }, patience)
        await follower.follow()
      },
    },
    archive: {
      deadlineMs: HOUSEKEEPING_MS,
      async run() {
        const cleaned = await archive?.clean()
        const root = join(stateDirectory, 'repositories')
        const pruned = await pruneRepositories(root, product, ledger, { keep: config.keep.repositories })
        log.info({ parts: cleaned?.removed.length ?? 0, repositories: pruned.removed.length }, 'cleaned up')
      },
    },
    backup: {
      deadlineMs: HOUSEKEEPING_MS,
      async run(patience) {
        const { folder = join(stateDirectory, 'backup'), keep } = config.backup
        const report = await backUp({
          stateDirectory,
          folder,
          keep,
          ledger,
          wallClock: Date.now,
          signal: patience,
        })
        log.info({ folder: report.folder, files: report.files, bytes: report.bytes }, 'backed up')
        for (const { path, detail } of report.damaged) alarm('BACKUP_DAMAGED', `${path}: ${detail}`)
        if (report.skipped.length > 0) log.warn({ skipped: report.skipped }, 'not backed up')
      },
    },
  }
  await mkdir(stateDirectory, { recursive: true })
  const schedule = await openSchedule({
    jobs: Object.entries(bodies).map(([name, body]) => ({
      name,
      cron: config.schedule[name as keyof Config['schedule']],
      ...body,
    })),
    file: join(stateDirectory, 'schedule.json'),
    clock,
    wallClock: Date.now,
    log,
    tell,
  })
  defer(() => schedule.close())

  return {
    context,
    archive,
    isTeaching: () => teaching.isCapturing,
    onVerdict(verdict, about) {
      watch.see(verdict)
      teaching.offer(about)
      archive?.offer(partToKeep(verdict, about))
    },
  }
}

/** What a job has done to the repository, for whoever subscribes to events. */
function tellOf(
  { result, repositoryId, previousId, admitted, refused, gate }: WorkReport,
  { log, tell, alarm }: Pick<CareOptions, 'log' | 'tell'> & { alarm(code: string, detail: string): void },
): void {
  const failed =
    gate?.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name}: ${detail}`) ?? []
  log.info(
    { result, repositoryId, previousId, admitted: admitted.length, refused: refused.length, failed },
    'repository job',
  )
  const of = `${admitted.length} parts admitted, ${refused.length} refused`
  switch (result) {
    case 'suspicious': {
      const resembling = refused.filter(({ reason }) => reason === 'resembles-defect')
      const parts = resembling.slice(0, 5).map(({ partId }) => partId)
      return alarm(
        'POISONING_SUSPECTED',
        `${resembling.length} parts confirmed as good resemble known defects: ${parts.join(', ')}`,
      )
    }
    case 'refused':
      return tell({
        kind: 'repository',
        code: 'REFUSED',
        detail: `candidate ${repositoryId ?? ''} was refused, ${of}: ${failed.join('; ')}`,
      })
    case 'candidate':
      return tell({
        kind: 'repository',
        code: 'CANDIDATE',
        detail: `candidate ${repositoryId ?? ''} waits for its promotion, ${of}`,
      })
    case 'promoted':
      return tell({
        kind: 'repository',
        code: 'PROMOTED',
        detail: `repository ${repositoryId ?? ''} was promoted, ${of}`,
      })
    case 'unchanged':
      return
  }
}
