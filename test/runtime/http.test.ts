import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { INPUT_SIZE } from '../../models/features.ts'
import { openSearch } from '../../models/nearest.ts'
import { makeRepository, saveRepository } from '../../models/repository.ts'
import type { PartToKeep } from '../../runtime/archived-part.ts'
import { HTTP_ROUTES } from '../../runtime/http-routes.ts'
import { openHttp, type HttpOptions } from '../../runtime/http.ts'
import { JobError } from '../../runtime/job-runner.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { openApi } from '../../runtime/openapi.ts'
import { OPERATIONS, type OperationsContext } from '../../runtime/operations.ts'
import { openPartArchive } from '../../runtime/part-archive.ts'
import type { RepositoryJob } from '../../runtime/repository-job.ts'
import type { WorkReport } from '../../runtime/repository-work.ts'
import { RuntimeError } from '../../runtime/runtime-error.ts'
import { keptPart } from '../support/kept-part.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const taught = await taughtRepository(search)
await search.release()
const variant = (seed: number) => makeRepository({ ...taught, manifest: { ...taught.manifest, seed } })

const document = openApi(HTTP_ROUTES)
const ajv = new Ajv2020({ strict: false, validateFormats: false }).addSchema(document, 'api')
const by = { by: 'ana', why: 'dust on the lens' }
const report: WorkReport = { product: 'nut', result: 'unchanged', admitted: [], refused: [], remarks: [] }
const never = new AbortController().signal

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  json(): Record<string, unknown>
}

/** What a browser cannot do, a script can: any Host, any Origin, no body. */
function ask(
  url: string,
  path: string,
  { body, ...options }: RequestOptions & { body?: string | Buffer } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, agent: false, ...options }, (response) => {
      buffer(response).then((all) => {
        const { statusCode: status = 0, headers } = response
        const json = () => JSON.parse(all.toString()) as Record<string, unknown>
        resolve({ status, headers, body: all, json })
      }, reject)
    })
    asked.once('error', reject)
    asked.end(body)
  })
}

const post = (url: string, verb: string, payload: unknown): Promise<Answer> =>
  ask(url, `/api/v1/commands/${verb}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payload),
  })

interface Station {
  readonly url: string
  readonly context: OperationsContext
  readonly jobs: RepositoryJob[]
  readonly root: string
  readonly logged: unknown[]
  followed: number
  close(): Promise<void>
}

/** A station's state directory with a scripted runner of jobs, and the interface on a free port. */
async function openStation(
  t: Test,
  {
    parts = [],
    run = async () => report,
    context: changes = {},
    ...options
  }: {
    parts?: readonly PartToKeep[]
    run?: OperationsContext['jobs']['run']
    context?: Partial<OperationsContext>
  } & Partial<Omit<HttpOptions, 'context'>> = {},
): Promise<Station> {
  const folder = t.testdir()
  const root = join(folder, 'repositories')
  const ledger = openLedger(root)
  const bounds = { recentParts: 1000, rejectBytes: 2 ** 30, rejectDays: 36_500 }
  const archive = await openPartArchive({
    folder: join(folder, 'archive'),
    role: 'owner',
    clock: monotonicClock,
    bounds,
  })
  for (const part of parts) {
    archive.offer(part)
    await archive.idle(never)
  }
  const jobs: RepositoryJob[] = []
  const logged: unknown[] = []
  const station = { followed: 0 }
  const context: OperationsContext = {
    product: 'nut',
    ledger,
    archive,
    jobs: {
      run(job, signal) {
        jobs.push(job)
        return run(job, signal)
      },
    },
    follower: { follow: async () => void (station.followed += 1) },
    teaching: {
      begin: async ({ parts }) => ({ captured: 0, parts }),
      stop: async () => ({ captured: 0, parts: 4 }),
    },
    signal: never,
    selfTest: async () => ({ result: 'UNTESTED' }),
    ...changes,
  }
  const http = await openHttp({
    host: '127.0.0.1',
    port: 0,
    context,
    repositoriesFolder: root,
    status: () => ({ host: 'ready', repositoryId: 'a' }),
    log: { debug: () => undefined, error: (...about: unknown[]) => void logged.push(about) },
    ...options,
  })
  t.teardown(async () => {
    await http.close()
    await archive.close(never)
    ledger.close()
  })
  return Object.assign(station, { url: http.url, context, jobs, root, logged, close: http.close })
}

/** What is answered is what docs/openapi.json says. */
function mustFit(t: Test, answer: Answer, name: string): void {
  const validate = ajv.compile({ $ref: `api#/components/schemas/${name}` })
  t.ok(validate(answer.json()), `${name}: ${ajv.errorsText(validate.errors)}`)
}

