/**
 * What people and lines may ask of a running station about its product's repository. One table: MQTT commands and the HTTP interface are
 * doors to it. Whoever asks says who they are and why; it stands in the ledger.
 */
import * as z from 'zod'
import type { Confirmed, PartArchive } from './part-archive.ts'
import type { JobRunner } from './job-runner.ts'
import type { Ledger } from './ledger.ts'
import type { LiveTeaching } from './live-teaching.ts'
import type { RepositoryJob } from './repository-job.ts'
import type { RepositoryFollower } from './repository-follower.ts'
import { RuntimeError } from './runtime-error.ts'

export interface OperationsContext {
  readonly product: string
  readonly ledger: Ledger
  readonly archive: PartArchive | undefined
  readonly jobs: Pick<JobRunner, 'run'>
  readonly follower: Pick<RepositoryFollower, 'follow'>
  readonly signal: AbortSignal
  readonly teaching: Pick<LiveTeaching, 'begin' | 'stop'>
  /** Golden parts through the running model. */
  selfTest(signal: AbortSignal): Promise<Record<string, unknown>>
}

export interface Operation {
  readonly schema: z.ZodType
  /** One sentence for docs and interfaces. */
  readonly about: string
  /** @param request what the schema has let through. @throws RuntimeError BAD_COMMAND for what does not fit, and what the work throws. */
  run(request: unknown, context: OperationsContext): Promise<Record<string, unknown>>
}

const transaction = { transaction: z.string().max(200).optional().describe('Echoed in the reply.') }
const reasons = {
  ...transaction,
  by: z.string().min(1).max(200).describe('Who asks: a person, or a system of the line.'),
  why: z.string().min(1).max(1000).describe('In a few words; it stands in the ledger.'),
}
const triggerId = z.string().min(1).max(1000)
const triggerIds = z.array(triggerId).min(1).max(1000).describe('Ids that the verdicts carry.')
const repositoryId = z
  .string()
  .regex(/^[0-9a-f]{6,64}$/)
  .describe('Id of the repository, or its first 6 characters or more.')
const time = z.iso.datetime().describe('ISO 8601, UTC.')

/** So many parts are a sign that the wrong lot was named. */
const MOST_IN_LOT = 5000

export const acceptCommandSchema = z
  .strictObject({ ...reasons, triggerIds })
  .describe(
    'Payload of cmd/accept: these parts were rejected and are good. The next update learns from them.',
  )

export const confirmCommandSchema = z
  .strictObject({ ...reasons, from: time, to: time })
  .describe(
    'Payload of cmd/confirm: the line has found the lot good that was inspected in this time. The next update learns from the parts of it that passed.',
  )

export const withdrawCommandSchema = z
  .strictObject({ ...reasons, triggerIds })
  .describe(
    'Payload of cmd/withdraw: takes cmd/accept or cmd/confirm back for these parts, unless a repository has learned from them already.',
  )

export const teachCommandSchema = z
  .strictObject({
    ...reasons,
    parts: z.int().min(4).max(5000).describe('Good parts that the line shows next.'),
    restart: z
      .boolean()
      .default(false)
      .describe('Drops an interrupted teaching instead of going on with it.'),
  })
  .describe(
    'Payload of cmd/teach: the next parts are good, a repository is made of them and put into use if the gate lets it through. The reply comes at once, an event when it is done.',
  )

export const stopTeachingCommandSchema = z
  .strictObject({ ...reasons, why: reasons.why.describe('In a few words; an event says it.') })
  .describe(
    'Payload of cmd/stop-teaching: the next parts are not put away any more. cmd/teach goes on with those that were.',
  )

export const updateCommandSchema = z
  .strictObject({
    ...reasons,
    keepCandidate: z.boolean().optional().describe('Leaves the candidate for cmd/promote.'),
  })
  .describe(
    'Payload of cmd/update: a new repository learns from what was confirmed, and is put into use if the gate lets it through.',
  )

export const forgetCommandSchema = z
  .strictObject({
    ...reasons,
    partIds: z
      .array(triggerId)
      .max(1000)
      .describe('Parts that should never have been taught. None: only compact.'),
  })
  .describe('Payload of cmd/forget: a new repository without the rows of these parts, through the gate.')

export const promoteCommandSchema = z
  .strictObject({ ...reasons, repositoryId })
  .describe(
    'Payload of cmd/promote: puts a candidate or an imported repository into use if the gate lets it through.',
  )

