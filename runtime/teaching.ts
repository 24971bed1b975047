/**
 * A teaching that can be interrupted: every captured part is on the disk before the next one counts, and beside the parts lies
 * session.json, which says what was asked for. The same command goes on where the former one ended, however that ended. When its repository
 * is in use the parts move to the shelf of good ones, and session.json still says which they were, so that some can be left out afterwards.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { messageOf } from '../drivers/message-of.ts'
import { makeFolder, replaceFile, writeFolder } from '../models/durable-folder.ts'
import { PartShelf } from '../models/part-shelf.ts'
import { PartError, type StoredPart } from '../models/stored-part.ts'
import { openDatabase, sqliteCodeOf, type Database } from './database.ts'
import { RuntimeError } from './runtime-error.ts'
import { goodShelf, type ShelvesConfig } from './shelves.ts'

const SESSION_SCHEMA = 'radar-edge/teaching@1'
const SESSION_FILE = 'session.json'

const ids = z.array(z.string())
const sessionSchema = z.strictObject({
  schema: z.literal(SESSION_SCHEMA),
  product: z.string(),
  source: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('sensors'), parts: z.int().positive() }),
    z.strictObject({ kind: z.literal('data'), folder: z.string() }),
    /** Parts that the running station was asked to inspect. */
    z.strictObject({ kind: z.literal('line'), parts: z.int().positive() }),
  ]),
  seed: z.int(),
  /** Wall clock, ISO 8601; also the session's name in the notes of its parts. */
  startedAt: z.iso.datetime(),
  /** Of the first part: names go on where former teachings ended. */
  firstNumber: z.int().positive(),
  /** Its repository was put into use, and the parts have moved to the shelf of good ones. */
  finished: z.exactOptional(z.strictObject({ repositoryId: z.string(), taught: ids, heldOut: ids })),
})
type Session = z.infer<typeof sessionSchema>

/** What is asked for. Going on with an interrupted teaching takes the same again. */
export type TeachingPlan = Pick<Session, 'product' | 'source' | 'seed'>

/** Of parts that the running station captures: the same command again goes on with them. */
export function linePlan(product: string, parts: number): TeachingPlan {
  return { product, source: { kind: 'line', parts }, seed: 1 }
}

export interface OpenTeachingOptions {
  /** Drops an interrupted teaching. */
  readonly restart: boolean
  /** Takes the parts of the last teaching instead of new ones when that was finished. */
  readonly again: boolean
}

export interface PartToTeach {
  readonly partId: string
  /** Stays out of the banks. */
  readonly heldOut: boolean
}

export interface Teaching {
  readonly folder: string
  readonly firstNumber: number
  /** Of a teaching that is finished and taught again: its parts, in their order. */
  readonly parts?: readonly PartToTeach[]
  /** Ids of the parts that were captured before. */
  captured(): Promise<ReadonlySet<string>>
  /** Undefined for one that was not captured yet, or that cannot be read. */
  load(partId: string, what: 'features' | 'all'): Promise<StoredPart | undefined>
  /** On the disk when it resolves. */
  keep(part: Captured): Promise<void>
  /** @returns what whoever taught should know, in sentences. */
  finish(result: TeachingResult): Promise<string[]>
  close(): void
}

export type Captured = Omit<StoredPart, 'product' | 'label' | 'note'> & { readonly heldOut: boolean }

export interface TeachingResult {
  readonly repositoryId: string
  readonly taught: readonly string[]
  readonly heldOut: readonly string[]
  /** Left out for good. */
  readonly excluded: readonly string[]
}

/** "rdte" */
const LOCK_ID = 0x72647465
const MOST_PARTS = 10_000
const MOST_BYTES = 2 ** 40
const PART_NAME = /^teach-(\d{1,9})$/

/** The name of the n-th part that a station's own sensors show to a teaching. */
export const partName = (number: number): string => `teach-${number}`

/**
 * @throws RuntimeError TEACHING_UNFINISHED when an interrupted teaching of the product was asked for otherwise, TEACHING_FAILED when another
 * process is teaching it.
 */
export async function openTeaching(
  config: ShelvesConfig,
  plan: TeachingPlan,
  options: OpenTeachingOptions,
): Promise<Teaching> {
  const { product } = plan
  const root = join(config.stateDirectory, 'teaching')
  await makeFolder(root)
  const lock = lockOf(join(root, `${product}.lock`), product)
  try {
    const folder = join(root, product)
    const shelf = new PartShelf({ folder, mostParts: MOST_PARTS, mostBytes: MOST_BYTES, whenFull: 'refuse' })
    const good = goodShelf(config, product)
    await shelf.tidy()
    const former = options.restart ? undefined : await readSession(folder)
    const isWanted = former !== undefined && (former.finished === undefined || options.again)
    const goesOn = isWanted && isSamePlan(former, plan)
    if (isWanted && !goesOn) await refuseOtherPlan(former, shelf, folder)
    const session = goesOn ? former : await beginSession({ folder, shelf, good, plan })
    return makeTeaching({ folder, shelf, good, session, lock })
  } catch (error) {
    lock.close()
    throw error
  }
}

