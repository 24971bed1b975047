/** What the HTTP interface answers: one table, of which the server (http.ts) and docs/openapi.json are made. */
import * as z from 'zod'
import { PartError } from '../models/stored-part.ts'
import type { PictureKind, PictureRequest } from './archived-pictures.ts'
import { HttpError } from './http-error.ts'
import {
  commandReplySchema,
  healthSchema,
  historyQuerySchema,
  noParameters,
  partPathSchema,
  partSchema,
  partsQuerySchema,
  partsSchema,
  repositoriesSchema,
} from './http-messages.ts'
import { openApi } from './openapi.ts'
import { archiveOf, OPERATIONS, type Operation, type OperationsContext } from './operations.ts'
import { transactionOf } from './remote-commands.ts'
import { listingJson, listRepositories, type RepositoryListing } from './repository-listing.ts'

export interface HttpContext {
  readonly context: OperationsContext
  /** Root of the repositories of every product. */
  readonly repositoriesFolder: string
  /** For whoever asks whether the station lives. */
  status(): Record<string, unknown>
  picture(request: PictureRequest): Promise<Buffer>
}

/** What came over the wire. */
export interface Asked {
  readonly path: unknown
  readonly query: unknown
  readonly body: unknown
  /** Whoever asked reads no more. */
  isGone(): boolean
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** As OpenAPI writes it: `{triggerId}` is a parameter. */
  readonly path: string
  readonly operationId: string
  /** One sentence. */
  readonly about: string
  readonly pathSchema: z.ZodObject
  readonly querySchema: z.ZodObject
  readonly bodySchema?: z.ZodType
  readonly answers: z.ZodType | 'image/png'
  /** Statuses of refusals that are not of every route. */
  readonly refusals: readonly number[]
  /** @returns the PNG, or what becomes JSON. @throws HttpError and what the work throws. */
  run(asked: Asked, context: HttpContext): Promise<unknown>
}

export const HTTP_ROUTES: readonly Route[] = [
  reading({
    path: '/healthz',
    operationId: 'health',
    about: 'Whether the station lives, and what it says of itself.',
    pathSchema: noParameters,
    querySchema: noParameters,
    answers: healthSchema,
    refusals: [],
    run: async (_, { status }) => status(),
  }),
  reading({
    path: '/api/v1/repository',
    operationId: 'repository',
    about: 'The repository in use, the others that are kept, and what happened to them.',
    querySchema: historyQuerySchema,
    pathSchema: noParameters,
    answers: repositoriesSchema,
    refusals: [],
    run: repositories,
  }),
  reading({
    path: '/api/v1/parts',
    operationId: 'parts',
    about: 'Searches the archive of inspected parts.',
    querySchema: partsQuerySchema,
    pathSchema: noParameters,
    answers: partsSchema,
    refusals: [],
    async run({ query }, { context }) {
      return { parts: archiveOf(context).search(query) }
    },
  }),
  reading({
    path: '/api/v1/parts/{triggerId}',
    operationId: 'part',
    about: 'One inspected part.',
    pathSchema: partPathSchema,
    querySchema: noParameters,
    answers: partSchema,
    refusals: [404],
    async run({ path: { triggerId } }, { context }) {
      const part = archiveOf(context).find(triggerId)
      if (part !== undefined) return part
      throw new PartError('PART_UNKNOWN', `the archive holds no part of trigger '${triggerId}'`)
    },
  }),
  picture('overlay', 'What the camera saw, or else the shaded depth, with the hot regions painted on it.'),
  picture('heatmap', 'The map as 16-bit grey on an absolute scale: 16384 is the threshold.'),
  picture('picture', 'What the camera saw, or else the shaded depth.'),
  ...Object.entries(OPERATIONS).map(([verb, operation]) => command(verb, operation)),
  reading({
    path: '/api/v1/openapi.json',
    operationId: 'openapi',
    about: 'This description.',
    pathSchema: noParameters,
    querySchema: noParameters,
    answers: z.record(z.string(), z.unknown()).describe('OpenAPI 3.1.'),
    refusals: [],
    run: async () => openApi(HTTP_ROUTES),
  }),
]

interface Reading<Path extends z.ZodObject, Query extends z.ZodObject, Answer extends z.ZodType> {
  readonly path: string
  readonly operationId: string
  readonly about: string
  readonly pathSchema: Path
  readonly querySchema: Query
  readonly answers: Answer
  readonly refusals: readonly number[]
  run(
    asked: { readonly path: z.infer<Path>; readonly query: z.infer<Query> },
    context: HttpContext,
  ): Promise<z.infer<Answer>>
}

function reading<Path extends z.ZodObject, Query extends z.ZodObject, Answer extends z.ZodType>({
  run,
  ...about
}: Reading<Path, Query, Answer>): Route {
  return {
    method: 'GET',
    ...about,
    async run({ path, query }, context) {
      return run({ path: read(about.pathSchema, path), query: read(about.querySchema, query) }, context)
    },
  }
}

function picture(kind: PictureKind, about: string): Route {
  return {
    method: 'GET',
    path: `/api/v1/parts/{triggerId}/${kind}.png`,
    operationId: kind,
    about,
    pathSchema: partPathSchema,
    querySchema: noParameters,
    answers: 'image/png',
    refusals: [404, 503],
    async run({ path, query, isGone }, context) {
      read(noParameters, query)
      const { triggerId } = read(partPathSchema, path)
      return context.picture({ triggerId, kind, isGone })
    },
  }
}

/** Whoever asks may go: what was begun is finished, and stands in the ledger. */
function command(verb: string, { schema, about, run }: Operation): Route {
  return {
    method: 'POST',
    path: `/api/v1/commands/${verb}`,
    operationId: verb,
    about,
    pathSchema: noParameters,
    querySchema: noParameters,
    bodySchema: schema,
    answers: commandReplySchema,
    refusals: [404, 409],
    async run({ query, body }, { context }) {
      read(noParameters, query)
      const data = await run(body, context)
      return { status: 'ok', ...transactionOf(body), data } satisfies z.infer<typeof commandReplySchema>
    },
  }
}

async function repositories(
  { query }: { readonly query: z.infer<typeof historyQuerySchema> },
  { context, repositoriesFolder: root }: HttpContext,
): Promise<z.infer<typeof repositoriesSchema>> {
  const { product, ledger } = context
  const active = ledger.active(product)
  return {
    product,
    ...(active !== undefined && { active }),
    repositories: (await listRepositories({ root, product, ledger })).map(withoutFolder),
    history: ledger.history({ product, ...query }),
  }
}

/** Where it lies is nobody's business over a network. */
function withoutFolder(listing: RepositoryListing) {
  const { folder, problem, ...told } = listingJson(listing)
  if (problem === undefined) return told
  return { ...told, problem: problem.replaceAll(`${folder}/`, '').replaceAll(folder, 'its folder') }
}

function read<Schema extends z.ZodType>(schema: Schema, given: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new HttpError('BAD_REQUEST', z.prettifyError(parsed.error))
}