function mustRefuse(t: Test, answer: Answer, expected: { status: number; code: string }): void {
  t.match({ status: answer.status, ...answer.json() }, { status: 'error', error: { code: expected.code } })
  t.equal(answer.status, expected.status, expected.code)
  t.notMatch(answer.body.toString(), /\.ts:\d|\bat .*\(/, 'no stack')
  mustFit(t, answer, 'Refusal')
}

function deferred<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((yes) => (resolve = yes))
  return { promise, resolve }
}

/** 4 is a reject with its map, 5 nothing was decided of. */
const hot = { values: new Float32Array(INPUT_SIZE ** 2).fill(2) }
const placement = { frameWidth: 16, frameHeight: 16, side: 16, padTop: 0, padLeft: 0 }
const PARTS = [
  keptPart(1),
  keptPart(2, { product: 'bolt' }),
  keptPart(3, { partId: 'Lot 7/3', flags: ['captured-late'], condition: 'rgb-only' }),
  { ...keptPart(4, { outcome: 'fail' }), map: { ...hot, placement } },
  keptPart(5, { outcome: 'unknown', triggerId: 'run/../5 %' }),
]

t.test('whether the station lives', async (t) => {
  const { url } = await openStation(t)
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  const answer = await ask(url, '/healthz')
  t.equal(answer.status, 200)
  t.same(answer.json(), { host: 'ready', repositoryId: 'a' })
  t.match(answer.headers, {
    'content-type': /application\/json/,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  })
})

t.test('the repository in use, the others and their history', async (t) => {
  const { url, context, root } = await openStation(t)
  t.match((await ask(url, '/api/v1/repository')).json(), { product: 'nut', repositories: [], history: [] })
  const other = variant(2)
  for (const repository of [taught, other]) await saveRepository(join(root, 'nut', repository.id), repository)
  const entry = { product: 'nut', who: 'ana', why: 'new lamps' }
  context.ledger.promote({ ...entry, repositoryId: taught.id, expectedActive: undefined, figures: { a: 1 } })
  context.ledger.record({ ...entry, action: 'candidate', repositoryId: other.id })
  context.ledger.record({ ...entry, product: 'bolt', action: 'alarm' })
  const answer = await ask(url, '/api/v1/repository')
  t.match(answer.json(), {
    active: taught.id,
    repositories: [
      { repositoryId: taught.id, state: 'in-use', who: 'ana', taught: 6 },
      { repositoryId: other.id, state: 'candidate' },
    ],
    history: [{ action: 'candidate' }, { action: 'promote', figures: { a: 1 } }],
  })
  mustFit(t, answer, 'Repositories')
  t.notMatch(answer.body.toString(), root, 'not where it lies')
  t.match((await ask(url, '/api/v1/repository?limit=1')).json().history, { length: 1 })
  t.match((await ask(url, '/api/v1/repository?before=2')).json().history, [{ seq: 1 }])
  for (const query of [
    'limit=0',
    'limit=201',
    'limit=x',
    'limit=',
    'before=0',
    'limit=1&limit=2',
    'last=3',
  ]) {
    mustRefuse(t, await ask(url, `/api/v1/repository?${query}`), { status: 400, code: 'BAD_REQUEST' })
  }
})