interface Open {
  readonly folder: string
  readonly shelf: PartShelf
  readonly good: PartShelf
  readonly session: Session
  readonly lock: Database
}

function makeTeaching({ folder, shelf, good, session, lock }: Open): Teaching {
  const { finished, startedAt, product } = session
  const isOurs = ({ note }: Pick<StoredPart, 'note'>): boolean => note?.['teaching'] === startedAt
  return {
    folder,
    firstNumber: session.firstNumber,
    ...(finished && {
      parts: [
        ...finished.taught.map((partId) => ({ partId, heldOut: false })),
        ...finished.heldOut.map((partId) => ({ partId, heldOut: true })),
      ],
    }),
    async captured() {
      // Some have moved when it was killed at its very end.
      const moved = (await good.list()).parts.filter(isOurs)
      const { parts } = await shelf.list()
      return new Set([...parts, ...moved].map(({ partId }) => partId))
    },
    async load(partId, what) {
      for (const each of [shelf, good]) {
        try {
          const part = await each.load(partId, what)
          if (isOurs(part)) return part
        } catch (error) {
          if (!(error instanceof PartError)) throw error
        }
      }
      return undefined
    },
    async keep({ heldOut, ...part }) {
      const note = { origin: 'taught', teaching: startedAt, heldOut }
      // One that is taught again is where it belongs already.
      await (finished ? good : shelf).add({ ...part, product, label: 'good', note })
    },
    async finish({ repositoryId, taught, heldOut, excluded }) {
      const { victims } = await good.takeFrom(shelf, [...taught, ...heldOut])
      for (const partId of excluded) await good.remove(partId)
      const done = { ...session, finished: { repositoryId, taught: [...taught], heldOut: [...heldOut] } }
      await replaceFile(join(folder, SESSION_FILE), encoded(done))
      // Twins, and what was excluded.
      for (const { partId } of (await shelf.list()).parts) await shelf.remove(partId)
      const given = victims.filter((id) => taught.includes(id) || heldOut.includes(id))
      if (given.length === 0) return []
      return [
        `${given.length} of the taught parts were not kept, there is no room for them (keep.goodParts, keep.goodMebibytes): updates will calibrate without them`,
      ]
    },
    close: () => lock.close(),
  }
}

async function beginSession({
  folder,
  shelf,
  good,
  plan,
}: Pick<Open, 'folder' | 'shelf' | 'good'> & { readonly plan: TeachingPlan }): Promise<Session> {
  await shelf.clear()
  const numbers = (await good.list()).parts.map(({ partId }) => Number(PART_NAME.exec(partId)?.[1] ?? 0))
  const session = {
    schema: SESSION_SCHEMA,
    ...plan,
    startedAt: new Date().toISOString(),
    firstNumber: numbers.reduce((most, number) => Math.max(most, number), 0) + 1,
  } as const
  await writeFolder(folder, new Map([[SESSION_FILE, encoded(session)]]))
  return session
}

const encoded = (session: Session): Uint8Array => Buffer.from(`${JSON.stringify(session, null, 2)}\n`)

async function readSession(folder: string): Promise<Session | undefined> {
  const file = join(folder, SESSION_FILE)
  try {
    return sessionSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    const advice = 'start anew with --restart'
    throw new RuntimeError('TEACHING_UNFINISHED', `${file} cannot be read (${messageOf(error)}): ${advice}`, {
      cause: error,
    })
  }
}

function isSamePlan(a: TeachingPlan, b: TeachingPlan): boolean {
  return a.product === b.product && a.seed === b.seed && sourceText(a) === sourceText(b)
}

function sourceText({ source }: Pick<TeachingPlan, 'source'>): string {
  switch (source.kind) {
    case 'data':
      return `--data ${source.folder}`
    case 'sensors':
      return `--parts ${source.parts}`
    case 'line':
      return `the command teach for ${source.parts} parts of the running line`
  }
}

/** Nothing is lost with a teaching that has no parts. */
async function refuseOtherPlan(session: Session, shelf: PartShelf, folder: string): Promise<void> {
  const { product, seed, startedAt, finished } = session
  const { parts } = await shelf.list()
  if (finished === undefined && parts.length === 0) return
  const state = finished ? 'was taught' : `was interrupted with ${parts.length} parts captured: it was taught`
  const advice = finished ? 'leave parts out with the same options' : 'go on with the same options'
  throw new RuntimeError(
    'TEACHING_UNFINISHED',
    `'${product}' ${state} with ${sourceText(session)} --seed ${seed} since ${startedAt} (${folder}): ${advice}, or start anew with --restart`,
  )
}

/** Held by the process, so that it is gone with it. */
function lockOf(file: string, product: string): Database {
  try {
    return openDatabase(file, {
      applicationId: LOCK_ID,
      tables: 'CREATE TABLE lock (held INTEGER)',
      journal: 'wal',
      exclusive: true,
      busyMs: 0,
    })
  } catch (error) {
    if (sqliteCodeOf(error)?.startsWith('SQLITE_BUSY') !== true) throw error
    const detail = `another process teaches '${product}' now; ${file} is locked`
    throw new RuntimeError('TEACHING_FAILED', detail, { cause: error })
  }
}
