import fc from 'fast-check'
import { pino } from 'pino'
import { join } from 'node:path'
import sharp from 'sharp'
import t, { type Test } from 'tap'
import { monotonicClock, type Clock } from '../../drivers/clock.ts'
import type { Trigger } from '../../drivers/driver.ts'
import type { Sample } from '../../drivers/sample.ts'
import type { Inspection } from '../../models/inspection.ts'
import { openBroker } from '../../runtime/broker.ts'
import { verdictSchema, type VerdictPayload } from '../../runtime/messages.ts'
import { openOutbox } from '../../runtime/outbox.ts'
import { openPublisher } from '../../runtime/publisher.ts'
import { runStation, type StationOptions } from '../../runtime/station.ts'
import { offlineStatus } from '../../runtime/status.ts'
import { topicsOf } from '../../runtime/topics.ts'
import type { Ask, TriggerFeed } from '../../runtime/triggers/feed.ts'
import { mqttFeed } from '../../runtime/triggers/mqtt.ts'
import { makeDecided, makeSample } from '../support/inspected.ts'
import { openCable } from '../support/cable.ts'
import { listen } from '../support/listener.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const topics = topicsOf('plant', 'cell')
const log = pino({ level: 'silent' })
const never = new Promise<never>(() => undefined)

/** A station of fakes on a clock turned by hand. What it published is in `verdicts`. */
function makeStation(fields: Partial<StationOptions> & { clock: Clock }) {
  const verdicts: VerdictPayload[] = []
  const late: string[] = []
  const atMs: number[] = []
  let seq = 0
  const options: StationOptions = {
    site: 'plant',
    station: 'cell',
    product: 'nut',
    runId: 'run',
    topics,
    sensors: { rgb: 'camera', xyz: 'scanner' },
    policy: { complete: 'decide', 'rgb-only': 'decide', 'xyz-only': 'decide', none: 'review' },
    feeds: [],
    rig: { capture: async (trigger) => makeSample(trigger) },
    inspector: { inspect: async () => makeDecided() },
    outbox: { commit: (_topic, build) => build({ seq: ++seq, durable: true }) },
    publisher: { wake: () => undefined, pictureObstacle: () => 'offline', offerPictures: () => undefined },
    deadlines: { verdictMs: 1000, shutdownMs: 2000 },
    delayToleranceMs: 500,
    maxWaiting: 4,
    heatmap: { publish: 'always', overlay: true, maxSize: 800 },
    log,
    signal: new AbortController().signal,
    onVerdict: (verdict) => {
      verdicts.push(verdict)
      atMs.push(fields.clock.now())
    },
    onLate: (step) => late.push(step),
    ...fields,
  }
  return { options, verdicts, late, atMs }
}

/** Asks for all parts at once, then ends. */
const burst =
  (count: number): TriggerFeed =>
  async (ask) => {
    for (let index = 0; index < count; index++) ask({ source: 'demo', partId: `part-${index + 1}` })
  }

/** Asks for the next part when the former has its verdict. */
const oneByOne =
  (count: number): TriggerFeed =>
  async (ask) => {
    for (let index = 0; index < count; index++) await ask({ source: 'demo' }).verdict
  }

t.test('a trigger becomes a verdict with its id, its part and everything it rests on', async (t) => {
  const clock = virtualClock()
  const { options, verdicts } = makeStation({ clock, feeds: [burst(1)] })
  await clock.settle(runStation(options))
  t.equal(verdicts.length, 1)
  t.match(verdictSchema.parse(verdicts[0]), {
    seq: 1,
    triggerId: 'run-1',
    partId: 'part-1',
    outcome: 'pass',
    action: 'accept',
    condition: 'complete',
    degraded: false,
    provenance: { bundleId: 'bundle-a', repositoryId: 'repository-a' },
    heatmap: { dropped: 'offline' },
    timingMs: { preprocess: 1, capture: 0, inspect: 0, total: 0 },
  })
  t.equal(clock.pending(), 0, 'no timer is left')
})