export const rollbackCommandSchema = z
  .strictObject({ ...reasons, repositoryId: repositoryId.optional() })
  .describe(
    'Payload of cmd/rollback: back to the repository before, or to one that was in use earlier. Asks no gate.',
  )

export const rebuildCommandSchema = z
  .strictObject(reasons)
  .describe(
    'Payload of cmd/rebuild: the repository in use for the bundle and engine in use, from kept good parts where it must be.',
  )

export const selfTestCommandSchema = z
  .strictObject(transaction)
  .describe(
    'Payload of cmd/self-test; an empty payload is allowed too. The golden parts go through the running model.',
  )

export const historyCommandSchema = z
  .strictObject({
    ...transaction,
    limit: z.int().min(1).max(200).default(20),
    before: z.int().min(1).optional(),
  })
  .describe('Payload of cmd/history; an empty payload is allowed too. Entries of the ledger, newest first.')

export const OPERATIONS = {
  accept: operation(
    acceptCommandSchema,
    'Accepts false rejects: the next update learns from them.',
    async (request, context) => {
      const { triggerIds, by: who, why } = request
      const archive = await settledArchive(context)
      const { product } = context
      const confirmed = await archive.confirm(triggerIds, { as: 'accepted', who, why, product })
      recordConfirmed(context, 'accept', { who, why, confirmed })
      return { ...confirmed }
    },
  ),
  confirm: operation(
    confirmCommandSchema,
    'Confirms a good lot: the next update learns from its parts that passed.',
    async (request, context) => {
      const { from, to, by: who, why } = request
      const { product } = context
      const archive = await settledArchive(context)
      const lot = archive.search({ product, from, to, limit: MOST_IN_LOT })
      if (lot.length === MOST_IN_LOT)
        throw bad(
          `more than ${MOST_IN_LOT - 1} parts were inspected between ${from} and ${to}: name a smaller lot`,
        )
      const passed = lot.filter(
        ({ outcome, confirmed, used }) => outcome === 'pass' && (confirmed === 'none' || used === WITHDRAWN),
      )
      if (passed.length === 0)
        throw bad(`no part passed between ${from} and ${to} that is kept and not confirmed already`)
      const ids = passed.map((part) => part.triggerId)
      const confirmed = await archive.confirm(ids, { as: 'lot', who, why })
      recordConfirmed(context, 'confirm', { who, why, confirmed, lot: { from, to, inspected: lot.length } })
      return {
        ...confirmed,
        inspected: lot.length,
        notPassed: lot.filter(({ outcome }) => outcome !== 'pass').length,
      }
    },
  ),
  withdraw: operation(
    withdrawCommandSchema,
    'Takes confirmations back.',
    async ({ triggerIds, by: who, why }, context) => {
      const archive = archiveOf(context)
      const { product, ledger } = context
      const open = [...new Set(triggerIds)].filter((id) => {
        const record = archive.find(id)
        return record?.product === product && record.confirmed !== 'none' && record.used === undefined
      })
      if (open.length > 0) {
        await archive.markUsed(open, WITHDRAWN)
        const figures = { withdrawn: open.slice(0, MOST_NAMED), count: open.length }
        ledger.record({ product, action: 'confirm', who, why, figures })
      }
      return { withdrawn: open, refused: triggerIds.filter((id) => !open.includes(id)) }
    },
  ),
  teach: operation(
    teachCommandSchema,
    'Makes a repository of the next parts.',
    async ({ parts, restart, by: who, why }, { teaching }) => ({
      ...(await teaching.begin({ parts, restart, who, why })),
    }),
  ),
  'stop-teaching': operation(
    stopTeachingCommandSchema,
    'Stops teaching of the next parts.',
    async ({ by: who, why }, { teaching }) => ({ ...(await teaching.stop({ who, why })) }),
  ),
  update: operation(
    updateCommandSchema,
    'Learns from what was confirmed.',
    ({ by, why, keepCandidate }, context) =>
      job(context, { kind: 'update', who: by, why, ...(keepCandidate && { keepCandidate }) }),
  ),
  forget: operation(
    forgetCommandSchema,
    'Takes parts out of the repository, or compacts it.',
    ({ by, why, partIds }, context) =>
      job(context, { kind: 'compact', who: by, why, ...(partIds.length > 0 && { forget: partIds }) }),
  ),
  promote: operation(
    promoteCommandSchema,
    'Puts a candidate into use, through the gate.',
    ({ by, why, repositoryId }, context) =>
      job(context, { kind: 'promote', id: wholeId(repositoryId, context), who: by, why }),
  ),
  rollback: operation(
    rollbackCommandSchema,
    'Goes back to a repository that was in use before.',
    async (request, context) => {
      const { by: who, why, repositoryId } = request
      const { product, ledger, follower } = context
      const wanted = repositoryId === undefined ? {} : { repositoryId: wholeId(repositoryId, context) }
      const entry = ledger.rollback({ product, who, why, ...wanted })
      await follower.follow()
      return { repositoryId: entry.repositoryId, previousId: entry.previousId }
    },
  ),
  rebuild: operation(
    rebuildCommandSchema,
    'Makes the repository anew for the bundle and engine in use.',
    ({ by, why }, context) => job(context, { kind: 'rebuild', who: by, why }),
  ),
  'self-test': operation(
    selfTestCommandSchema,
    'Shows the golden parts to the running model.',
    (_, context) => context.selfTest(context.signal),
  ),
  history: operation(
    historyCommandSchema,
    'What happened to the repositories, by whom and why.',
    async ({ limit, before }, context) => {
      const { product, ledger } = context
      const entries = ledger.history({ product, limit, ...(before !== undefined && { before }) })
      return { active: ledger.active(product), entries }
    },
  ),
} as const satisfies Record<string, Operation>

