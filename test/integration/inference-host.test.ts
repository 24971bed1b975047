/** The inference host under random faults, around the real model, and without its daemon. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import t from 'tap'
import { InferenceHost } from '../../models/inference-host.ts'
import type { Inspection } from '../../models/inspection.ts'
import { LocalInspector } from '../../models/local-inspector.ts'
import { ended, until } from '../support/processes.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'
import { copyTinyBundle, flipBit, TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

const never = new AbortController().signal

// A host needs tap's TypeScript loader and nothing else of tap: it starts in half the time, and is started often here.
process.execArgv = process.execArgv.filter((argument) => /typescript|source-maps/.test(argument))
delete process.env['NODE_OPTIONS']

const part = (partId: string, seed = 1) => sampleOf({ rgb: rgbFrame({ seed }) }, partId)

t.test('random deaths, hangs and deadlines: every request gets exactly one answer', async (t) => {
  const fault = fc.constantFrom('kill', 'exit', 'block 60000')
  const request = fc.record({
    partId: fc.oneof({ weight: 40, arbitrary: fc.constant('ok') }, { weight: 1, arbitrary: fault }),
    // Milliseconds of patience; most parts have enough for a restart.
    patienceMs: fc.oneof(
      { weight: 9, arbitrary: fc.constant(30_000) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
    ),
    // A line waits for its verdict; now and then parts come in a bunch.
    bunched: fc.oneof(
      { weight: 9, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  })
  const host = new InferenceHost({
    bundleFolder: 'bundle',
    threads: 1,
    seed: 1,
    inspectorModule: new URL('../support/scripted-inspector.ts', import.meta.url),
    limits: { runLeastMs: 100, firstRunMs: 2_000, queueMost: 3, backOffFirstMs: 1, backOffMostMs: 20 },
  })
  t.teardown(() => host.close())
  await host.open(never)
  const seed = 20261122
  const requests = fc.sample(fc.array(request, { minLength: 300, maxLength: 300 }), { seed, numRuns: 1 })[0]!
  const answers = new Map<number, Inspection[]>()
  const running: Promise<void>[] = []
  for (const [index, { partId, patienceMs, bunched }] of requests.entries()) {
    if (!bunched) await running.at(-1)
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), patienceMs)
    running.push(
      host.inspect(part(partId, index + 1), deadline.signal).then((inspection) => {
        clearTimeout(timer)
        answers.set(index, [...(answers.get(index) ?? []), inspection])
      }),
    )
  }
  await Promise.all(running)
  const outcomes: Record<string, number> = {}
  for (const [index, { partId }] of requests.entries()) {
    const [answer, ...more] = answers.get(index) ?? []
    if (answer === undefined || more.length > 0)
      t.fail(`request ${index} has ${more.length} extra answers, seed ${seed}`)
    const outcome = answer?.kind === 'undecided' ? answer.reason : 'decided'
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    if (partId !== 'ok' && outcome === 'decided') t.fail(`${partId} was decided, seed ${seed}`)
    if (answer?.kind === 'decided') {
      const pixels = rgbFrame({ seed: index + 1 }).pixels
      const expected = pixels.reduce((sum, value) => sum + value, 0)
      if (answer.distance !== expected) t.fail(`request ${index} got the answer of another, seed ${seed}`)
    }
  }
  t.comment(JSON.stringify({ ...outcomes, restarts: host.stats().restarts }))
  t.ok(host.stats().restarts > 2, 'the faults happened')
  t.ok((outcomes['decided'] ?? 0) > 100, 'and most parts were inspected all the same')
})

t.test('behind the pipe the model gives the answer that it gives in this process', async (t) => {
  const repositoryFolder = path.join(t.testdir({}), 'repository')
  await teachTinyRepository(repositoryFolder)
  const options = { bundleFolder: TINY_BUNDLE, repositoryFolder, threads: 1, seed: 1 }
  const local = new LocalInspector(options)
  const host = new InferenceHost(options)
  t.teardown(() => Promise.all([local.close(), host.close()]))
  await Promise.all([local.open(never), host.open(never)])
  const withoutTimes = (inspection: Inspection) => ({ ...inspection, timingMs: {} })
  // The second is reduced before it crosses.
  for (const side of [100, 1600]) {
    const size = { width: side, height: side, seed: 3 }
    const sample = sampleOf({ rgb: rgbFrame(size), ...(side === 100 && { xyz: xyzFrame(size) }) })
    const answer = await host.inspect(sample, never)
    t.match(answer, { kind: 'decided', placement: { frameWidth: side } })
    t.same(withoutTimes(answer), withoutTimes(await local.inspect(sample, never)))
  }
})

t.test('a tampered bundle is refused through the pipe too', async (t) => {
  const bundleFolder = copyTinyBundle(t.testdir({}))
  flipBit(bundleFolder, 'rgb.onnx', -9)
  const host = new InferenceHost({ bundleFolder, threads: 1, seed: 1 })
  await t.rejects(host.open(never), {
    name: 'ModelError',
    code: 'MODEL_UNREADABLE',
    message: /rgb\.onnx.*SHA-256/,
  })
})

const skip = existsSync('/proc/self/stat') ? false : 'SKIP: reads /proc'

t.test('a daemon that is killed leaves no host behind, even one that is blocked', { skip }, async (t) => {
  const owner = fileURLToPath(new URL('../support/host-owner.ts', import.meta.url))
  const daemon = spawn(process.execPath, [...process.execArgv, owner], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(daemon.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  t.notOk(ended(pid))
  daemon.kill('SIGKILL')
  await until(() => ended(pid))
  t.pass('the blocked host ended with its daemon')
})