t.test(
  'a step that hangs costs its trigger the verdict, by the deadline, and not the next one',
  async (t) => {
    for (const [step, fakes] of [
      [
        'capture',
        {
          rig: { capture: (trigger: Trigger) => (trigger.id === 'run-1' ? never : makeSampleSoon(trigger)) },
        },
      ],
      [
        'inspect',
        { inspector: { inspect: async (s: Sample) => (s.trigger.id === 'run-1' ? never : makeDecided()) } },
      ],
    ] as const) {
      const clock = virtualClock(0)
      const { options, verdicts, atMs } = makeStation({ clock, feeds: [oneByOne(2)], ...fakes })
      await clock.settle(runStation(options))
      t.match(
        verdicts,
        [{ outcome: 'unknown', reason: 'deadline', action: 'review' }, { outcome: 'pass' }],
        step,
      )
      t.ok((atMs[0] ?? NaN) <= 1000)
    }
  },
)

const makeSampleSoon = async (trigger: Trigger) => makeSample(trigger)

t.test('a late result is dropped and counted', async (t) => {
  const clock = virtualClock()
  let answer = (_: Inspection): void => undefined
  const inspect = () => new Promise<Inspection>((resolve) => (answer = resolve))
  const { options, verdicts, late } = makeStation({ clock, feeds: [burst(1)], inspector: { inspect } })
  await clock.settle(runStation(options))
  t.same(late, [])
  answer(makeDecided())
  await clock.advance(0)
  t.same(late, ['inspect'])
  t.equal(verdicts.length, 1)
})

t.test('broken promises of rig and inspector are unknown, never the end', async (t) => {
  const clock = virtualClock()
  const { options, verdicts } = makeStation({
    clock,
    feeds: [oneByOne(2)],
    rig: {
      capture: async (trigger) => {
        if (trigger.id === 'run-1') throw new Error('bug in the rig')
        return makeSample(trigger)
      },
    },
    inspector: {
      inspect: async () => {
        throw new Error('bug in the inspector')
      },
    },
  })
  await clock.settle(runStation(options))
  t.match(verdicts, [
    { reason: 'nothing-captured', detail: 'bug in the rig', condition: 'none' },
    { reason: 'model-failed', detail: 'bug in the inspector', condition: 'complete' },
  ])
})

t.test('nothing captured is not shown to the model', async (t) => {
  const clock = virtualClock()
  const gone = { reason: 'lost', detail: 'cable out' } as const
  const { options, verdicts } = makeStation({
    clock,
    feeds: [burst(1)],
    rig: { capture: async (trigger) => makeSample(trigger, { rgb: gone, xyz: gone }) },
    inspector: { inspect: async () => t.fail('must not be asked') as never },
  })
  await clock.settle(runStation(options))
  t.match(verdicts, [
    { outcome: 'unknown', reason: 'nothing-captured', condition: 'none', detail: /cable out/ },
  ])
})

t.test('a trigger too many is answered at once, and the accepted ones in order', async (t) => {
  const clock = virtualClock()
  const { options, verdicts } = makeStation({ clock, feeds: [burst(8)], maxWaiting: 4 })
  await clock.settle(runStation(options))
  t.equal(verdicts.length, 8)
  t.same(
    verdicts.map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6, 7, 8],
  )
  const overrun = verdicts.filter(({ reason }) => reason === 'overrun')
  t.same(
    overrun.map(({ partId }) => partId),
    ['part-5', 'part-6', 'part-7', 'part-8'],
  )
  t.same(
    verdicts.filter(({ outcome }) => outcome === 'pass').map(({ partId }) => partId),
    ['part-1', 'part-2', 'part-3', 'part-4'],
  )
})

t.test('the next part is captured while the former is inspected, and no further', async (t) => {
  const clock = virtualClock()
  const diary: string[] = []
  const work = async (what: string, ms: number) => {
    diary.push(`${what} begins`)
    await new Promise<void>((resolve) => clock.after(ms, resolve))
    diary.push(`${what} ends`)
  }
  const { options } = makeStation({
    clock,
    feeds: [burst(3)],
    rig: {
      capture: async (trigger) => {
        await work(`capture ${trigger.id}`, 10)
        return makeSample(trigger)
      },
    },
    inspector: {
      inspect: async (sample) => {
        await work(`inspect ${sample.trigger.id}`, 100)
        return makeDecided()
      },
    },
  })
  await clock.settle(runStation(options))
  const at = (entry: string) => diary.indexOf(entry)
  t.ok(at('capture run-2 ends') < at('inspect run-1 ends'), 'pipelined')
  t.ok(at('capture run-3 begins') > at('inspect run-1 ends'), 'one sample waits, not two')
  t.ok(at('inspect run-2 begins') > at('inspect run-1 ends'), 'one inspection at a time')
})

