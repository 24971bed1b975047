import fc from 'fast-check'
import t from 'tap'
import type { Driver, Trigger } from '../../drivers/driver.ts'
import { fakeDriver } from '../../drivers/fake.ts'
import { faultAt, type Fault, type FaultRange, type FrameDefect } from '../../drivers/faulty.ts'
import type { Modality } from '../../drivers/frame.ts'
import { openRig, type RigOptions } from '../../drivers/rig.ts'
import { conditionOf, type AbsenceReason, type Sample } from '../../drivers/sample.ts'
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const never = () => new AbortController().signal
const deadlineMs = 100
const supervision = { deadlineMs, openDeadlineMs: 300, graceMs: 50, backoff: { firstMs: 100, maxMs: 400 } }

/** A rig of two fakes on a virtual clock, and its captures as the station makes them. */
async function bench(faults: { rgb?: FaultRange[]; xyz?: FaultRange[] }, options: Partial<RigOptions> = {}) {
  const clock = virtualClock(0)
  const health: string[] = []
  const sensor = <M extends Modality>(modality: M, ranges: FaultRange[] = []) => ({
    make: () => fakeDriver({ modality, name: modality, clock }),
    supervision,
    faults: ranges,
  })
  const rig = await openRig(
    {
      rgb: sensor('rgb', faults.rgb),
      xyz: sensor('xyz', faults.xyz),
      skewToleranceMs: 20,
      clock,
      onHealth: ({ sensor, state }) => health.push(`${sensor} ${state}`),
      ...options,
    },
    never(),
  )
  let ordinal = 0
  const trigger = (): Trigger => ({ id: `part-${++ordinal}`, atMs: clock.now(), source: 'bench' })
  const shoot = () => clock.settle(rig.capture(trigger(), never()))
  return { clock, rig, health, trigger, shoot }
}

t.test('both modalities at once: a complete sample', async (t) => {
  const { rig, shoot } = await bench({})
  const sample = await shoot()
  t.match(sample, { condition: 'complete', absent: {}, skewMs: 0, trigger: { id: 'part-1' } })
  t.equal(sample.frames.rgb?.sensor, 'rgb')
  t.equal(sample.frames.xyz?.sensor, 'xyz')
  t.match(rig.health(), [
    { sensor: 'rgb', modality: 'rgb', state: 'ok' },
    { sensor: 'xyz', modality: 'xyz', state: 'ok' },
  ])
  await rig.close()
})

t.test('each fault has its reason, and leaves the other modality alone', async (t) => {
  const table: [fault: Fault, reason: AbsenceReason, detail: RegExp][] = [
    [{ kind: 'timeout' }, 'timeout', /sent no frame within 100 ms/],
    [{ kind: 'hang' }, 'timeout', /sent no frame within 100 ms/],
    [{ kind: 'crash' }, 'lost', /gone/],
    [{ kind: 'frozen' }, 'frozen', /exactly the pixels/],
    [{ kind: 'late', byMs: 500 }, 'stale', /500 ms before its trigger/],
    [{ kind: 'bad' }, 'bad-frame', /0 samples/],
    [{ kind: 'bad', defect: 'zero' }, 'rejected', /black|no point/],
  ]
  for (const modality of ['rgb', 'xyz'] as const) {
    for (const [fault, reason, detail] of table) {
      const { rig, clock, shoot } = await bench({ [modality]: [{ from: 2, to: 2, ...fault }] })
      await shoot()
      await clock.advance(10)
      const sample = await shoot()
      t.match(sample.absent, { [modality]: { reason, detail } }, `${modality} ${fault.kind}`)
      t.equal(sample.condition, modality === 'rgb' ? 'xyz-only' : 'rgb-only')
      t.equal(sample.skewMs, undefined)
      t.ok(clock.now() - sample.trigger.atMs <= deadlineMs)
      await clock.settle(rig.close())
    }
  }
})