t.test(
  'a repository that cannot be believed is listed with its problem, and not with where it lies',
  async (t) => {
    const { url, root } = await openStation(t)
    await saveRepository(join(root, 'nut', 'e'.repeat(64)), taught)
    const answer = await ask(url, '/api/v1/repository')
    mustFit(t, answer, 'Repositories')
    t.match(answer.json(), { repositories: [{ state: 'not-in-ledger', problem: /holds repository/ }] })
    t.notMatch(answer.body.toString(), root)
  },
)

t.test('parts are searched by everything that is known of them, newest first', async (t) => {
  const { url } = await openStation(t, { parts: PARTS })
  const found = async (query: string): Promise<string> => {
    const answer = await ask(url, `/api/v1/parts${query}`)
    t.equal(answer.status, 200, query)
    mustFit(t, answer, 'Parts')
    return (answer.json().parts as { seq: number }[]).map(({ seq }) => seq).join()
  }
  await post(url, 'accept', { ...by, triggerIds: ['run-4'] })
  for (const [query, seqs] of [
    ['', '5,4,3,2,1'],
    ['?product=bolt', '2'],
    ['?outcome=fail', '4'],
    ['?condition=rgb-only', '3'],
    ['?confirmed=accepted', '4'],
    ['?confirmed=none&product=nut', '5,3,1'],
    ['?from=2026-03-01T06:04:00Z', '5,4'],
    ['?to=2026-03-01T06:02:00Z', '2,1'],
    ['?text=lot%207', '3'],
    ['?text=late', '3'],
    ['?text=%25', '5'],
    ['?limit=2', '5,4'],
  ] as const) {
    t.equal(await found(query), seqs, query)
  }
  for (const query of [
    'outcome=good',
    'from=yesterday',
    'limit=1001',
    'limit=1.5',
    'product=a&product=b',
    'colour=red',
    `text=${'x'.repeat(201)}`,
  ]) {
    mustRefuse(t, await ask(url, `/api/v1/parts?${query}`), { status: 400, code: 'BAD_REQUEST' })
  }
})

t.test('one part by its trigger, whatever the id is made of', async (t) => {
  const { url } = await openStation(t, { parts: PARTS })
  const answer = await ask(url, `/api/v1/parts/${encodeURIComponent('run/../5 %')}`)
  t.match(answer.json(), { seq: 5, triggerId: 'run/../5 %', hasFrames: true })
  mustFit(t, answer, 'Part')
  mustRefuse(t, await ask(url, '/api/v1/parts/run-9'), { status: 404, code: 'PART_UNKNOWN' })
})

t.test('pictures of a part: what was seen, the map, and one on the other', async (t) => {
  const { url } = await openStation(t, { parts: PARTS })
  const png = async (path: string) => {
    const answer = await ask(url, `/api/v1/parts/${path}`)
    t.equal(answer.status, 200, path)
    t.match(answer.headers, { 'content-type': 'image/png', 'cache-control': /private, max-age/ })
    return sharp(answer.body)
  }
  const heatmap = await png('run-4/heatmap.png')
  t.match(await heatmap.metadata(), { format: 'png', depth: 'ushort', width: 16, height: 16 })
  const { data } = await heatmap
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true })
  t.equal(data.readUInt16LE(0), 32_768, 'twice the threshold')
  const seen = await (await png('run-4/picture.png')).removeAlpha().raw().toBuffer()
  t.same(seen, Buffer.from(PARTS[3]!.sample!.frames.rgb!.pixels), 'without loss')
  const overlay = await png('run-4/overlay.png')
  t.match(await overlay.metadata(), { format: 'png', width: 16, height: 16 })
  t.notSame(await overlay.removeAlpha().raw().toBuffer(), seen)
  const undecided = encodeURIComponent('run/../5 %')
  await png(`${undecided}/picture.png`)
  for (const [path, code] of [
    [`${undecided}/overlay.png`, 'PICTURE_ABSENT'],
    [`${undecided}/heatmap.png`, 'PICTURE_ABSENT'],
    ['run-1/picture.png', 'PICTURE_ABSENT'],
    ['run-9/picture.png', 'PART_UNKNOWN'],
  ] as const) {
    mustRefuse(t, await ask(url, `/api/v1/parts/${path}`), { status: 404, code })
  }
  mustRefuse(t, await ask(url, '/api/v1/parts/run-4/picture.jpg'), { status: 404, code: 'ROUTE_UNKNOWN' })
  mustRefuse(t, await ask(url, '/api/v1/parts/run-4/picture.png?size=9'), {
    status: 400,
    code: 'BAD_REQUEST',
  })
})