t.test('stopping answers what was accepted, refuses what comes later, and has an end', async (t) => {
  const clock = virtualClock()
  const stop = new AbortController()
  let lateAsk: Ask | undefined
  const { options, verdicts } = makeStation({
    clock,
    signal: stop.signal,
    deadlines: { verdictMs: 60_000, shutdownMs: 500 },
    inspector: { inspect: async (sample) => (sample.trigger.id === 'run-3' ? never : makeDecided()) },
    feeds: [
      async (ask, signal) => {
        lateAsk = ask
        for (let index = 0; index < 3; index++) ask({ source: 'demo' })
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    ],
  })
  const running = runStation(options)
  await clock.advance(10)
  stop.abort()
  lateAsk?.({ source: 'demo' })
  const startedMs = clock.now()
  await clock.settle(running)
  t.ok(clock.now() - startedMs <= 500)
  t.match(verdicts, [
    { triggerId: 'run-1', outcome: 'pass' },
    { triggerId: 'run-2', outcome: 'pass' },
    { triggerId: 'run-4', outcome: 'unknown', reason: 'shutting-down' },
    { triggerId: 'run-3', outcome: 'unknown', reason: 'shutting-down' },
  ])
  t.equal(clock.pending(), 0)
})

t.test('a feed that breaks ends the station with its error, after the accepted triggers', async (t) => {
  const clock = virtualClock()
  const { options, verdicts } = makeStation({
    clock,
    feeds: [
      async (ask) => {
        ask({ source: 'demo' })
        throw new Error('no such pipe')
      },
    ],
  })
  await t.rejects(clock.settle(runStation(options)), { message: 'no such pipe' })
  t.equal(verdicts.length, 1)
})

t.test('a feed that breaks ends the others too: no station that hears with half its ears', async (t) => {
  const clock = virtualClock()
  const { options } = makeStation({
    clock,
    feeds: [
      async () => {
        throw new Error('no such folder')
      },
      async (_ask, signal) => {
        if (signal.aborted) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      },
    ],
  })
  await t.rejects(clock.settle(runStation(options)), { message: 'no such folder' })
  t.equal(clock.pending(), 0)
})

t.test('an inspector that is told to stop has the last word on why', async (t) => {
  const clock = virtualClock()
  const { options, verdicts, late } = makeStation({
    clock,
    feeds: [burst(1)],
    inspector: {
      inspect: (sample, signal) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () =>
            resolve({
              kind: 'undecided',
              condition: sample.condition,
              absent: {},
              reason: 'host-starting',
              detail: 'restarted 200 ms ago',
              flags: [],
            }),
          ),
        ),
    },
  })
  await clock.settle(runStation(options))
  t.match(verdicts, [{ outcome: 'unknown', reason: 'host-starting', detail: /restarted/ }])
  t.ok((verdicts[0]?.timingMs['total'] ?? NaN) <= 1000)
  t.same(late, [])
  t.equal(clock.pending(), 0)
})

t.test('a heatmap is published as the config says', async (t) => {
  for (const [publish, normality, isShown] of [
    ['always', 0.5, true],
    ['not-pass', 0.5, false],
    ['not-pass', 0, true],
    ['never', 0, false],
  ] as const) {
    const clock = virtualClock()
    let offered = 0
    const { options, verdicts } = makeStation({
      clock,
      feeds: [burst(1)],
      heatmap: { publish, overlay: false, maxSize: 100 },
      inspector: { inspect: async () => makeDecided({ normality }) },
      publisher: {
        wake: () => undefined,
        pictureObstacle: () => undefined,
        offerPictures: () => (offered += 1),
      },
    })
    await clock.settle(runStation(options))
    t.equal(verdicts[0]?.heatmap !== undefined, isShown)
    t.equal(offered, isShown ? 1 : 0)
    if (isShown)
      t.same(verdicts[0]?.heatmap, {
        topic: topics.heatmap(1),
        scale: {
          encoding: 'png-grey16',
          zeroValue: 0,
          thresholdValue: 16384,
          clippedAt: 65535,
          linear: true,
        },
      })
  }
})

