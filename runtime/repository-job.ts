/** One job on a product's repository, as plain data: the command line does it in its own process, the daemon has a child do it. */
import { messageOf } from '../drivers/message-of.ts'
import { monotonicClock } from '../drivers/clock.ts'
import type { StoredPart } from '../models/stored-part.ts'
import type { TeachProgress } from '../models/taught-banks.ts'
import type { Config } from './config-schema.ts'
import { openPartArchive, type PartArchive } from './part-archive.ts'
import type { ArchiveRecord } from './part-index.ts'
import {
  promoteRepository,
  rebuildRepository,
  updateRepository,
  type ConfirmedStored,
  type Reasons,
  type UpdateWork,
  type WorkReport,
} from './repository-work.ts'
import { archiveOf } from './shelves.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

export type RepositoryJob = Reasons &
  (
    | { readonly kind: 'update'; readonly keepCandidate?: boolean }
    /** Parts that should never have been taught go; without any, what the byte budget has no room for. */
    | { readonly kind: 'compact'; readonly forget?: readonly string[] }
    | { readonly kind: 'promote'; readonly id: string }
    | { readonly kind: 'rebuild' }
  )

export interface JobOptions {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: TeachProgress) => void
}

/** Of coresets and heads: the same parts make the same repository. */
const SEED = 1
/** One update learns from so many of each kind; the rest wait for the next. */
const MOST_CONFIRMED = 200
const CLOSE_MS = 1000

/** @throws what repository-work.ts throws, and ModelError when the bundle is refused. */
export async function doRepositoryJob(
  config: Config,
  job: RepositoryJob,
  options: JobOptions,
): Promise<WorkReport> {
  const shop = await openWorkshop(config)
  try {
    const work = { ...options, who: job.who, why: job.why }
    switch (job.kind) {
      case 'update':
        return await updateFromArchive(shop, { ...work, ...(job.keepCandidate && { keepCandidate: true }) })
      case 'compact':
        return await updateRepository(shop, {
          ...work,
          confirmed: [],
          seed: SEED,
          ...(job.forget && { forget: job.forget }),
        })
      case 'promote':
        return await promoteRepository(shop, { ...work, id: job.id })
      case 'rebuild':
        return await rebuildRepository(shop, { ...work, seed: SEED })
    }
  } finally {
    await shop.close()
  }
}

/** Learns from every part that was confirmed since the last time. */
async function updateFromArchive(
  shop: Workshop,
  work: Omit<UpdateWork, 'confirmed' | 'seed'>,
): Promise<WorkReport> {
  const archive = await openPartArchive({ ...archiveOf(shop.config), role: 'guest', clock: monotonicClock })
  try {
    const waiting = (['accepted', 'lot'] as const).flatMap((confirmed) =>
      archive.search({ product: shop.product, confirmed, used: 'no', limit: MOST_CONFIRMED }),
    )
    // The oldest first, whoever confirmed them.
    waiting.sort((a, b) => a.seq - b.seq)
    const { confirmed, remarks } = await loadConfirmed(archive, waiting)
    const report = await updateRepository(shop, { ...work, confirmed, seed: SEED })
    if (report.result === 'promoted' || report.result === 'candidate') {
      await archive.markUsed(report.admitted, report.repositoryId!)
    }
    if (report.result !== 'suspicious') {
      for (const { partId, reason } of report.refused) await archive.markUsed([partId], `refused:${reason}`)
    }
    return { ...report, remarks: [...remarks, ...report.remarks] }
  } finally {
    await archive.close(AbortSignal.timeout(CLOSE_MS))
  }
}

async function loadConfirmed(
  archive: PartArchive,
  records: readonly ArchiveRecord[],
): Promise<{ confirmed: ConfirmedStored[]; remarks: string[] }> {
  const confirmed: ConfirmedStored[] = []
  const remarks: string[] = []
  for (const record of records) {
    try {
      const stored = await archive.load(record.triggerId, 'all')
      confirmed.push({
        stored: {
          ...stored,
          note: { ...stored.note, confirmed: record.confirmed, by: record.confirmedBy ?? '' },
        },
        origin: record.confirmed === 'none' ? undefined : record.confirmed,
        ...doubtOf(record, stored),
      })
    } catch (error) {
      remarks.push(`part '${record.triggerId}' cannot be learned from: ${messageOf(error)}`)
    }
  }
  return { confirmed, remarks }
}

/** A sensor that took no part, or whose picture was the one before, taught nobody anything about the part. */
function doubtOf({ degraded }: ArchiveRecord, { absent }: StoredPart): Pick<ConfirmedStored, 'doubt'> {
  if (Object.values(absent).some(({ reason }) => reason === 'frozen')) return { doubt: 'frozen' }
  return degraded ? { doubt: 'degraded' } : {}
}
