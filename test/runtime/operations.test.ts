import { join } from 'node:path'
import t, { type Test } from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { OPERATIONS, type OperationName, type OperationsContext } from '../../runtime/operations.ts'
import { openPartArchive } from '../../runtime/part-archive.ts'
import type { PartFacts } from '../../runtime/part-index.ts'
import type { RepositoryJob } from '../../runtime/repository-job.ts'
import { keptPart } from '../support/kept-part.ts'
import { writeNamed } from '../support/put-into-use.ts'

const never = new AbortController().signal
const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string]
const by = { by: 'ada', why: 'dust on the lens' }

/** A station of nuts, with a real ledger and archive; jobs, self-tests and teachings are only noted. */
async function makeStation(t: Test) {
  const folder = t.testdir()
  const root = join(folder, 'repositories')
  const ledger = openLedger(root)
  const archive = await openPartArchive({
    folder: join(folder, 'archive'),
    role: 'owner',
    clock: monotonicClock,
    bounds: { recentParts: 10_000, rejectBytes: 2 ** 30, rejectDays: 36_500 },
  })
  t.teardown(async () => {
    await archive.close(never)
    ledger.close()
  })
  const done: unknown[] = []
  const context: OperationsContext = {
    product: 'nut',
    ledger,
    archive,
    signal: never,
    jobs: {
      run: async (job: RepositoryJob) => {
        done.push(job)
        return { product: 'nut', result: 'unchanged', admitted: [], refused: [], remarks: [] }
      },
    },
    follower: { follow: async () => void done.push('follow') },
    teaching: {
      begin: async (asked) => {
        done.push(asked)
        return { parts: asked.parts } as never
      },
      stop: async (asked) => {
        done.push({ stop: asked })
        return { captured: 7, parts: 30 }
      },
    },
    selfTest: async () => ({ result: 'PASS' }),
  }
  const ask = (verb: OperationName, request: unknown, changes: Partial<OperationsContext> = {}) =>
    OPERATIONS[verb].run(request, { ...context, ...changes })
  const keep = async (seq: number, fields: Partial<PartFacts> = {}) => {
    archive.offer(keptPart(seq, fields))
    await archive.idle(never)
  }
  const use = async (...ids: string[]) => {
    for (const repositoryId of ids) {
      await writeNamed(root, 'nut', repositoryId)
      const about = { product: 'nut', repositoryId, who: 'eve', why: 'better' }
      ledger.record({ ...about, action: 'candidate' })
      ledger.promote({ ...about, expectedActive: ledger.active('nut') })
    }
  }
  const entries = () => ledger.history({ limit: 50 })
  return { ledger, archive, done, ask, keep, use, entries }
}

t.test('whoever changes something says who they are and why; what does not fit is refused', async (t) => {
  const { ask, entries, done } = await makeStation(t)
  const asked: Partial<Record<OperationName, object>> = {
    accept: { triggerIds: ['run-1'] },
    confirm: { from: '2026-03-01T06:00:00Z', to: '2026-03-01T07:00:00Z' },
    withdraw: { triggerIds: ['run-1'] },
    teach: { parts: 20 },
    'stop-teaching': {},
    update: {},
    forget: { partIds: [] },
    promote: { repositoryId: 'aaaaaa' },
    rollback: {},
    rebuild: {},
  }
  for (const [verb, request] of Object.entries(asked)) {
    const refused = (changes: object) =>
      t.rejects(ask(verb as OperationName, { ...request, ...changes }), { code: 'BAD_COMMAND' }, verb)
    await refused({ why: 'no name' })
    await refused({ by: 'ada' })
    await refused({ ...by, by: '' })
    await refused({ ...by, why: 'x'.repeat(1001) })
    await refused({ ...by, another: 1 })
  }
  t.same(entries(), [])
  t.same(done, [])
})

t.test('accepted parts wait for the next update, and the ledger says who accepted them', async (t) => {
  const { ask, keep, archive, entries } = await makeStation(t)
  await keep(1, { outcome: 'fail' })
  await keep(2, { outcome: 'fail', product: 'bolt' })
  const reply = await ask('accept', { ...by, transaction: 't-1', triggerIds: ['run-1', 'run-2', 'nobody'] })
  t.same(reply, {
    confirmed: ['run-1'],
    refused: [
      { triggerId: 'run-2', why: 'unknown' },
      { triggerId: 'nobody', why: 'unknown' },
    ],
  })
  t.match(archive.find('run-1'), { confirmed: 'accepted', confirmedBy: 'ada', confirmedWhy: by.why })
  const figures = { count: 1, triggerIds: ['run-1'] }
  t.match(entries(), [{ action: 'accept', product: 'nut', who: 'ada', why: by.why, figures }])
  await ask('accept', { ...by, triggerIds: ['nobody'] })
  t.equal(entries().length, 1, 'nothing accepted is no entry')
  await t.rejects(ask('accept', { ...by, triggerIds: [] }), { code: 'BAD_COMMAND' })
})

