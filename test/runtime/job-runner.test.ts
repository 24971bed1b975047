import { getPriority } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { configSchema } from '../../runtime/config-schema.ts'
import { JobError, JobRunner, type JobRunnerOptions } from '../../runtime/job-runner.ts'
import type { RepositoryJob } from '../../runtime/repository-job.ts'
import { ended, until } from '../support/processes.ts'

const never = new AbortController().signal
const jobModule = new URL('../support/scripted-job.ts', import.meta.url)

// A job needs tap's TypeScript loader and nothing else of tap: it starts in half the time.
process.execArgv = process.execArgv.filter((argument) => /typescript|source-maps/.test(argument))
delete process.env['NODE_OPTIONS']

const config = configSchema.parse({
  station: { site: 'plant', name: 'cell' },
  product: 'nut',
  sensors: { rgb: { kind: 'synthetic', name: 'camera' } },
  inference: { threads: 4 },
})

const told = (id: string): RepositoryJob => ({ kind: 'promote', id, who: 'ada', why: 'lamps' })

/** @returns also the ids of the processes that it has started, as they have said themselves. */
function makeRunner(t: Test, options: Partial<JobRunnerOptions> = {}) {
  const pids: number[] = []
  const runner = new JobRunner({
    config,
    deadlineMs: 60_000,
    jobModule,
    onProgress: (_, { phase }) => pids.push(Number(phase.split(' ')[1])),
    ...options,
  })
  const noneLeft = async () => {
    await until(() => pids.every(ended))
    t.ok(pids.length > 0, `${pids.length} processes ended`)
  }
  return { runner, pids, noneLeft }
}

t.test('a job is done in another process, which sees the job and one thread, and ends', async (t) => {
  const { runner, pids, noneLeft } = makeRunner(t)
  const report = runner.run(told('report'), never)
  t.match(runner.running, { kind: 'promote', who: 'ada' })
  t.match(await report, { product: 'nut', remarks: ['1 threads', 'promote', 'ada', 'lamps'] })
  t.equal(runner.running, undefined)
  t.not(pids[0], process.pid)
  await noneLeft()
})

t.test('a report of a megabyte arrives whole', async (t) => {
  const { runner } = makeRunner(t)
  t.equal((await runner.run(told('large'), never)).remarks.length, 5004)
})

t.test('the line goes first: a job has a lower priority', async (t) => {
  const priorities: number[] = []
  const { runner } = makeRunner(t, {
    onProgress: (_, { phase }) => priorities.push(getPriority(Number(phase.split(' ')[1]))),
  })
  await runner.run(told('linger'), never)
  t.ok(priorities[0]! > getPriority(), `${priorities[0]}`)
})

t.test('one job at a time: another is told who has the first', async (t) => {
  const { runner, noneLeft } = makeRunner(t)
  const first = runner.run(told('report'), never)
  await t.rejects(runner.run({ kind: 'update', who: 'eve', why: 'dust' }, never), {
    code: 'JOB_BUSY',
    message: /'promote' for ada/,
  })
  await first
  await t.resolves(runner.run({ kind: 'update', who: 'eve', why: 'dust' }, never), 'then it is its turn')
  await noneLeft()
})

t.test('a job that takes too long is killed, and the next may begin', async (t) => {
  const { runner, pids } = makeRunner(t, { deadlineMs: 3000 })
  await t.rejects(runner.run(told('block'), never), {
    code: 'JOB_FAILED',
    message: /'promote' took more than 3000 ms/,
  })
  await until(() => pids.every(ended))
  t.equal(runner.running, undefined)
})

t.test('an abort kills a job in the middle, with its reason', async (t) => {
  const stop = new AbortController()
  const { runner, pids, noneLeft } = makeRunner(t)
  const report = runner.run(told('block'), stop.signal)
  await until(() => pids.length > 0)
  stop.abort(new Error('the daemon stops'))
  await t.rejects(report, { message: 'the daemon stops' })
  await noneLeft()
  t.equal(runner.running, undefined)
  await t.rejects(runner.run(told('report'), stop.signal), { message: 'the daemon stops' }, 'none begins')
})

t.test('a child that ends without a report has failed, and says how it ended', async (t) => {
  const { runner, noneLeft } = makeRunner(t)
  await t.rejects(runner.run(told('exit'), never), { code: 'JOB_FAILED', message: /\(status 3\)/ })
  await t.rejects(runner.run(told('kill'), never), { code: 'JOB_FAILED', message: /\(SIGKILL\)/ })
  t.match(await runner.run(told('report'), never), { result: 'unchanged' }, 'the next is done')
  await noneLeft()
})

t.test('a child that does not leave after its report is ended', async (t) => {
  const { runner, noneLeft } = makeRunner(t)
  t.match(await runner.run(told('linger'), never), { result: 'unchanged' })
  await noneLeft()
})

t.test('what the job met arrives with its code', async (t) => {
  const { runner } = makeRunner(t)
  const error = await runner.run(told('fail LEDGER_CONFLICT'), never).catch((reason: unknown) => reason)
  t.ok(error instanceof JobError)
  t.match(error, { code: 'LEDGER_CONFLICT', message: 'as it was told' })
})

t.test('the real job says no with the code of its error', async (t) => {
  const bundle = join(t.testdir(), 'no-bundle')
  const runner = new JobRunner({ config: { ...config, bundle }, deadlineMs: 60_000 })
  await t.rejects(runner.run(told('report'), never), { code: 'MODEL_UNREADABLE' })
})