t.test('nothing captured is a sample too', async (t) => {
  const both: FaultRange[] = [{ from: 1, to: 1, kind: 'crash' }]
  const { rig, shoot } = await bench({ rgb: both, xyz: both })
  const sample = await shoot()
  t.match(sample, {
    condition: 'none',
    frames: {},
    absent: { rgb: { reason: 'lost' }, xyz: { reason: 'lost' } },
  })
  await rig.close()
})

t.test('a lost sensor narrows the condition, not the service, and costs no time', async (t) => {
  const { rig, clock, health, shoot } = await bench({ xyz: [{ from: 3, to: 6, kind: 'unplugged' }] })
  const seen: string[] = []
  for (let part = 1; part <= 9; part++) {
    const sample = await shoot()
    seen.push(sample.condition)
    t.equal(clock.now(), sample.trigger.atMs)
    await clock.advance(1000)
  }
  const [complete, alone] = ['complete', 'rgb-only']
  // Part 7 finds it still lost: it is reopened once it can be, and that is after part 7 has ended the script.
  t.same(seen, [complete, complete, alone, alone, alone, alone, alone, complete, complete])
  t.same(health, ['rgb ok', 'xyz ok', 'xyz lost', 'xyz starting', 'xyz ok'])
  await rig.close()
})

t.test('an error that no driver should throw is a lost sensor, not a lost station', async (t) => {
  const clock = virtualClock()
  const odd: Driver<'rgb'> = {
    ...fakeDriver({ modality: 'rgb' }),
    capture: () => Promise.reject(new TypeError('odd')),
  }
  const rig = await openRig({ rgb: { make: () => odd, supervision }, skewToleranceMs: 20, clock }, never())
  const sample = await rig.capture({ id: 'part', atMs: clock.now(), source: 'bench' }, never())
  t.match(sample.absent.rgb, { reason: 'lost', detail: /odd/ })
  await rig.close()
})

t.test('a station may have one sensor', async (t) => {
  const clock = virtualClock()
  const rig = await openRig(
    { rgb: { make: () => fakeDriver({ modality: 'rgb', clock }) }, skewToleranceMs: 20, clock },
    never(),
  )
  const sample = await rig.capture({ id: 'part', atMs: clock.now(), source: 'bench' }, never())
  t.match(sample, { condition: 'rgb-only', absent: { xyz: { detail: 'no xyz sensor is configured' } } })
  t.equal(rig.health().length, 1)
  await rig.close()
})

t.test(
  'a sensor that exposed long after the trigger saw another moment: its frame is stale, the prompt one stays',
  async (t) => {
    const clock = virtualClock()
    const slow = fakeDriver({ modality: 'xyz', clock })
    const late: typeof slow = {
      ...slow,
      async capture(trigger, signal) {
        await clock.advance(300)
        return slow.capture(trigger, signal)
      },
    }
    const pair = await openRig(
      {
        rgb: { make: () => fakeDriver({ modality: 'rgb', clock }) },
        xyz: { make: () => late },
        skewToleranceMs: 20,
        clock,
      },
      never(),
    )
    const sample = await pair.capture({ id: 'moving', atMs: clock.now(), source: 'bench' }, never())
    t.match(sample, { condition: 'rgb-only', absent: { xyz: { reason: 'stale', detail: /300 ms after/ } } })
    await pair.close()
  },
)

t.test(
  'frames of different moments do not make one sample: the one farther from the trigger is stale',
  async (t) => {
    for (const late of ['rgb', 'xyz'] as const) {
      for (const [byMs, isComplete] of [
        [20, true],
        [21, false],
      ] as const) {
        const { rig, shoot } = await bench(
          { [late]: [{ from: 1, to: 1, kind: 'late', byMs }] },
          { staleMs: 100 },
        )
        const sample = await shoot()
        if (isComplete) t.match(sample, { condition: 'complete', skewMs: 20 })
        else {
          const absence = { reason: 'stale', detail: /21 ms before (rgb|xyz), tolerated are 20/ }
          t.match(sample, { absent: { [late]: absence }, skewMs: 21 }, 'it is told how far off')
        }
        await rig.close()
      }
    }
  },
)