/** What one trigger meets. The expected verdict follows from the script alone. */
const fate = fc.record({
  gapMs: fc.integer({ min: 0, max: 400 }),
  rig: fc.constantFrom('ok', 'ok', 'ok', 'no-xyz', 'no-rgb', 'nothing', 'slow', 'hang', 'throw'),
  inspector: fc.constantFrom(
    'ok',
    'ok',
    'ok',
    'slow',
    'late',
    'hang',
    'host-lost',
    'rejects',
    'nan',
    'drops-xyz',
  ),
})
type Fate = typeof fate extends fc.Arbitrary<infer T> ? T : never

t.test('whatever sensors and host do: one verdict per trigger, in time, in sequence, and true', async (t) => {
  const seed = Number(process.env.SEED ?? 20_263)
  const verdictMs = 1000
  let triggers = 0
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { minLength: 10, maxLength: 100, size: 'max' }), async (fates) => {
      const clock = virtualClock(0)
      const after = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve))
      const fateOf = (trigger: Trigger): Fate => fates[Number(trigger.id.split('-')[1]) - 1] as Fate
      const askedAtMs: number[] = []
      const { options, verdicts, atMs } = makeStation({
        clock,
        maxWaiting: 3,
        deadlines: { verdictMs, shutdownMs: 5000 },
        feeds: [
          async (ask) => {
            for (const { gapMs } of fates) {
              if (gapMs > 0) await after(gapMs)
              askedAtMs.push(clock.now())
              ask({ source: 'demo' })
            }
          },
        ],
        rig: { capture: (trigger) => scriptedCapture(fateOf(trigger), trigger, after) },
        inspector: { inspect: (sample) => scriptedInspection(fateOf(sample.trigger), sample, after) },
      })
      await clock.settle(runStation(options), 1e9)
      triggers += fates.length
      const ids = verdicts.map(({ triggerId }) => triggerId)
      check(new Set(ids).size === fates.length && ids.length === fates.length, 'one verdict per trigger')
      verdicts.forEach((verdict, index) => {
        const ordinal = Number(verdict.triggerId.split('-')[1]) - 1
        check(verdict.seq === index + 1, 'contiguous')
        check((atMs[index] ?? NaN) - (askedAtMs[ordinal] ?? NaN) <= verdictMs, `${verdict.triggerId} in time`)
        checkTruth(verdict, fates[ordinal] as Fate)
        verdictSchema.parse(verdict)
        const kind = verdict.reason ?? `${verdict.outcome} ${verdict.condition}`
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
      })
    }),
    { seed, numRuns: 60 },
  )
  t.comment(`seed ${seed}, ${triggers} triggers`)
  t.comment([...seen].map(([kind, count]) => `${kind}: ${count}`).join(', '))
  t.ok(triggers > 2000)
  // A script that never reached one of these would prove nothing about it.
  const kinds = ['pass complete', 'pass rgb-only', 'pass xyz-only', 'deadline', 'overrun', 'nothing-captured']
  for (const kind of [...kinds, 'host-lost', 'model-failed', 'not-finite'])
    t.ok((seen.get(kind) ?? 0) > 10, kind)
})

function check(claim: boolean, what: string): void {
  if (!claim) throw new Error(`not true: ${what}`)
}

async function scriptedCapture({ rig }: Fate, trigger: Trigger, after: (ms: number) => Promise<void>) {
  const gone = { reason: 'timeout', detail: 'scripted' } as const
  switch (rig) {
    case 'ok':
      return makeSample(trigger)
    case 'no-xyz':
      return makeSample(trigger, { xyz: gone })
    case 'no-rgb':
      return makeSample(trigger, { rgb: gone })
    case 'nothing':
      return makeSample(trigger, { rgb: gone, xyz: gone })
    case 'slow':
      await after(300)
      return makeSample(trigger)
    case 'hang':
      return never
    case 'throw':
      throw new Error('scripted')
  }
}