t.test('commands are those of the table, and answered as over MQTT', async (t) => {
  const station = await openStation(t, { parts: PARTS })
  const { url, context, jobs } = station
  const accepted = await post(url, 'accept', { ...by, triggerIds: ['run-4', 'run-9'], transaction: 'x' })
  t.same(
    [accepted.status, accepted.json()],
    [
      200,
      {
        status: 'ok',
        transaction: 'x',
        data: { confirmed: ['run-4'], refused: [{ triggerId: 'run-9', why: 'unknown' }] },
      },
    ],
  )
  mustFit(t, accepted, 'Reply')
  t.match(context.archive?.find('run-4'), { confirmed: 'accepted', confirmedBy: 'ana', confirmedWhy: by.why })
  t.match(context.ledger.history({ limit: 1 }), [{ action: 'accept', who: 'ana', why: by.why }])
  t.same((await post(url, 'update', { ...by, keepCandidate: true })).json(), { status: 'ok', data: report })
  t.same(jobs, [{ kind: 'update', who: 'ana', why: by.why, keepCandidate: true }])
  t.equal(station.followed, 1)
  t.match((await post(url, 'history', { limit: 1 })).json(), { data: { entries: [{ action: 'accept' }] } })
  for (const options of [{}, { headers: { 'content-type': 'application/json' } }]) {
    const answer = await ask(url, '/api/v1/commands/self-test', { method: 'POST', ...options })
    t.same(answer.json(), { status: 'ok', data: { result: 'UNTESTED' } }, 'an empty body is an empty request')
  }
  const utf8 = { method: 'POST', headers: { 'content-type': 'application/json; charset=utf-8' }, body: '{}' }
  t.equal((await ask(url, '/api/v1/commands/self-test', utf8)).status, 200)
})

t.test('every command is there and refuses what its schema does not know', async (t) => {
  const { url, jobs, context } = await openStation(t)
  for (const verb of Object.keys(OPERATIONS)) {
    const refused = await post(url, verb, { nonsense: true, transaction: 't' })
    mustRefuse(t, refused, { status: 400, code: 'BAD_COMMAND' })
    t.equal(refused.json().transaction, 't')
    for (const payload of [null, [], 7, 'text', { ['__proto__']: { by: 'eve' }, constructor: 1 }]) {
      mustRefuse(t, await post(url, verb, payload), { status: 400, code: 'BAD_COMMAND' })
    }
  }
  mustRefuse(t, await post(url, 'reboot', {}), { status: 404, code: 'ROUTE_UNKNOWN' })
  mustRefuse(t, await post(url, '__proto__', {}), { status: 404, code: 'ROUTE_UNKNOWN' })
  mustRefuse(t, await post(url, 'self-test?now', {}), { status: 400, code: 'BAD_REQUEST' })
  t.same([jobs, context.ledger.history({ limit: 9 })], [[], []])
})