t.test('a frozen picture does not pass as new because the sensor was reopened', async (t) => {
  const { rig, clock, health, shoot } = await bench({ rgb: [{ from: 2, to: 12, kind: 'frozen' }] })
  for (let part = 1; part <= 12; part++) {
    const sample = await shoot()
    t.equal(sample.frames.rgb === undefined, part > 1)
    await clock.advance(1000)
  }
  t.ok(health.filter((edge) => edge === 'rgb starting').length > 1, 'it was reopened in between')
  await rig.close()
})

t.test('a capture that is called off still ends in a sample', async (t) => {
  const { rig, clock, trigger } = await bench({ xyz: [{ from: 1, to: 1, kind: 'hang' }] })
  const control = new AbortController()
  const capture = rig.capture(trigger(), control.signal)
  await clock.advance(30)
  control.abort(new Error('verdict deadline'))
  t.match(await capture, {
    condition: 'rgb-only',
    absent: { xyz: { reason: 'timeout', detail: /called off/ } },
  })
  await clock.settle(rig.close())
})

t.test('an overlapping capture finds the sensor busy', async (t) => {
  const { rig, clock, trigger } = await bench({ xyz: [{ from: 1, to: 1, kind: 'timeout' }] })
  const first = rig.capture(trigger(), never())
  const second = await rig.capture(trigger(), never())
  t.match(second, { condition: 'none', absent: { xyz: { reason: 'timeout', detail: /busy/ } } })
  t.match(await clock.settle(first), { condition: 'rgb-only' })
  await rig.close()
})

t.test('an opening that is called off leaves nothing open', async (t) => {
  const clock = virtualClock()
  const reason = new Error('shutting down')
  const make = () => fakeDriver({ modality: 'rgb', clock })
  const open = openRig({ rgb: { make }, skewToleranceMs: 20, clock }, AbortSignal.abort(reason))
  await t.rejects(open, reason)

  const control = new AbortController()
  let isOpen = false
  const quick: Driver<'rgb'> = {
    ...make(),
    open: async () => void (isOpen = true),
    close: async () => void (isOpen = false),
  }
  const stuck: Driver<'xyz'> = { ...fakeDriver({ modality: 'xyz' }), open: () => new Promise(() => {}) }
  const options = {
    rgb: { make: () => quick },
    xyz: { make: () => stuck, supervision },
    skewToleranceMs: 20,
    clock,
  }
  const opening = openRig(options, control.signal)
  await clock.advance(10)
  t.ok(isOpen)
  control.abort(reason)
  await t.rejects(clock.settle(opening), reason)
  t.notOk(isOpen)
  t.equal(clock.pending(), 0)
})

const defect = fc.constantFrom<FrameDefect>('empty', 'size', 'not-finite', 'zero', 'millimetres')
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>({ kind: 'timeout' }, { kind: 'crash' }, { kind: 'frozen' }, { kind: 'late' }),
  fc.record({ kind: fc.constant('hang' as const), forMs: fc.integer({ min: 150, max: 1500 }) }),
  fc.record({ kind: fc.constant('bad' as const), defect }),
)
/** Runs of up to four triggers with one fault, good ones between; about half of the triggers are good. */
const schedule = fc
  .array(fc.record({ fault: fc.option(fault, { nil: undefined }), length: fc.integer({ min: 1, max: 4 }) }), {
    minLength: 20,
    maxLength: 40,
  })
  .map((runs) => {
    let from = 1
    return runs.flatMap(({ fault, length }): FaultRange[] => {
      const to = from + length - 1
      const ranges = fault ? [{ from, to, ...fault }] : []
      from = to + 1
      return ranges
    })
  })

/** What a sample must say of a modality, given its script and whether an earlier frame was shown to the watch. */
function expected(
  fault: Fault | undefined,
  modality: Modality,
  isRepeat: boolean,
): AbsenceReason | undefined {
  switch (fault?.kind) {
    case undefined:
      return undefined
    case 'timeout':
    case 'hang':
      return 'timeout'
    case 'crash':
    case 'unplugged':
      return 'lost'
    case 'late':
      return 'stale'
    case 'frozen':
      return isRepeat ? 'frozen' : undefined
    case 'bad':
      return expectedOfBad(fault.defect, modality)
  }
}

