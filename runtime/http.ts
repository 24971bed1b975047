/**
 * The only file that imports fastify. A small interface to the running station for the machine that it runs on; without authentication, so
 * it listens on loopback unless the config says otherwise, and refuses what a page from elsewhere makes a browser send. The routes are
 * in http-routes.ts.
 *
 * No verdict waits for it: connections, bodies and waiting pictures are bounded, and whoever sends or reads too slowly is cut off.
 */
import {
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { isIPv6, type AddressInfo } from 'node:net'
import type * as z from 'zod'
import { messageOf } from '../drivers/message-of.ts'
import { picturesFrom } from './archived-pictures.ts'
import { errorCodeOf } from './error-code.ts'
import { HttpError, statusOf } from './http-error.ts'
import type { refusalSchema } from './http-messages.ts'
import { HTTP_ROUTES, type HttpContext, type Route } from './http-routes.ts'
import type { Log } from './log.ts'
import { archiveOf, type OperationsContext } from './operations.ts'
import { transactionOf } from './remote-commands.ts'

export interface HttpOptions {
  /** A name or an address of this machine; 0.0.0.0 or :: for all. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly context: OperationsContext
  /** Root of the repositories of every product. */
  readonly repositoriesFolder: string
  /** What /healthz says. */
  status(): Record<string, unknown>
  readonly log: Pick<Log, 'debug' | 'error'>
  readonly limits?: Partial<HttpLimits>
}

export interface HttpLimits {
  /** At once; one more is closed as soon as it is made. */
  readonly connections: number
  /** From the first byte of a request to its last. */
  readonly requestMs: number
  /** Between two requests. */
  readonly keepAliveMs: number
  /** Of an answer that nobody reads. */
  readonly stalledMs: number
  /** For what is being answered when the interface closes. */
  readonly closeMs: number
}

export interface HttpInterface {
  readonly url: string
  /** Within its deadline; twice is fine. What was begun goes on without its connection. */
  close(): Promise<void>
}

const LIMITS: HttpLimits = {
  connections: 32,
  requestMs: 10_000,
  keepAliveMs: 5000,
  stalledMs: 30_000,
  closeMs: 1000,
}
/** As over MQTT. */
const MOST_BODY_BYTES = 65_536
/** Of a part's id in a path. */
const MOST_PATH_CHARACTERS = 1000
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']
/** Drawn from what never changes. */
const PICTURE_CACHE = 'private, max-age=3600, immutable'

/** @throws HttpError HTTP_UNAVAILABLE */
export async function openHttp(options: HttpOptions): Promise<HttpInterface> {
  const limits = { ...LIMITS, ...options.limits }
  const app = serverOf(options, limits)
  try {
    // Of 'localhost' fastify would make two servers, one of them without our limits.
    const host = options.host === 'localhost' ? '127.0.0.1' : options.host
    await app.listen({ host, port: options.port })
  } catch (cause) {
    await app.close()
    const where = `${hostnameIn(options.host)}:${options.port}`
    const detail = `the HTTP interface cannot listen on ${where}: ${messageOf(cause)}`
    throw new HttpError('HTTP_UNAVAILABLE', detail, { cause })
  }
  const { address, port } = app.server.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    url: `http://${hostnameIn(address)}:${port}`,
    close: () => (closing ??= closeWithin(app, limits.closeMs)),
  }
}

function serverOf(options: HttpOptions, limits: HttpLimits): FastifyInstance {
  const { context, repositoriesFolder, status, log } = options
  const answerError = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const refusal = refusalOf(error, { request, isStopping: context.signal.aborted })
    const about = { method: request.method, path: request.routeOptions.url, code: refusal.code }
    if (refusal.status === 500) log.error({ ...about, error }, 'http')
    else log.debug({ ...about, detail: refusal.detail }, 'http')
    const { code, detail } = refusal
    const body: z.infer<typeof refusalSchema> = {
      status: 'error',
      ...transactionOf(request.body),
      error: { code, detail },
    }
    void reply.code(refusal.status).send(body)
  }
  const app = fastify({
    http: {
      // Node looks for those who are late no more often than this.
      connectionsCheckingInterval: Math.ceil(limits.requestMs / 4),
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
    },
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    bodyLimit: MOST_BODY_BYTES,
    routerOptions: { maxParamLength: MOST_PATH_CHARACTERS },
    frameworkErrors: answerError,
  })
  app.server.maxConnections = limits.connections
  app.server.on('drop', () => log.debug({ connections: limits.connections }, 'too many connections'))

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_: FastifyRequest, body: string) => parseBody(body),
  )
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    mustBeMeant(request, options.host)
  })
  app.addHook('onSend', async (_, reply) => {
    reply.raw.setTimeout(limits.stalledMs, () => reply.raw.destroy())
  })
  app.setErrorHandler(answerError)
  app.setNotFoundHandler((request) => {
    const detail = `nothing answers ${request.method} here; /api/v1/openapi.json says what there is`
    throw new HttpError('ROUTE_UNKNOWN', detail)
  })
  const picture: HttpContext['picture'] = picturesFrom({
    find: (triggerId) => archiveOf(context).find(triggerId),
    load: (triggerId, what) => archiveOf(context).load(triggerId, what),
  })
  for (const route of HTTP_ROUTES) addRoute(app, route, { context, repositoriesFolder, status, picture })
  return app
}

