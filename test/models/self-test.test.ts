import path from 'node:path'
import t from 'tap'
import { monotonicClock } from '../../drivers/clock.ts'
import type { Sample } from '../../drivers/sample.ts'
import type { GoldenJudgement } from '../../models/gate.ts'
import type { Inspection, Inspector } from '../../models/inspection.ts'
import { LocalInspector } from '../../models/local-inspector.ts'
import { seenAs, selfTest, type SelfTestOptions, type SelfTestPart } from '../../models/self-test.ts'
import { makeDecided } from '../support/inspected.ts'
import { rgbFrame, sampleOf, xyzFrame } from '../support/samples.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const signal = new AbortController().signal
const size = { width: 100, height: 100, seed: 9 }

/** A good part, or one with a gross spot in colour. */
function partOf(partId: string, label: 'good' | 'bad'): SelfTestPart {
  return {
    partId,
    label,
    ...(label === 'bad' && { defect: 'spot' }),
    async load() {
      const rgb = rgbFrame(size)
      if (label === 'bad') {
        for (let y = 44; y < 60; y++) {
          for (let x = 40; x < 56; x++) rgb.pixels.set([255, 0, 255], (y * 100 + x) * 3)
        }
      }
      return sampleOf({ rgb, xyz: xyzFrame(size) }, partId)
    },
  }
}

const decided = (sample: Sample, fields: Partial<Inspection & { kind: 'decided' }> = {}): Inspection => {
  const condition = sample.condition === 'none' ? 'complete' : sample.condition
  return makeDecided({ condition, normality: 0.5, distance: 2, ...fields })
}

/** Answers by script, and writes down what it was asked. */
function scripted(answer: (sample: Sample, call: number) => Inspection) {
  const asked: Sample[] = []
  const inspector: Pick<Inspector, 'inspect'> = {
    inspect: async (sample) => {
      asked.push(sample)
      return answer(sample, asked.length)
    },
  }
  return { asked, inspector }
}

const run = (changes: Partial<SelfTestOptions> & Pick<SelfTestOptions, 'inspector'>) =>
  selfTest({ parts: [partOf('good-1', 'good')], signal, deadlineMs: 5000, clock: monotonicClock, ...changes })

const recorded = (changes: Partial<GoldenJudgement> = {}): GoldenJudgement[] =>
  (['complete', 'rgb-only', 'xyz-only'] as const).map((condition) => ({
    partId: 'good-1',
    label: 'good',
    condition,
    isWidest: condition === 'complete',
    normality: 0.5,
    distance: 2,
    outcome: 'pass',
    ...changes,
  }))

t.test('golden parts go through the real pipeline, in every condition', async (t) => {
  const repositoryFolder = path.join(t.testdir({}), 'repository')
  const repository = await teachTinyRepository(repositoryFolder)
  const inspector = new LocalInspector({ bundleFolder: TINY_BUNDLE, repositoryFolder, threads: 1, seed: 1 })
  t.teardown(() => inspector.close())
  await inspector.open(signal)
  const parts = [partOf('good-1', 'good'), partOf('spot-1', 'bad')]
  const report = await run({ inspector, parts })
  t.equal(report.result, 'pass')
  t.match(report.tested, { repositoryId: repository.id, backend: 'onnxruntime-cpu' })
  t.strictSame(
    report.findings.map(({ partId, condition, isWidest, expected }) => [
      partId,
      condition,
      isWidest,
      expected,
    ]),
    [
      ['good-1', 'complete', true, 'pass'],
      ['good-1', 'rgb-only', false, undefined],
      ['good-1', 'xyz-only', false, undefined],
      ['spot-1', 'complete', true, 'fail'],
      ['spot-1', 'rgb-only', false, undefined],
      ['spot-1', 'xyz-only', false, undefined],
    ],
  )
  const colour = report.findings[4]!
  t.equal(colour.outcome, 'fail', 'the camera alone sees the spot')
  t.equal(report.findings[5]!.outcome, 'pass', 'the 3D sensor does not')

  const same = await run({ inspector, parts, recordedOf: async () => report.findings.map(asRecorded) })
  t.ok(
    same.findings.every(({ drift, isRight }) => drift?.distance === 0 && isRight),
    'the same frames have the same scores',
  )
  const mislabelled = await run({ inspector, parts: [{ ...parts[1]!, label: 'good' }] })
  t.match(mislabelled, {
    result: 'fail',
    findings: [{ isRight: false, detail: 'expected pass, the verdict is fail' }],
  })
})