t.test('what a job says no with decides the status', async (t) => {
  let error: Error = new Error('a bug')
  const { url, context, logged, root } = await openStation(t, { run: () => Promise.reject(error) })
  const update = () => post(url, 'update', { ...by, transaction: 't' })
  mustRefuse(t, await update(), { status: 500, code: 'COMMAND_FAILED' })
  t.match(logged, [[{ error: { message: 'a bug' } }]], 'with its stack, in the log')
  for (const [thrown, status] of [
    [new RuntimeError('JOB_BUSY', 'another works'), 409],
    [new JobError('LEDGER_CONFLICT', 'another is in use'), 409],
    [new JobError('NOT_TAUGHT', 'never taught'), 409],
    [new JobError('PART_UNREADABLE', 'damaged'), 500],
    [new RuntimeError('JOB_FAILED', 'killed'), 500],
  ] as const) {
    error = thrown
    const refused = await update()
    mustRefuse(t, refused, { status, code: thrown.code })
    t.match(refused.json(), { transaction: 't', error: { detail: thrown.message } })
  }
  mustRefuse(t, await post(url, 'rollback', by), { status: 404, code: 'REPOSITORY_UNKNOWN' })
  await saveRepository(join(root, 'nut', taught.id), taught)
  const entry = { product: 'nut', who: 'ana', why: 'first' }
  context.ledger.promote({ ...entry, repositoryId: taught.id, expectedActive: undefined })
  const inUse = { ...by, repositoryId: taught.id }
  // Of those that were in use only.
  mustRefuse(t, await post(url, 'rollback', inUse), { status: 409, code: 'LEDGER_CONFLICT' })
})

t.test('a station without an archive still answers everything else', async (t) => {
  const { url } = await openStation(t, { context: { archive: undefined } })
  for (const path of ['', '/run-1', '/run-1/picture.png']) {
    mustRefuse(t, await ask(url, `/api/v1/parts${path}`), { status: 500, code: 'ARCHIVE_UNREADABLE' })
  }
  t.equal((await ask(url, '/healthz')).status, 200)
})

t.test('a name that is not this station’s is refused: DNS rebinding', async (t) => {
  const { url, jobs } = await openStation(t)
  const { port } = new URL(url)
  for (const host of [`127.0.0.1:${port}`, 'localhost', `LOCALHOST:1`, '[::1]:80', '127.0.0.1']) {
    t.equal((await ask(url, '/healthz', { headers: { host } })).status, 200, host)
  }
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    'localhost.evil',
    '192.168.0.9',
    'evil@127.0.0.1',
    '127.0.0.1/evil',
    '127.0.0.1:x',
    ' ',
  ]) {
    for (const path of ['/healthz', '/nowhere', '/api/v1/parts/run-1/picture.png']) {
      mustRefuse(t, await ask(url, path, { headers: { host } }), { status: 403, code: 'HOST_REFUSED' })
    }
    const headers = { host, 'content-type': 'application/json' }
    const refused = await ask(url, '/api/v1/commands/update', {
      method: 'POST',
      headers,
      body: JSON.stringify(by),
    })
    mustRefuse(t, refused, { status: 403, code: 'HOST_REFUSED' })
  }
  t.same(jobs, [])
})

t.test('a configured name is the station’s own, also one for all addresses', async (t) => {
  const all = await openStation(t, { host: '0.0.0.0' })
  const { port } = new URL(all.url)
  t.equal((await ask(`http://127.0.0.1:${port}`, '/healthz')).status, 200, 'the address that it came to')
  t.equal((await ask(`http://127.0.0.1:${port}`, '/healthz', { headers: { host: 'evil' } })).status, 403)
  const named = await openStation(t, { host: 'localhost' })
  t.match(named.url, 'http://127.0.0.1:')
})

t.test('a page from elsewhere is refused, its own page is not', async (t) => {
  const { url, jobs } = await openStation(t)
  const { port } = new URL(url)
  const from = (origin: string, path = '/api/v1/commands/update', method = 'POST') =>
    ask(url, path, {
      method,
      headers: { origin, 'content-type': 'application/json' },
      ...(method === 'POST' && { body: JSON.stringify(by) }),
    })
  for (const origin of [
    'http://evil.example',
    `http://127.0.0.1:${Number(port) + 1}`,
    `http://localhost:${port}`,
    'null',
    '',
    'file://',
  ]) {
    mustRefuse(t, await from(origin), { status: 403, code: 'ORIGIN_REFUSED' })
    mustRefuse(t, await from(origin, '/healthz', 'GET'), { status: 403, code: 'ORIGIN_REFUSED' })
  }
  t.same(jobs, [])
  t.equal((await from(url)).status, 200)
  t.equal(jobs.length, 1)
})