function addRoute(app: FastifyInstance, route: Route, context: HttpContext): void {
  const url = route.path.replace(/\{(\w+)\}/g, ':$1')
  app.route({
    method: route.method,
    url,
    async handler(request, reply) {
      const { params: path, query, body = {} } = request
      const answer = await route.run({ path, query, body, isGone: () => reply.raw.destroyed }, context)
      if (route.answers === 'image/png') {
        void reply.type('image/png').header('cache-control', PICTURE_CACHE)
      }
      return answer
    },
  })
  const allowed = route.method === 'GET' ? 'GET, HEAD' : 'POST'
  app.route({
    method: METHODS.filter((method) => method !== route.method),
    url,
    exposeHeadRoute: route.method !== 'GET',
    // Before its body is read.
    async onRequest(request, reply) {
      void reply.header('allow', allowed)
      throw new HttpError('METHOD_REFUSED', `${request.method} is not for ${route.path}: ${allowed}`)
    },
    handler: async () => undefined,
  })
}

/** Whoever says nothing asks for what needs nothing said, as over MQTT. */
function parseBody(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new HttpError('BAD_REQUEST', `not JSON: ${messageOf(cause)}`, { cause })
  }
}

/** @throws HttpError HOST_REFUSED, ORIGIN_REFUSED */
function mustBeMeant({ headers, socket }: FastifyRequest, configuredHost: string): void {
  const asked = urlOf(headers.host)
  const own = [
    ...LOOPBACK,
    hostnameIn(configuredHost.toLowerCase()),
    hostnameIn(addressOf(socket.localAddress)),
  ]
  if (asked === undefined || !own.includes(asked.hostname)) {
    throw new HttpError('HOST_REFUSED', 'this station is asked for by another name than its own')
  }
  const { origin } = headers
  if (origin === undefined) return
  if (!URL.canParse(origin) || new URL(origin).host !== asked.host) {
    throw new HttpError('ORIGIN_REFUSED', 'a page from elsewhere may not ask this station')
  }
}

function urlOf(authority: string | undefined): URL | undefined {
  const url = `http://${authority}/`
  if (authority === undefined || !/^[\w.:[\]-]+$/.test(authority) || !URL.canParse(url)) return undefined
  return new URL(url)
}

/** Whoever listens on all addresses is asked for by the one that the connection came to. */
function addressOf(localAddress: string | undefined): string {
  return (localAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}

/** As it stands in a URL. */
function hostnameIn(host: string): string {
  return isIPv6(host) ? `[${host}]` : host
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly detail: string
}

function refusalOf(
  error: unknown,
  { request, isStopping }: { request: FastifyRequest; isStopping: boolean },
): Refusal {
  const code = errorCodeOf(error)
  const detail = messageOf(error)
  if (code !== undefined) return { status: statusOf(code), code, detail }
  if (isFromFastify(error)) {
    const { statusCode: status = 500 } = error
    if (status === 413)
      return { status, code: 'BODY_TOO_LARGE', detail: `more than ${MOST_BODY_BYTES} bytes` }
    if (status === 415) return { status, code: 'BODY_NOT_JSON', detail: 'expected application/json' }
    if (status < 500) return { status, code: 'BAD_REQUEST', detail }
  }
  if (isStopping) return { status: 503, code: 'SHUTTING_DOWN', detail: 'the station stops' }
  return { status: 500, code: request.method === 'POST' ? 'COMMAND_FAILED' : 'REQUEST_FAILED', detail }
}

function isFromFastify(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('FST_')
}

async function closeWithin(app: FastifyInstance, closeMs: number): Promise<void> {
  const late = setTimeout(() => app.server.closeAllConnections(), closeMs)
  try {
    await app.close()
  } finally {
    clearTimeout(late)
  }
}
