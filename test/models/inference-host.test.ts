import t, { type Test } from 'tap'
import { InferenceHost, type HostLimits, type HostState } from '../../models/inference-host.ts'
import { ended, until } from '../support/processes.ts'
import { rgbFrame, sampleOf } from '../support/samples.ts'

const scripted = new URL('../support/scripted-inspector.ts', import.meta.url)
const never = new AbortController().signal

// A host needs tap's TypeScript loader and nothing else of tap: it starts in half the time, and is started often here.
process.execArgv = process.execArgv.filter((argument) => /typescript|source-maps/.test(argument))
delete process.env['NODE_OPTIONS']

/** For the tests that leave a host in good health, or need no certain number of restarts. */
const shared = makeHost()
t.teardown(() => shared.close())
await shared.open(never)

function makeHost(limits: Partial<HostLimits> = {}, bundleFolder = 'bundle'): InferenceHost {
  return new InferenceHost({
    bundleFolder,
    threads: 1,
    seed: 1,
    inspectorModule: scripted,
    limits: { backOffFirstMs: 1, backOffMostMs: 20, ...limits },
  })
}

async function openHost(t: Test, limits: Partial<HostLimits> = {}): Promise<InferenceHost> {
  const host = makeHost(limits)
  t.teardown(() => host.close())
  await host.open(never)
  return host
}

const part = (partId: string, seed = 1) => sampleOf({ rgb: rgbFrame({ seed }) }, partId)

t.test('a part crosses to the host whole and its inspection comes back', async (t) => {
  const host = shared
  const sample = part('ok', 7)
  const inspection = await host.inspect(sample, never)
  t.match(inspection, {
    kind: 'decided',
    bundleId: 'bundle',
    distance: sample.frames.rgb?.pixels.reduce((sum, value) => sum + value, 0),
  })
  t.ok(inspection.kind === 'decided' && inspection.map instanceof Float32Array)
})

t.test('a host that dies in the middle of a part costs that part only, and says so', async (t) => {
  const host = shared
  const before = host.stats().restarts
  for (const death of ['kill', 'exit', 'throw']) {
    const first = host.inspect(part(death), never)
    const second = host.inspect(part('ok'), never)
    const lost = { kind: 'undecided', reason: 'host-lost', condition: 'rgb-only', detail: /SIGKILL|status/ }
    t.match(await first, lost, death)
    t.match(await second, { kind: 'decided' }, `after ${death}`)
  }
  t.equal(host.stats().restarts, before + 3)
})

t.test('kill -9 from outside in the middle of a part: that part undecided, the next normal', async (t) => {
  const host = shared
  const before = host.stats().pid!
  const hit = host.inspect(part('block 30000'), never)
  process.kill(before, 'SIGKILL')
  t.match(await hit, { kind: 'undecided', reason: 'host-lost' })
  t.match(await host.inspect(part('ok'), never), { kind: 'decided' })
  t.not(host.stats().pid, before)
  t.ok(ended(before), 'the dead host was reaped')
})

t.test(
  'the first part of a repository may take as long as a first run, whatever quick answers came before',
  async (t) => {
    const host = await openHost(t, { runLeastMs: 150 })
    t.match(await host.inspect(part('undecided'), never), { kind: 'undecided', reason: 'no-repository' })
    t.match(
      await host.inspect(part('block 600'), never),
      { kind: 'decided' },
      'after an answer without an inference',
    )
    await host.activate('taught', never)
    t.match(await host.inspect(part('block 600'), never), { kind: 'decided', repositoryId: 'taught' })
    t.equal(host.stats().restarts, 0)
  },
)

t.test('a run that hangs is killed by its deadline, which follows the runs before it', async (t) => {
  const host = await openHost(t, { runLeastMs: 150 })
  await host.inspect(part('ok'), never)
  const hit = await host.inspect(part('block 30000'), never)
  t.match(hit, {
    kind: 'undecided',
    reason: 'host-lost',
    detail: /no answer in \d+ ms, stuck in step 'scripted-step'/,
  })
  t.match(await host.inspect(part('ok'), never), { kind: 'decided' })
  t.match(host.stats(), { restarts: 1, lastFailure: /no answer/ })
})

t.test('the deadline of a part is kept while the host is busy with it, and the host lives on', async (t) => {
  const host = shared
  const before = host.stats().restarts
  const blocked = new AbortController()
  const first = host.inspect(part('block 300'), blocked.signal)
  const queued = new AbortController()
  const second = host.inspect(part('ok'), queued.signal)
  await new Promise(setImmediate)
  queued.abort()
  blocked.abort()
  t.match(await first, { kind: 'undecided', reason: 'deadline' })
  t.match(await second, { kind: 'undecided', reason: 'deadline', detail: /waiting/ })
  t.match(
    await host.inspect(part('ok'), never),
    { kind: 'decided' },
    'the late answer is not taken for this one',
  )
  t.equal(host.stats().restarts, before)
})