export type OperationName = keyof typeof OPERATIONS

/** What a part that was confirmed and taken back is marked with instead of a repository that learned from it. */
const WITHDRAWN = 'withdrawn'
/** On a busy line there are always parts that wait: what was there by then is what can be confirmed. */
const SETTLE_MS = 2000
/** Entries of the ledger are bounded. */
const MOST_NAMED = 200

function operation<Schema extends z.ZodType>(
  schema: Schema,
  about: string,
  run: (request: z.infer<Schema>, context: OperationsContext) => Promise<Record<string, unknown>>,
): Operation {
  return {
    schema,
    about,
    async run(request, context) {
      const parsed = schema.safeParse(request)
      if (!parsed.success) throw bad(z.prettifyError(parsed.error))
      return run(parsed.data, context)
    },
  }
}

async function job(context: OperationsContext, asked: RepositoryJob): Promise<Record<string, unknown>> {
  const report = await context.jobs.run(asked, context.signal)
  await context.follower.follow()
  return { ...report }
}

/** The only repository of the product that begins like this, of those that were ever made or used. */
function wholeId(prefix: string, { ledger, product }: OperationsContext): string {
  const known = [...new Set([...ledger.candidates(product), ...ledger.promoted(product)])]
  const meant = known.filter((id) => id.startsWith(prefix))
  if (meant.length === 1) return meant[0]!
  const found =
    meant.length === 0
      ? `no repository of ${product} begins`
      : `${meant.length} repositories of ${product} begin`
  throw bad(`${found} with '${prefix}'`)
}

/** With the parts that waited to be kept: a person is quicker than a slow disk. */
async function settledArchive(context: OperationsContext): Promise<PartArchive> {
  const archive = archiveOf(context)
  const patience = AbortSignal.any([context.signal, AbortSignal.timeout(SETTLE_MS)])
  await archive.idle(patience).catch(() => context.signal.throwIfAborted())
  return archive
}

/** @throws RuntimeError ARCHIVE_UNREADABLE when there is none. */
export function archiveOf({ archive }: Pick<OperationsContext, 'archive'>): PartArchive {
  if (archive !== undefined) return archive
  throw new RuntimeError('ARCHIVE_UNREADABLE', 'this station keeps no archive of parts: see its alarms')
}

function recordConfirmed(
  { ledger, product }: OperationsContext,
  action: 'accept' | 'confirm',
  {
    who,
    why,
    confirmed,
    ...more
  }: { who: string; why: string; confirmed: Confirmed; lot?: Record<string, unknown> },
): void {
  if (confirmed.confirmed.length === 0) return
  const figures = {
    ...more,
    count: confirmed.confirmed.length,
    triggerIds: confirmed.confirmed.slice(0, MOST_NAMED),
  }
  ledger.record({ product, action, who, why, figures })
}

const bad = (detail: string): RuntimeError => new RuntimeError('BAD_COMMAND', detail)