function asRecorded({ partId, label, condition, isWidest, ...finding }: GoldenFinding): GoldenJudgement {
  const { normality = NaN, distance = NaN, outcome } = finding
  if (outcome === 'unknown') throw new Error(`${partId} has no verdict`)
  return { partId, label, condition, isWidest, normality, distance, outcome }
}
type GoldenFinding = Awaited<ReturnType<typeof selfTest>>['findings'][number]

t.test('a condition is a sample without a frame, which says why', async (t) => {
  const sample = { ...(await partOf('good-1', 'good').load(signal)), skewMs: 3 }
  t.equal(seenAs(sample, 'complete'), sample)
  const blind = seenAs(sample, 'rgb-only')
  t.match(blind, { condition: 'rgb-only', absent: { xyz: { reason: 'rejected', detail: /self-test/ } } })
  t.notOk('xyz' in blind.frames || 'rgb' in blind.absent || 'skewMs' in blind)
  t.match(seenAs(sample, 'xyz-only').absent, { rgb: { reason: 'rejected' } })
  const { asked, inspector } = scripted((sample) => decided(sample))
  const colourOnly: SelfTestPart = {
    ...partOf('good-1', 'good'),
    load: async () => sampleOf({ rgb: rgbFrame(size) }),
  }
  t.equal((await run({ inspector, parts: [colourOnly] })).result, 'pass')
  t.same(
    asked.map(({ condition }) => condition),
    ['rgb-only'],
    'what a part was captured without cannot be tested',
  )
})

t.test('what the gate saw counts for more than the label: a defect that 3D cannot see', async (t) => {
  const { inspector } = scripted((sample) => decided(sample))
  const parts = [partOf('good-1', 'bad')]
  const recordedOf = async (id: string) => (id === 'repository-a' ? recorded({ label: 'bad' }) : undefined)
  t.equal((await run({ inspector, parts, recordedOf })).result, 'pass')
  t.equal((await run({ inspector, parts })).result, 'fail')
  const report = await run({ inspector, recordedOf: async () => recorded({ outcome: 'fail' }) })
  t.match(report, { result: 'fail', findings: [{ expected: 'fail', outcome: 'pass' }] })
})

t.test('the drift of every score is reported, and is a failure beyond the limit', async (t) => {
  const { inspector } = scripted((sample) => decided(sample, { normality: 0.4, distance: 2.75 }))
  const recordedOf = async () => recorded()
  const report = await run({ inspector, recordedOf })
  t.equal(report.result, 'pass')
  t.ok(report.findings.every(({ drift }) => drift?.distance === 0.75 && drift.normality < 0))
  t.equal((await run({ inspector, recordedOf, mostDrift: 0.75 })).result, 'pass')
  const strict = await run({ inspector, recordedOf, mostDrift: 0.7 })
  t.match(strict, { result: 'fail', findings: [{ detail: 'its distance has moved by 0.750' }] })
})

t.test('a part without a verdict fails the test; a host that is busy for a while does not', async (t) => {
  const undecided = (reason: 'host-busy' | 'not-finite'): Inspection => ({
    kind: 'undecided',
    condition: 'complete',
    absent: {},
    reason,
    detail: 'scripted',
    flags: [],
  })
  const patient = scripted((sample, call) => (call < 3 ? undecided('host-busy') : decided(sample)))
  t.equal((await run({ inspector: patient.inspector })).result, 'pass')
  const busy = scripted(() => undecided('host-busy'))
  t.equal((await run({ inspector: busy.inspector })).result, 'fail')
  t.equal(busy.asked.length, 9, 'three times each')
  const broken = scripted(() => undecided('not-finite'))
  const report = await run({ inspector: broken.inspector })
  t.match(report, { result: 'fail', findings: [{ outcome: 'unknown', detail: 'not-finite: scripted' }] })
  t.equal(broken.asked.length, 3, 'once each')
  t.notOk('tested' in report)
})