t.test('only JSON, and not too much of it', async (t) => {
  const { url, jobs } = await openStation(t)
  const send = (type: string | undefined, body: string | Buffer) =>
    ask(url, '/api/v1/commands/update', {
      method: 'POST',
      headers: type === undefined ? {} : { 'content-type': type },
      body,
    })
  const text = JSON.stringify(by)
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'json',
  ]) {
    mustRefuse(t, await send(type, text), { status: 415, code: 'BODY_NOT_JSON' })
  }
  mustRefuse(t, await send(undefined, text), { status: 415, code: 'BODY_NOT_JSON' })
  mustRefuse(t, await send('application/json', '{'), { status: 400, code: 'BAD_REQUEST' })
  mustRefuse(t, await send('application/json', Buffer.from([0xff, 0xfe])), {
    status: 400,
    code: 'BAD_REQUEST',
  })
  const large = JSON.stringify({ ...by, why: 'x'.repeat(70_000) })
  mustRefuse(t, await send('application/json', large), { status: 413, code: 'BODY_TOO_LARGE' })
  const chunked = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  const streamed = await ask(url, '/api/v1/commands/update', {
    method: 'POST',
    headers: chunked,
    body: large,
  })
  mustRefuse(t, streamed, { status: 413, code: 'BODY_TOO_LARGE' })
  t.same(jobs, [])
})

t.test('other methods are refused and told which is meant; nothing is said to other origins', async (t) => {
  const { url } = await openStation(t, { parts: [PARTS[3]!] })
  for (const path of ['/healthz', '/api/v1/parts/run-4/picture.png']) {
    const [got, head] = [await ask(url, path), await ask(url, path, { method: 'HEAD' })]
    t.equal(head.status, 200)
    t.equal(head.body.length, 0)
    t.equal(head.headers['content-length'], String(got.body.length))
  }
  for (const [method, path, allow] of [
    ['OPTIONS', '/healthz', 'GET, HEAD'],
    ['POST', '/api/v1/parts', 'GET, HEAD'],
    ['PUT', '/api/v1/parts/run-4', 'GET, HEAD'],
    ['DELETE', '/api/v1/parts/run-4', 'GET, HEAD'],
    ['GET', '/api/v1/commands/update', 'POST'],
    ['OPTIONS', '/api/v1/commands/update', 'POST'],
  ] as const) {
    const answer = await ask(url, path, { method })
    mustRefuse(t, answer, { status: 405, code: 'METHOD_REFUSED' })
    t.equal(answer.headers.allow, allow)
    t.notOk(Object.keys(answer.headers).some((name) => name.startsWith('access-control')))
  }
  t.equal((await ask(url, '/api/v1/commands/update', { method: 'HEAD' })).status, 405)
  t.equal((await ask(url, '/', { method: 'TRACE' })).status, 404)
  mustRefuse(t, await ask(url, '/'), { status: 404, code: 'ROUTE_UNKNOWN' })
  mustRefuse(t, await ask(url, '/api/v1/parts/%zz'), { status: 400, code: 'BAD_REQUEST' })
  t.equal((await ask(url, `/api/v1/parts/${'x'.repeat(1001)}`)).status, 414)
})

t.test('the description is served as it is generated', async (t) => {
  const { url } = await openStation(t)
  t.same((await ask(url, '/api/v1/openapi.json')).json(), document)
})