function expectedOfBad(defect: FrameDefect | undefined, modality: Modality): AbsenceReason | undefined {
  switch (defect) {
    case undefined:
    case 'empty':
    case 'size':
      return 'bad-frame'
    case 'zero':
    case 'millimetres':
      return 'rejected'
    case 'not-finite':
      return modality === 'xyz' ? 'bad-frame' : 'rejected'
  }
}

/** What holds for every sample, however fast the triggers come. */
function checkSample(sample: Sample, trigger: Trigger, clock: VirtualClock): void {
  if (sample.trigger !== trigger) throw new Error('a sample of another trigger')
  if (clock.now() - trigger.atMs > deadlineMs)
    throw new Error(`${clock.now() - trigger.atMs} ms after the trigger`)
  if (sample.condition !== conditionOf(sample.frames)) throw new Error(`condition ${sample.condition}`)
  for (const modality of ['rgb', 'xyz'] as const) {
    const isThere = sample.frames[modality] !== undefined
    if (isThere === (sample.absent[modality] !== undefined))
      throw new Error(`${modality} is there and absent, or neither`)
  }
}

const seed = Number(process.env.FAST_CHECK_SEED ?? 20_260)

t.test(`random fault schedules: the sample equals the script (seed ${seed})`, async (t) => {
  let captures = 0
  const property = fc.asyncProperty(schedule, schedule, async (rgb, xyz) => {
    const faults = { rgb, xyz }
    const { clock, rig, trigger } = await bench(faults)
    const wasShown = { rgb: false, xyz: false }
    const last = Math.max(...[...rgb, ...xyz].map(({ to }) => to), 0) + 2
    for (let ordinal = 1; ordinal <= last; ordinal++) {
      const asked = trigger()
      const sample = await clock.settle(rig.capture(asked, never()))
      captures++
      checkSample(sample, asked, clock)
      for (const modality of ['rgb', 'xyz'] as const) {
        const fault = faultAt(faults[modality], ordinal)
        const reason = expected(fault, modality, wasShown[modality])
        if (sample.absent[modality]?.reason !== reason) {
          throw new Error(`${modality} ${ordinal}: ${sample.absent[modality]?.reason}, expected ${reason}`)
        }
        if (fault === undefined || fault.kind === 'frozen') wasShown[modality] = true
      }
      // Long enough for a sensor to come back: what is measured is the script, not the recovery.
      await clock.advance(5000)
    }
    await clock.settle(rig.close())
    if (clock.pending() !== 0) throw new Error(`${clock.pending()} timers are left`)
  })
  await fc.assert(property, { seed, numRuns: 40, includeErrorInReport: true })
  t.ok(captures > 1500, `${captures} captures`)
})

t.test(`random fault schedules at any pace: no trigger without its sample (seed ${seed})`, async (t) => {
  let captures = 0
  const pauses = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 })
  const property = fc.asyncProperty(schedule, schedule, pauses, async (rgb, xyz, pausesMs) => {
    const faults = { rgb, xyz }
    const { clock, rig, trigger } = await bench(faults)
    const last = Math.max(...[...rgb, ...xyz].map(({ to }) => to), 0) + 10
    for (let ordinal = 1; ordinal <= last; ordinal++) {
      const asked = trigger()
      const sample = await clock.settle(rig.capture(asked, never()))
      captures++
      checkSample(sample, asked, clock)
      for (const modality of ['rgb', 'xyz'] as const) {
        const reason = sample.absent[modality]?.reason
        const scripted = expected(faultAt(faults[modality], ordinal), modality, true)
        const isHonest =
          reason === scripted || // as the script says
          reason === 'lost' || // not back yet
          reason === 'timeout' || // busy with what hangs
          (reason === undefined && scripted === 'frozen') // nothing was seen yet that it could repeat
        if (!isHonest) throw new Error(`${modality} ${ordinal}: ${reason}, script ${scripted}`)
      }
      await clock.advance(pausesMs[ordinal % pausesMs.length]!)
    }
    await clock.advance(5000)
    const after = await clock.settle(rig.capture(trigger(), never()))
    if (after.condition !== 'complete') throw new Error(`did not recover: ${JSON.stringify(after.absent)}`)
    await clock.settle(rig.close())
  })
  await fc.assert(property, { seed, numRuns: 40, includeErrorInReport: true })
  t.ok(captures > 1500, `${captures} captures`)
})