t.test('a frame that the pipeline rejects is not what was to be tested', async (t) => {
  const { inspector } = scripted((sample) =>
    decided(sample, { condition: 'rgb-only', absent: { xyz: { reason: 'rejected', detail: 'no part' } } }),
  )
  const report = await run({ inspector })
  t.match(report, { result: 'fail', findings: [{ detail: 'it was seen as rgb-only: no part' }] })
})

t.test('a part that cannot be read fails the test and not the others', async (t) => {
  const damaged: SelfTestPart = {
    ...partOf('damaged', 'bad'),
    load: () => Promise.reject(new Error('hash differs')),
  }
  const empty: SelfTestPart = { ...partOf('empty', 'good'), load: async () => sampleOf({}) }
  const { inspector } = scripted((sample) => decided(sample))
  const report = await run({ inspector, parts: [damaged, empty, partOf('good-1', 'good')] })
  t.match(report, {
    result: 'fail',
    findings: [
      { partId: 'damaged', outcome: 'unknown', detail: 'hash differs' },
      { partId: 'empty', outcome: 'unknown', detail: 'its frames are not kept' },
    ],
  })
  t.equal(report.findings.length, 5)
})

t.test(
  'every inspection waits until it may go on, and the next begins when the one before has ended',
  async (t) => {
    const log: string[] = []
    const inspector: Pick<Inspector, 'inspect'> = {
      async inspect(sample) {
        log.push('begin')
        await new Promise(setImmediate)
        log.push('end')
        return decided(sample)
      },
    }
    await run({ inspector, mayGoOn: async () => void log.push('ask') })
    t.same(log, ['ask', 'begin', 'end', 'ask', 'begin', 'end', 'ask', 'begin', 'end'])
  },
)

t.test('a repository that is promoted meanwhile starts the test again, and not for ever', async (t) => {
  const once = scripted((sample, call) => decided(sample, { repositoryId: call < 3 ? 'old' : 'new' }))
  const asked: string[] = []
  const recordedOf = async (id: string) => void asked.push(id)
  const report = await run({ inspector: once.inspector, recordedOf })
  t.match(report, { result: 'pass', tested: { repositoryId: 'new' } })
  t.equal(report.findings.length, 3)
  t.same(asked, ['old', 'new'])
  const restless = scripted((sample, call) => decided(sample, { repositoryId: `r-${call}` }))
  await t.rejects(run({ inspector: restless.inspector }), { code: 'MODEL_MISMATCH' })
})

t.test('the test can be left between parts, while it waits and while it reads', async (t) => {
  const { asked, inspector } = scripted((sample) => decided(sample))
  const stop = new AbortController()
  const mayGoOn = async () => void (asked.length === 1 && stop.abort(new Error('stop')))
  await t.rejects(run({ inspector, mayGoOn, signal: stop.signal }), { message: 'stop' })
  t.equal(asked.length, 1)
  const reading = new AbortController()
  const part: SelfTestPart = {
    ...partOf('good-1', 'good'),
    async load(signal) {
      reading.abort(new Error('stop'))
      throw signal.reason
    },
  }
  await t.rejects(run({ inspector, parts: [part], signal: reading.signal }), { message: 'stop' })
})

t.test('one inspection has its own deadline', async (t) => {
  const inspector: Pick<Inspector, 'inspect'> = {
    inspect: (sample, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(decided(sample)))),
  }
  const clock = virtualClock()
  t.equal((await clock.settle(run({ inspector, clock }))).result, 'pass')
  t.equal(clock.now(), 1000 + 3 * 5000)
  t.equal(clock.pending(), 0)
})

t.test('without golden parts nothing was tested', async (t) => {
  const { inspector } = scripted((sample) => decided(sample))
  t.same(await run({ inspector, parts: [] }), { result: 'untested', findings: [] })
})