t.test('a full queue refuses the newest part at once', async (t) => {
  const host = await openHost(t, { queueMost: 1 })
  const accepted = [host.inspect(part('block 100'), never), host.inspect(part('ok'), never)]
  t.match(await host.inspect(part('ok'), never), { kind: 'undecided', reason: 'host-busy' })
  for (const answer of await Promise.all(accepted)) t.match(answer, { kind: 'decided' })
})

t.test('a part that comes while the host starts waits for it, up to its own deadline', async (t) => {
  const host = shared
  await host.inspect(part('kill'), never)
  const patient = host.inspect(part('ok'), never)
  const deadline = new AbortController()
  const hasty = host.inspect(part('ok'), deadline.signal)
  deadline.abort()
  t.match(await hasty, { kind: 'undecided', reason: 'host-starting' })
  t.match(await patient, { kind: 'decided' })
})

t.test(
  'a bundle that the host refuses rejects open with the model’s own code, and leaves no process',
  async (t) => {
    const host = makeHost({}, 'refused')
    await t.rejects(host.open(never), { name: 'ModelError', code: 'MODEL_MISMATCH', message: /golden/ })
    t.match(host.stats(), { state: 'closed' })
    t.match(await host.inspect(part('ok'), never), { kind: 'undecided', reason: 'host-lost' })
  },
)

t.test('open obeys its signal although the host is blocked', async (t) => {
  const host = makeHost({ closeMs: 50 }, 'never-opens')
  const reason = new Error('enough')
  const controller = new AbortController()
  const opening = host.open(controller.signal)
  const { pid } = host.stats()
  controller.abort(reason)
  await t.rejects(opening, reason)
  t.ok(ended(pid!))
})

t.test('a host that does not open in time is killed and started again', async (t) => {
  const states: HostState[] = []
  const host = new InferenceHost({
    bundleFolder: 'never-opens',
    threads: 1,
    seed: 1,
    inspectorModule: scripted,
    limits: { openMs: 100, backOffFirstMs: 1, closeMs: 50 },
    onState: (state) => {
      states.push(state)
      if (states.length === 5) controller.abort()
    },
  })
  const controller = new AbortController()
  await t.rejects(host.open(controller.signal))
  t.same(states.slice(0, 4), ['starting', 'waiting-to-restart', 'starting', 'waiting-to-restart'])
  t.match(host.stats().lastFailure, /did not open within 100 ms/)
})

t.test('another repository is taken into use without a restart, and outlives one', async (t) => {
  const host = await openHost(t)
  const { pid } = host.stats()
  t.match(await host.activate('second', never), { repositoryId: 'second' })
  t.match(await host.inspect(part('ok'), never), { repositoryId: 'second' })
  t.equal(host.stats().pid, pid)
  await t.rejects(host.activate('refused', never), { name: 'ModelError', message: /not a repository/ })
  t.match(await host.inspect(part('ok'), never), { repositoryId: 'second' })
  await host.inspect(part('kill'), never)
  t.match(await host.inspect(part('ok'), never), { repositoryId: 'second' })
})

t.test('an idle host beats with its memory; one that falls silent is replaced', async (t) => {
  const beating = await openHost(t, { beatMs: 10 })
  await beating.inspect(part('ok'), never)
  t.ok(beating.stats().rssBytes > 1e6)

  const silent = await openHost(t, { beatMs: 60_000, silenceMs: 50 })
  const before = silent.stats().pid!
  await until(() => silent.stats().restarts > 0)
  t.match(silent.stats().lastFailure, /no beat for 50 ms/)
  t.ok(ended(before))
})

t.test('a signal to the whole service leaves the host to the daemon', async (t) => {
  const { pid } = shared.stats()
  await shared.inspect(part('ok'), never)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid!, signal)
  t.match(await shared.inspect(part('block 20'), never), { kind: 'decided' })
  t.match(await shared.inspect(part('ok'), never), { kind: 'decided', backend: `scripted:${pid}` })
})

t.test('a frame that is no picture is answered without asking the host', async (t) => {
  const host = shared
  const blank = { ...rgbFrame(), pixels: new Uint8Array(40 * 40 * 3) }
  const inspection = await host.inspect(sampleOf({ rgb: blank }, 'kill'), never)
  t.match(inspection, {
    kind: 'undecided',
    reason: 'nothing-captured',
    absent: { rgb: { reason: 'rejected' } },
  })
})

t.test('close answers what waits, twice is fine, and the host is gone', async (t) => {
  const host = await openHost(t, { closeMs: 50 })
  const { pid } = host.stats()
  const waiting = [host.inspect(part('block 30000'), never), host.inspect(part('ok'), never)]
  await new Promise(setImmediate)
  await Promise.all([host.close(), host.close()])
  for (const answer of await Promise.all(waiting)) t.match(answer, { kind: 'undecided', reason: 'host-lost' })
  t.ok(ended(pid!))
  await host.close()
})