/** Of one trigger and one sensor: when it exposes, when that frame arrives, and whether it gets lost on the way. */
const exposure = fc.record({
  afterMs: fc.integer({ min: 0, max: 40 }),
  travelMs: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 30 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 250 }) },
  ),
  isLost: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  /** The driver drops what came too late for the trigger before; some do not. */
  isDrained: fc.boolean(),
})
const exposures = fc.array(
  fc.record({ rgb: exposure, xyz: exposure, pauseMs: fc.integer({ min: 1, max: 200 }) }),
  {
    minLength: 5,
    maxLength: 40,
  },
)

t.test(
  `any order of exposures, delays and losses: a frame shows the part of its trigger (seed ${seed})`,
  async (t) => {
    let complete = 0
    let single = 0
    const property = fc.asyncProperty(exposures, async (schedule) => {
      const clock = virtualClock(0)
      let part = 0
      /** Frames come when they come, also those that an earlier capture gave up; the number of the part is in the pixels. */
      const line = <M extends Modality>(modality: M): Driver<M> => {
        const plain = fakeDriver({ modality, name: modality, width: 2, height: 2, clock })
        const come: { part: number; exposedAtMs: number }[] = []
        let wake = (): void => undefined
        return {
          ...plain,
          async capture(trigger, signal) {
            const { afterMs, travelMs, isLost, isDrained } = schedule[part - 1]![modality]
            if (isDrained) come.length = 0
            clock.after(afterMs, () => {
              const exposed = { part, exposedAtMs: clock.now() }
              if (isLost) return
              clock.after(travelMs, () => {
                come.push(exposed)
                wake()
              })
            })
            while (come.length === 0) {
              await new Promise<void>((resolve, reject) => {
                wake = resolve
                signal.addEventListener('abort', () => reject(signal.reason), { once: true })
              })
            }
            const frame = await plain.capture(trigger, signal)
            const { exposedAtMs, part: shown } = come.shift()!
            return { ...frame, exposedAtMs, sequence: shown }
          },
        }
      }
      const rgb = line('rgb')
      const xyz = line('xyz')
      const rig = await openRig(
        {
          rgb: { make: () => rgb, supervision },
          xyz: { make: () => xyz, supervision },
          skewToleranceMs: 20,
          clock,
        },
        never(),
      )
      for (const { pauseMs } of schedule) {
        part++
        const asked: Trigger = { id: `part-${part}`, atMs: clock.now(), source: 'bench' }
        const sample = await clock.settle(rig.capture(asked, never()))
        checkSample(sample, asked, clock)
        const frames = Object.values(sample.frames)
        for (const { sequence, exposedAtMs, sensor } of frames) {
          if (sequence !== part) throw new Error(`${sensor} shows part ${sequence} for trigger ${part}`)
          if (exposedAtMs < asked.atMs) throw new Error(`${sensor} was exposed before its trigger`)
        }
        if (sample.condition === 'complete') {
          complete++
          const [first, second] = frames
          if (Math.abs(first!.exposedAtMs - second!.exposedAtMs) !== sample.skewMs || sample.skewMs > 20) {
            throw new Error(`skew ${sample.skewMs}`)
          }
        } else if (frames.length === 1) single++
        await clock.advance(pauseMs)
      }
      await clock.settle(rig.close())
    })
    await fc.assert(property, { seed, numRuns: 60, includeErrorInReport: true })
    t.ok(complete > 20, `${complete} complete samples`)
    t.ok(single > 100, `${single} with one frame`)
  },
)