async function scriptedInspection(
  { inspector }: Fate,
  sample: Sample,
  after: (ms: number) => Promise<void>,
): Promise<Inspection> {
  const { condition } = sample
  if (condition === 'none') throw new Error('the model was shown nothing')
  const decided = makeDecided({ condition, repositoryId: `repository-${sample.trigger.id}` })
  switch (inspector) {
    case 'ok':
      return decided
    case 'slow':
      await after(200)
      return decided
    case 'late':
      await after(5000)
      return decided
    case 'hang':
      return never
    case 'host-lost':
      return { kind: 'undecided', condition, absent: {}, reason: 'host-lost', detail: 'killed', flags: [] }
    case 'nan':
      return { ...decided, normality: NaN }
    case 'drops-xyz': {
      const absent = { xyz: { reason: 'rejected', detail: 'no part in it' } } as const
      return condition === 'complete' ? { ...decided, condition: 'rgb-only', absent } : decided
    }
    case 'rejects':
      throw new Error('scripted')
  }
}

/** Provenance equals the script: what took part did, what was decided was decided by what the script says. */
function checkTruth(verdict: VerdictPayload, { rig, inspector }: Fate): void {
  const { outcome, reason, condition, modalities } = verdict
  check((outcome === 'unknown') === (reason !== undefined), 'unknown has a reason, and nothing else has')
  check((outcome === 'unknown') === (verdict.provenance === undefined), 'provenance of decisions only')
  check(outcome !== 'pass' || verdict.action === 'accept', 'the policy is to decide')
  if (outcome !== 'unknown') {
    check(['ok', 'slow', 'no-xyz', 'no-rgb'].includes(rig), `${rig} cannot be decided`)
    check(['ok', 'slow', 'drops-xyz'].includes(inspector), `${inspector} cannot decide`)
    check(verdict.provenance?.repositoryId === `repository-${verdict.triggerId}`, 'its own repository')
    const isXyzDropped = inspector === 'drops-xyz' && rig !== 'no-rgb' && rig !== 'no-xyz'
    const expected =
      rig === 'no-xyz' || isXyzDropped ? 'rgb-only' : rig === 'no-rgb' ? 'xyz-only' : 'complete'
    check(condition === expected, `${condition}, expected ${expected}`)
    check(verdict.degraded === (expected !== 'complete'), 'degraded')
    check((modalities.xyz?.state === 'ok') === (expected !== 'rgb-only'), 'xyz as scripted')
    check((modalities.rgb?.state === 'ok') === (expected !== 'xyz-only'), 'rgb as scripted')
    return
  }
  // Waiting too long or not at all can befall any trigger; every other reason must be in its own script.
  if (reason === 'deadline' || reason === 'overrun') return
  const expected = ['nothing', 'throw'].includes(rig)
    ? 'nothing-captured'
    : { 'host-lost': 'host-lost', rejects: 'model-failed', nan: 'not-finite' }[inspector as string]
  check(reason === expected, `${reason}, expected ${expected} of ${rig} and ${inspector}`)
}

/** The whole runtime: fakes in, MQTT out. */
async function makeLine(t: Test) {
  const broker = await openBroker(0)
  const cable = await openCable(broker.url)
  const listener = await listen(broker.url)
  const outbox = openOutbox(join(t.testdir(), 'outbox.sqlite'), {
    maxVerdicts: 100,
    maxBytes: 1e6,
    clock: monotonicClock,
    onDurability: () => t.fail('the outbox must stay durable'),
  })
  const name = { site: 'plant', station: 'cell', topics, runId: 'run' }
  const publisher = openPublisher({
    broker: { ...broker, url: cable.url },
    ...name,
    outbox,
    will: offlineStatus(name, 'connection-lost'),
    gapEvent: () => ({ topic: topics.event, payload: '{}' }),
    clock: monotonicClock,
    log,
    backoff: { firstMs: 10, maxMs: 50 },
  })
  const close = async () => {
    await publisher.close(offlineStatus(name, 'shutdown'), AbortSignal.timeout(5000))
    outbox.close()
    await listener.close()
    await cable.close()
    await broker.close()
  }
  return { listener, outbox, publisher, cable, close }
}

