/** One job on a product's repository, as plain data: the command line does it in its own process, the daemon has a child do it. */
import { existsSync } from 'node:fs'
import { messageOf } from '../drivers/message-of.ts'
import { monotonicClock } from '../drivers/clock.ts'
import { sha256Of } from '../models/content-id.ts'
import type { StoredPart } from '../models/stored-part.ts'
import type { TeachProgress } from '../models/taught-banks.ts'
import type { Config } from './config-schema.ts'
import { partsOfLine } from './good-parts.ts'
import { openPartArchive, type PartArchive } from './part-archive.ts'
import type { ArchiveRecord } from './part-index.ts'
import {
  notTaught,
  promoteRepository,
  rebuildRepository,
  updateRepository,
  type ConfirmedStored,
  type Reasons,
  type UpdateWork,
  type WorkReport,
} from './repository-work.ts'
import { archiveOf } from './shelves.ts'
import { teachInShop } from './teach-work.ts'
import { linePlan, openTeaching } from './teaching.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

export type RepositoryJob = Reasons &
  (
    | { readonly kind: 'update'; readonly keepCandidate?: boolean }
    /** Parts that should never have been taught go; without any, what the byte budget has no room for. */
    | { readonly kind: 'compact'; readonly forget?: readonly string[] }
    | { readonly kind: 'promote'; readonly id: string }
    | { readonly kind: 'rebuild' }
    /** From so many parts that the running station has put away for it. */
    | { readonly kind: 'teach'; readonly parts: number }
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
      case 'teach':
        return await teachFromLine(shop, { ...work, parts: job.parts })
    }
  } finally {
    await shop.close()
  }
}

async function teachFromLine(
  shop: Workshop,
  { parts, onProgress, ...work }: JobOptions & Reasons & { readonly parts: number },
): Promise<WorkReport> {
  const previousId = shop.ledger.active(shop.product)
  const plan = linePlan(shop.product, parts)
  const teaching = await openTeaching(shop.config, plan, { restart: false, again: false })
  try {
    const report = await teachInShop(shop, {
      ...work,
      teaching,
      open: () => partsOfLine(teaching),
      line: { update: (progress) => onProgress?.(progress), finish: () => undefined },
      exclude: [],
      seed: plan.seed,
    })
    const { product, repositoryId, warnings, remarks, outliers } = report
    const odd = outliers.map(
      ({ partId, condition, chance }) =>
        `part '${partId}' looks odd among the others as ${condition} (chance ${chance.toPrecision(2)})`,
    )
    return {
      product,
      result: 'promoted',
      repositoryId,
      ...(previousId !== undefined && { previousId }),
      admitted: [],
      refused: [],
      remarks: [...warnings, ...remarks, ...odd],
    }
  } finally {
    teaching.close()
  }
}

/** Learns from every part that was confirmed since the last time. */
async function updateFromArchive(
  shop: Workshop,
  work: Omit<UpdateWork, 'confirmed' | 'seed'>,
): Promise<WorkReport> {
  const { product, ledger } = shop
  const previousId = ledger.active(product)
  if (previousId === undefined) throw notTaught(product)
  const archive = await openPartArchive({ ...archiveOf(shop.config), role: 'guest', clock: monotonicClock })
  try {
    await reopenUnlearned(archive, shop)
    const waiting = (['accepted', 'lot'] as const).flatMap((confirmed) =>
      archive.search({ product, confirmed, used: 'no', limit: MOST_CONFIRMED }),
    )
    // The oldest first, whoever confirmed them.
    waiting.sort((a, b) => a.seq - b.seq)
    const { confirmed, unusable, remarks } = await loadConfirmed(archive, waiting)
    await archive.markUsed(unusable, 'refused:unusable')
    // Without new parts an update is a compaction, which has its own time.
    if (confirmed.length === 0)
      return { product, previousId, result: 'unchanged', admitted: [], refused: [], remarks }
    const report = await updateRepository(shop, { ...work, confirmed, seed: SEED })
    await markLearned(archive, confirmed, report)
    return { ...report, remarks: [...remarks, ...report.remarks] }
  } finally {
    await archive.close(AbortSignal.timeout(CLOSE_MS))
  }
}

/**
 * No part waits for ever: the same batch would ask the gate again at every time of the schedule. Whoever wants a refused one learned from
 * confirms it again. A suspicious batch waits for a person, whose `withdraw` or `confirm` says which of it is good.
 */
async function markLearned(
  archive: PartArchive,
  confirmed: readonly ConfirmedStored[],
  { result, admitted, refused, repositoryId, previousId }: WorkReport,
): Promise<void> {
  if (result === 'suspicious') return
  // Nothing new in them: the repository in use knows them already.
  const learnedBy = result === 'refused' ? 'refused:gate' : result === 'unchanged' ? previousId : repositoryId
  if (learnedBy !== undefined) await archive.markUsed(admitted, learnedBy)
  for (const { partId, reason } of refused) await archive.markUsed([partId], `refused:${reason}`)
  const judged = new Set([...admitted, ...refused.map(({ partId }) => partId)])
  const ids = confirmed.map(({ stored }) => stored.partId)
  await archive.markUsed(
    ids.filter((id) => !judged.has(id)),
    'refused:unusable',
  )
}

/** What a candidate has learned that nobody promoted, and that is gone by now, is to be learned again. */
async function reopenUnlearned(archive: PartArchive, { product, ledger, folderOf }: Workshop): Promise<void> {
  const promoted = new Set(ledger.promoted(product))
  for (const id of archive.learnedBy(product)) {
    if (!promoted.has(id) && !existsSync(folderOf(id))) await archive.reopen(product, id)
  }
}

async function loadConfirmed(
  archive: PartArchive,
  records: readonly ArchiveRecord[],
): Promise<{ confirmed: ConfirmedStored[]; unusable: string[]; remarks: string[] }> {
  const confirmed: ConfirmedStored[] = []
  const unusable: string[] = []
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
        ...framesHashOf(stored),
        ...doubtOf(record, stored),
      })
    } catch (error) {
      unusable.push(record.triggerId)
      remarks.push(`part '${record.triggerId}' cannot be learned from: ${messageOf(error)}`)
    }
  }
  return { confirmed, unusable, remarks }
}

/** Two triggers that show one exposure are one part, whatever the features' last digits say. */
function framesHashOf({ frames: { rgb, xyz } }: StoredPart): Pick<ConfirmedStored, 'framesHash'> {
  if (rgb === undefined && xyz === undefined) return {}
  const points = xyz?.pointsMetres
  const bytes = points && new Uint8Array(points.buffer, points.byteOffset, points.byteLength)
  return { framesHash: sha256Of(Buffer.concat([rgb?.pixels, bytes].filter((part) => part !== undefined))) }
}

/** A sensor that took no part, or whose picture was the one before, taught nobody anything about the part. */
function doubtOf({ degraded }: ArchiveRecord, { absent }: StoredPart): Pick<ConfirmedStored, 'doubt'> {
  if (Object.values(absent).some(({ reason }) => reason === 'frozen')) return { doubt: 'frozen' }
  return degraded ? { doubt: 'degraded' } : {}
}
