/** The description of the HTTP interface, made from the table of its routes and their zod schemas: OpenAPI 3.1. */
import * as z from 'zod'
import {
  commandReplySchema,
  ledgerEntrySchema,
  partSchema,
  partsSchema,
  refusalSchema,
  repositoriesSchema,
  repositorySchema,
} from './http-messages.ts'
import type { Route } from './http-routes.ts'

type Json = Record<string, unknown>

const NAMED = {
  Part: partSchema,
  Parts: partsSchema,
  Repository: repositorySchema,
  Repositories: repositoriesSchema,
  LedgerEntry: ledgerEntrySchema,
  Reply: commandReplySchema,
  Refusal: refusalSchema,
} as const

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'The path, the query or the body is not what is described here.',
  403: 'The request names another host than this one, or a page from elsewhere sent it.',
  404: 'There is no such thing.',
  409: 'Not now: another job is being done, or another repository is in use by now.',
  413: 'The body is too large.',
  415: 'The body does not say that it is JSON.',
  500: 'It failed.',
  503: 'Too much is asked at once, or the station stops.',
}
const OF_EVERY_ROUTE = [400, 403, 500]
const OF_EVERY_COMMAND = [413, 415, 503]

export function openApi(routes: readonly Route[]): Json {
  const names = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(NAMED)) names.add(schema, { id })
  for (const { operationId, bodySchema } of routes) {
    if (bodySchema !== undefined) names.add(bodySchema, { id: `cmd-${operationId}` })
  }
  const uri = (id: string): string => `#/components/schemas/${id}`
  const { schemas } = z.toJSONSchema(names, { uri, io: 'input', override: withoutReadOnly })
  return {
    openapi: '3.1.0',
    info: {
      title: 'radar-edge',
      version: '1',
      description:
        'A running inspection station: its repository, its archive of parts, and what may be asked of it. No authentication: it listens on loopback unless the config says otherwise.',
    },
    paths: Object.fromEntries(
      routes.map((route) => [route.path, { [route.method.toLowerCase()]: operationOf(route, names) }]),
    ),
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, plain(schema)])),
    },
  }
}

export function openApiText(routes: readonly Route[]): string {
  return `${JSON.stringify(openApi(routes), undefined, 2)}\n`
}

type Names = z.core.$ZodRegistry<{ id: string }>

function operationOf(route: Route, names: Names): Json {
  const { operationId, about, bodySchema, answers, method } = route
  const refusals = [...OF_EVERY_ROUTE, ...(method === 'POST' ? OF_EVERY_COMMAND : []), ...route.refusals]
  return {
    operationId,
    summary: about,
    parameters: [...parametersOf(route.pathSchema, 'path'), ...parametersOf(route.querySchema, 'query')],
    ...(bodySchema && {
      requestBody: { content: { 'application/json': { schema: referTo(bodySchema, names) } } },
    }),
    responses: {
      200: {
        description: about,
        content:
          answers === 'image/png'
            ? { 'image/png': {} }
            : { 'application/json': { schema: referTo(answers, names) } },
      },
      ...Object.fromEntries([...new Set(refusals)].sort().map((status) => [status, refusal(status)])),
    },
  }
}

function parametersOf(parameters: z.ZodObject, where: 'path' | 'query'): Json[] {
  const { required = [] } = z.toJSONSchema(parameters, { io: 'input' })
  return Object.entries<z.ZodType>(parameters.shape).map(([name, value]) => {
    // What comes out of it: all that goes in is text.
    const { description, ...schema } = plain(z.toJSONSchema(value, { io: 'output' }))
    return {
      name,
      in: where,
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema,
    }
  })
}

function refusal(status: number): Json {
  return {
    description: REFUSALS[status],
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } },
  }
}

function referTo(schema: z.ZodType, names: Names): Json {
  const id = names.get(schema)?.id
  if (id !== undefined) return { $ref: `#/components/schemas/${id}` }
  return plain(z.toJSONSchema(schema, { io: 'input' }))
}

/** In TypeScript it is we who may not change it; in OpenAPI it would be whoever asks. */
function withoutReadOnly({ jsonSchema }: { jsonSchema: { readOnly?: boolean } }): void {
  delete jsonSchema.readOnly
}

/** The document says which dialect, and a reference where to look. */
function plain({ $schema: _, $id: __, ...schema }: Json): Json {
  return schema
}