t.test('a part that is still on its way to the disk can be accepted already', async (t) => {
  const { ask, archive } = await makeStation(t)
  archive.offer(keptPart(1, { outcome: 'fail' }))
  t.match(await ask('accept', { ...by, triggerIds: ['run-1'] }), { confirmed: ['run-1'] })
})

t.test('a confirmed lot is what passed in that time', async (t) => {
  const { ask, keep, archive, entries } = await makeStation(t)
  for (const seq of [1, 2, 3]) await keep(seq)
  await keep(4, { outcome: 'fail' })
  await keep(5, { product: 'bolt' })
  const [from, to] = [archive.find('run-2')!.time, archive.find('run-5')!.time]
  t.same(await ask('confirm', { ...by, from, to }), {
    confirmed: ['run-3', 'run-2'],
    refused: [],
    inspected: 3,
    notPassed: 1,
  })
  t.match(archive.find('run-4'), { confirmed: 'none' })
  t.match(entries(), [{ action: 'confirm', figures: { count: 2, lot: { from, to, inspected: 3 } } }])
  await t.rejects(ask('confirm', { ...by, from, to }), { code: 'BAD_COMMAND' }, 'twice says so')
  await t.rejects(ask('confirm', { ...by, from: to, to: from }), { code: 'BAD_COMMAND' })
  await t.rejects(ask('confirm', { ...by, from: 'yesterday', to }), { code: 'BAD_COMMAND' })
  t.equal(entries().length, 1)
})

t.test('a lot of thousands is the wrong lot', async (t) => {
  const { ask, archive } = await makeStation(t)
  const many = Array.from({ length: 5000 }, () => archive.search({ limit: 1 })[0])
  const huge = Object.create(archive, {
    idle: { value: async () => undefined },
    search: { value: () => many },
  })
  const asked = { ...by, from: '2026-03-01T06:00:00Z', to: '2026-03-02T06:00:00Z' }
  await t.rejects(ask('confirm', asked, { archive: huge }), { code: 'BAD_COMMAND', message: /smaller lot/ })
})

t.test('what was confirmed can be taken back until a repository has learned from it', async (t) => {
  const { ask, keep, archive, entries } = await makeStation(t)
  for (const seq of [1, 2, 3]) await keep(seq, { outcome: 'fail' })
  await ask('accept', { ...by, triggerIds: ['run-1', 'run-2'] })
  await archive.markUsed(['run-2'], a)
  const triggerIds = ['run-1', 'run-2', 'run-3', 'nobody', 'run-1']
  t.same(await ask('withdraw', { ...by, triggerIds }), {
    withdrawn: ['run-1'],
    refused: ['run-2', 'run-3', 'nobody'],
  })
  t.same(archive.search({ used: 'no', confirmed: 'accepted', limit: 9 }), [], 'none is learned from')
  t.match(entries()[0], { action: 'confirm', who: 'ada', figures: { withdrawn: ['run-1'], count: 1 } })
  const before = entries().length
  await ask('withdraw', { ...by, triggerIds })
  t.equal(entries().length, before, 'nothing taken back is no entry')
  t.match(await ask('accept', { ...by, triggerIds: ['run-1', 'run-3'] }), { confirmed: ['run-1', 'run-3'] })
})

t.test('a lot that was taken back can be confirmed anew', async (t) => {
  const { ask, keep, archive } = await makeStation(t)
  await keep(1)
  const { time } = archive.find('run-1')!
  const lot = { ...by, from: time, to: time }
  await ask('confirm', lot)
  await ask('withdraw', { ...by, triggerIds: ['run-1'] })
  t.match(await ask('confirm', lot), { confirmed: ['run-1'] })
  t.equal(archive.search({ used: 'no', confirmed: 'lot', limit: 9 }).length, 1)
})

t.test('without an archive nothing can be confirmed, and the reason is told', async (t) => {
  const { ask } = await makeStation(t)
  const lot = { from: '2026-03-01T06:00:00Z', to: '2026-03-01T07:00:00Z' }
  for (const [verb, request] of [
    ['accept', { triggerIds: ['run-1'] }],
    ['withdraw', { triggerIds: ['run-1'] }],
    ['confirm', lot],
  ] as const) {
    const refused = ask(verb, { ...by, ...request }, { archive: undefined })
    await t.rejects(refused, { code: 'ARCHIVE_UNREADABLE', message: /keeps no archive/ }, verb)
  }
})