t.test('from a command on MQTT to a verdict, a heatmap and an overlay on MQTT', async (t) => {
  const { listener, outbox, publisher, close } = await makeLine(t)
  const stop = new AbortController()
  const map = new Float32Array(224 * 224).fill(1)
  const { options } = makeStation({
    clock: monotonicClock,
    outbox,
    publisher,
    feeds: [mqttFeed(publisher)],
    inspector: { inspect: async () => makeDecided({ normality: 0.001, map }) },
    signal: stop.signal,
  })
  const running = runStation(options)
  publisher.retain({ topic: topics.status, payload: '{"state":"online"}' })
  await listener.until(() => listener.json(topics.status).length > 0)
  await listener.client.publishAsync(topics.command('trigger'), '{"partId":"p-9","transaction":"x"}', {
    qos: 1,
  })
  await listener.until(() => listener.heard.some(({ topic }) => topic === topics.overlay(1)))
  t.match(listener.json(topics.reply('trigger')), [
    { status: 'ok', transaction: 'x', data: { triggerId: 'run-1' } },
  ])
  const [verdict] = listener.json(topics.verdict)
  t.match(verdictSchema.parse(verdict), {
    seq: 1,
    triggerId: 'run-1',
    partId: 'p-9',
    outcome: 'fail',
    action: 'reject',
    durable: true,
    heatmap: { topic: topics.heatmap(1), overlayTopic: topics.overlay(1) },
  })
  const heatmap = listener.heard.find(({ topic }) => topic === topics.heatmap(1))?.payload
  const { data } = await sharp(heatmap)
    .toColourspace('grey16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true })
  t.equal(new Uint16Array(data.buffer, data.byteOffset, 1)[0], 16_384, 'the threshold')
  const order = listener.heard.map(({ topic }) => topic)
  t.ok(order.indexOf(topics.verdict) < order.indexOf(topics.heatmap(1)))
  await listener.client.publishAsync(topics.command('trigger'), '{"part":"p-9"}', { qos: 1 })
  await listener.until(() => listener.json(topics.reply('trigger')).length === 2)
  t.match(listener.json(topics.reply('trigger'))[1], { status: 'error', error: { code: 'BAD_COMMAND' } })
  stop.abort()
  await running
  await publisher.drained(AbortSignal.timeout(5000))
  t.equal(outbox.stats().depth, 0)
  await close()
})

t.test('a lost sensor narrows the condition, not the service', async (t) => {
  const { listener, outbox, publisher, close } = await makeLine(t)
  const { options } = makeStation({
    clock: monotonicClock,
    outbox,
    publisher,
    feeds: [oneByOne(3)],
    heatmap: { publish: 'never', overlay: false, maxSize: 100 },
    rig: {
      capture: async (trigger) =>
        makeSample(trigger, trigger.id === 'run-2' ? { xyz: { reason: 'lost', detail: 'cable' } } : {}),
    },
    inspector: {
      inspect: async ({ condition }) => makeDecided(condition === 'none' ? {} : { condition }),
    },
  })
  await runStation(options)
  await listener.until(() => listener.json(topics.verdict).length === 3)
  t.match(listener.json(topics.verdict), [
    { condition: 'complete', degraded: false, instruction: 0 },
    {
      condition: 'rgb-only',
      degraded: true,
      instruction: 1,
      modalities: { xyz: { state: 'missing', reason: 'lost' } },
    },
    { condition: 'complete', degraded: false, instruction: 0 },
  ])
  await close()
})

t.test('a broker outage in mid-stream costs no verdict and delays none', async (t) => {
  const verdictMs = 20_000
  const { listener, outbox, publisher, cable, close } = await makeLine(t)
  const { options, verdicts } = makeStation({
    clock: monotonicClock,
    outbox,
    publisher,
    heatmap: { publish: 'always', overlay: false, maxSize: 100 },
    // The broker comes back after part 40: a verdict that waited for it would wait until this.
    deadlines: { verdictMs, shutdownMs: 2000 },
    feeds: [
      async (ask) => {
        for (let index = 0; index < 60; index++) {
          if (index === 20) await listener.until(() => listener.json(topics.verdict).length === 20)
          if (index === 20) {
            cable.cut()
            while (publisher.stats().connected) await new Promise(setImmediate)
          }
          if (index === 40) cable.plug()
          await ask({ source: 'demo' }).verdict
        }
      },
    ],
  })
  await runStation(options)
  const numbers = () => new Set(listener.json(topics.verdict).map(({ seq }) => Number(seq)))
  await listener.until(() => numbers().size === 60)
  t.same(
    [...numbers()],
    Array.from({ length: 60 }, (_, index) => index + 1),
  )
  t.ok(verdicts.every(({ timingMs }) => (timingMs.total ?? NaN) <= verdictMs))
  t.same(verdicts[30]?.heatmap, { dropped: 'offline' })
  await close()
})