t.test('whoever asks may go: the job goes on, and the station follows it', async (t) => {
  const started = deferred<AbortSignal>()
  const ended = deferred<WorkReport>()
  const followed = deferred<void>()
  const { url } = await openStation(t, {
    run(_, signal) {
      started.resolve(signal)
      return ended.promise
    },
    context: { follower: { follow: async () => followed.resolve() } },
  })
  const leaving = new AbortController()
  const options = { method: 'POST', headers: { 'content-type': 'application/json' }, signal: leaving.signal }
  const asked = ask(url, '/api/v1/commands/update', { ...options, body: JSON.stringify(by) })
  const signal = await started.promise
  leaving.abort()
  await t.rejects(asked, { name: 'AbortError' })
  t.equal((await ask(url, '/healthz')).status, 200)
  t.equal(signal.aborted, false)
  ended.resolve(report)
  await followed.promise
})

t.test('nobody waits for a long job, nor for the others', async (t) => {
  const ended = deferred<WorkReport>()
  const { url } = await openStation(t, { parts: PARTS, run: () => ended.promise })
  const long = post(url, 'update', by)
  const paths = [
    '/healthz',
    '/api/v1/parts',
    '/api/v1/parts/run-4',
    '/api/v1/parts/run-4/overlay.png',
    '/nowhere',
  ]
  const answers = await Promise.all([1, 2, 3, 4].flatMap(() => paths.map((path) => ask(url, path))))
  t.same(
    answers.map(({ status }) => status),
    [1, 2, 3, 4].flatMap(() => [200, 200, 200, 200, 404]),
  )
  ended.resolve(report)
  t.same((await long).json(), { status: 'ok', data: report })
})