t.test('update, forget, promote and rebuild are jobs, and the station follows what they did', async (t) => {
  const { ask, use, done } = await makeStation(t)
  await use(a, b)
  const who = { who: 'ada', why: by.why }
  const jobs: [OperationName, object, object][] = [
    ['update', {}, { kind: 'update', ...who }],
    ['update', { keepCandidate: true }, { kind: 'update', ...who, keepCandidate: true }],
    ['forget', { partIds: [] }, { kind: 'compact', ...who }],
    ['forget', { partIds: ['part-7'] }, { kind: 'compact', ...who, forget: ['part-7'] }],
    ['promote', { repositoryId: a.slice(0, 6) }, { kind: 'promote', id: a, ...who }],
    ['rebuild', {}, { kind: 'rebuild', ...who }],
  ]
  for (const [verb, request, job] of jobs) {
    t.match(await ask(verb, { ...by, ...request }), { result: 'unchanged' }, verb)
    t.strictSame(done.splice(0), [job, 'follow'], verb)
  }
})

t.test('what a job throws reaches whoever asked', async (t) => {
  const { ask, done } = await makeStation(t)
  const jobs = { run: () => Promise.reject(Object.assign(new Error('later'), { code: 'JOB_BUSY' })) }
  await t.rejects(ask('update', by, { jobs }), { code: 'JOB_BUSY' })
  t.same(done, [])
})

t.test('a repository is named by as many of its first characters as tell it from others', async (t) => {
  const { ask, use } = await makeStation(t)
  await use(a, `${'a'.repeat(10)}${'b'.repeat(54)}`)
  const promote = (repositoryId: string) => ask('promote', { ...by, repositoryId })
  await t.rejects(promote('aaaaaa'), { code: 'BAD_COMMAND', message: /2 repositories of nut begin/ })
  await t.rejects(promote('cccccc'), { code: 'BAD_COMMAND', message: /no repository of nut begins/ })
  await t.rejects(promote('aaaaa'), { code: 'BAD_COMMAND' }, 'too short')
  await t.rejects(promote('../etc'), { code: 'BAD_COMMAND' })
  await t.resolves(promote('aaaaaaaaaab'))
})

t.test('rolling back asks no gate: it is in the ledger and followed at once', async (t) => {
  const { ask, use, done, ledger } = await makeStation(t)
  await t.rejects(ask('rollback', by), { code: 'REPOSITORY_UNKNOWN' }, 'nothing was ever in use')
  await use(a)
  await t.rejects(ask('rollback', by), { code: 'REPOSITORY_UNKNOWN' }, 'nothing was before it')
  await use(b, c)
  t.same(done, [])
  t.same(await ask('rollback', by), { repositoryId: b, previousId: c })
  t.same(done.splice(0), ['follow'])
  t.same(await ask('rollback', { ...by, repositoryId: a.slice(0, 8) }), { repositoryId: a, previousId: b })
  await t.rejects(ask('rollback', { ...by, repositoryId: a }), { code: 'LEDGER_CONFLICT' })
  t.equal(ledger.active('nut'), a)
  t.match(ledger.history({ limit: 1 }), [{ action: 'rollback', who: 'ada', why: by.why }])
})

t.test('a teaching begins with as many parts as make one', async (t) => {
  const { ask, done } = await makeStation(t)
  t.match(await ask('teach', { ...by, parts: 30 }), { parts: 30 })
  t.same(done, [{ parts: 30, restart: false, who: 'ada', why: by.why }])
  await t.rejects(ask('teach', { ...by, parts: 3 }), { code: 'BAD_COMMAND' })
})

t.test('a teaching is stopped by somebody, for a reason', async (t) => {
  const { ask, done } = await makeStation(t)
  t.same(await ask('stop-teaching', by), { captured: 7, parts: 30 })
  t.same(done, [{ stop: { who: 'ada', why: by.why } }])
})

t.test('self-test and history need no reason, and no request at all', async (t) => {
  const { ask, use } = await makeStation(t)
  t.same(await ask('self-test', {}), { result: 'PASS' })
  t.same(await ask('history', {}), { active: undefined, entries: [] })
  await use(a, b)
  t.match(await ask('history', { transaction: 't' }), {
    active: b,
    entries: [{ seq: 4, action: 'promote' }, { seq: 3 }, { seq: 2 }, { seq: 1 }],
  })
  t.match(await ask('history', { limit: 1, before: 4 }), { entries: [{ seq: 3, action: 'candidate' }] })
  await t.rejects(ask('history', { limit: 201 }), { code: 'BAD_COMMAND' })
})