t.test('a long job keeps its connection', async (t) => {
  const started = deferred<void>()
  const ended = deferred<WorkReport>()
  const { url } = await openStation(t, {
    run() {
      started.resolve()
      return ended.promise
    },
    limits: { requestMs: 400, keepAliveMs: 10, stalledMs: 400 },
  })
  const long = post(url, 'update', by)
  await started.promise
  // Who begins later and sends nothing is cut off earlier.
  await closed(await slow(url, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n'))
  ended.resolve(report)
  t.same((await long).json(), { status: 'ok', data: report })
})

/** A client that sends this and no more. */
async function slow(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  if (text !== '') socket.write(text)
  return socket
}

async function closed(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  if (!socket.closed) await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

t.test('a client that is too slow is cut off, in its headers, its body and between requests', async (t) => {
  const { url, jobs } = await openStation(t, { limits: { requestMs: 400, keepAliveMs: 20 } })
  const head =
    'POST /api/v1/commands/update HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const cutOff = [
    ['', /^$|408/],
    [head, /408/],
    [`${head}Content-Length: 100\r\n\r\n{"by"`, /408/],
    ['GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', /200 OK/],
  ] as const
  await Promise.all(
    cutOff.map(async ([text, answer]) => t.match(await closed(await slow(url, text)), answer)),
  )
  t.match(await closed(await slow(url, 'no HTTP at all\r\n\r\n')), /400 Bad Request/)
  t.match(await closed(await slow(url, 'GET /healthz HTTP/1.0\r\n\r\n')), /403 Forbidden/, 'without a name')
  t.same(jobs, [])
})

t.test('a client that does not read is cut off', async (t) => {
  const { url, close } = await openStation(t, {
    status: () => ({ text: 'x'.repeat(2 ** 25) }),
    limits: { stalledMs: 50, closeMs: 600_000 },
  })
  const socket = await slow(url, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  socket.pause()
  // The answer has begun.
  await once(socket, 'readable')
  await close()
  socket.destroy()
  t.pass('the only connection has ended')
})

t.test('connections are bounded', async (t) => {
  const { url } = await openStation(t, { limits: { connections: 2 } })
  const held = [await slow(url, 'GET'), await slow(url, 'GET')]
  t.equal(await closed(await slow(url, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')), '')
  held[0]?.end('\r\n\r\n')
  await closed(held[0]!)
  const [answer] = await Promise.all([ask(url, '/healthz')])
  t.equal(answer.status, 200)
  held[1]?.destroy()
})

t.test('closing waits for its deadline at most, and aborts no job', async (t) => {
  const started = deferred<AbortSignal>()
  const { url, close } = await openStation(t, {
    run(_, signal) {
      started.resolve(signal)
      return new Promise(() => undefined)
    },
    limits: { closeMs: 30 },
  })
  const asked = post(url, 'update', by)
  const idle = await slow(url, '')
  const signal = await started.promise
  const cutOff = t.rejects(asked)
  await close()
  await cutOff
  await closed(idle)
  t.equal(signal.aborted, false)
  await t.rejects(ask(url, '/healthz'), { code: 'ECONNREFUSED' })
  await close()
})

t.test('closing lets an answer out that is nearly ready', async (t) => {
  const started = deferred<void>()
  const ended = deferred<WorkReport>()
  const { url, close } = await openStation(t, {
    run() {
      started.resolve()
      return ended.promise
    },
    limits: { closeMs: 600_000 },
  })
  const asked = post(url, 'update', by)
  await started.promise
  const closing = close()
  ended.resolve(report)
  t.equal((await asked).status, 200)
  await closing
})

t.test('a station that stops says so to whoever waits for a job', async (t) => {
  const stop = new AbortController()
  const started = deferred<void>()
  const { url } = await openStation(t, {
    run: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        started.resolve()
      }),
    context: { signal: stop.signal },
  })
  const asked = post(url, 'update', by)
  await started.promise
  stop.abort()
  mustRefuse(t, await asked, { status: 503, code: 'SHUTTING_DOWN' })
})

t.test('a port in use is an error with its number in it', async (t) => {
  const { url } = await openStation(t)
  const port = Number(new URL(url).port)
  await t.rejects(openStation(t, { port }), { code: 'HTTP_UNAVAILABLE', message: `127.0.0.1:${port}` })
  await t.rejects(openStation(t, { host: 'no-such-name.invalid' }), { code: 'HTTP_UNAVAILABLE' })
})

t.test('no path and no query makes the station fail, or leads out of the archive', async (t) => {
  const { url, logged } = await openStation(t, { parts: PARTS })
  const raw = fc.stringMatching(/^[!-~]{0,40}$/)
  const piece = fc.oneof(
    raw,
    fc.string({ unit: 'binary', maxLength: 20 }).map(encode),
    fc.constantFrom('..', '%2e%2e', '%2F..%2F', '%00', '%ff', '.', '', 'run-4', 'index.sqlite', '__proto__'),
  )
  const query = fc
    .array(
      fc.tuple(
        fc.oneof(fc.constantFrom('text', 'from', 'limit', 'product', 'outcome', 'before'), piece),
        piece,
      ),
    )
    .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'))
  const path = fc.oneof(
    fc.array(piece, { maxLength: 5 }).map((pieces) => `/${pieces.join('/')}`),
    fc
      .tuple(piece, fc.constantFrom('', '/overlay.png', '/heatmap.png', '/picture.png'))
      .map(([id, kind]) => `/api/v1/parts/${id}${kind}`),
    fc.constantFrom('/api/v1/parts', '/api/v1/repository', '/healthz'),
    piece.map((verb) => `/api/v1/commands/${verb}`),
  )
  const known = new Set(PARTS.map(({ facts }) => facts.triggerId))
  await fc.assert(
    fc.asyncProperty(path, query, async (path, query) => {
      const asked = `${path}${query === '' ? '' : `?${query}`}`
      const answer = await ask(url, asked)
      const isFine = [200, 400, 404, 405, 414].includes(answer.status)
      if (!isFine) throw new Error(`${answer.status} for ${asked}`)
      if (answer.status !== 200 || !path.startsWith('/api/v1/parts/')) return
      const id = decodeURIComponent(path.split(/[?#]/)[0]!.split('/')[4] ?? '')
      if (!known.has(id)) throw new Error(`there is no part of ${asked}`)
    }),
    { numRuns: 400, seed: 4 },
  )
  t.same(logged, [])
})

/** Also of halves of characters. */
function encode(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}
