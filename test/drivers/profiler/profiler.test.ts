import t from 'tap'
import type { DriverError, Trigger } from '../../../drivers/driver.ts'
import type { XyzFrame } from '../../../drivers/frame.ts'
import { DamageCount } from '../../../drivers/profiler/profile.ts'
import type { ProfileSourceEvents } from '../../../drivers/profiler/profile-source.ts'
import { Profiler, type ProfilerOptions } from '../../../drivers/profiler/profiler.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

const never = () => new AbortController().signal

/** A profiler of 10 rows and 2 columns over a source that the test feeds. */
function prepare(change: Partial<ProfilerOptions> = {}) {
  const clock = virtualClock()
  const damage = new DamageCount()
  const sent: string[] = []
  const lost: string[] = []
  let events: ProfileSourceEvents | undefined
  let refused: Error | undefined
  const driver = new Profiler({
    name: 'line',
    identity: 'test',
    profiles: 10,
    samples: 2,
    countsPerProfile: 1,
    counterBits: 16,
    reorderedProfiles: 2,
    millimetresPerCount: 1,
    startMillimetres: 0,
    pitchMillimetres: 1,
    millimetresPerPositionCode: 1,
    millimetresPerHeightCode: 1,
    heightOffsetMillimetres: 0,
    latencyMs: 0,
    earlyMs: 0,
    mapLimitMs: 100,
    mostMissing: 0.5,
    clock,
    openSource: (given) => {
      events = given
      if (refused) return Promise.reject(refused)
      return Promise.resolve({
        damage,
        send: (bytes) => Promise.resolve(void sent.push(Buffer.from(bytes).toString('latin1'))),
        close: () => Promise.resolve(),
      })
    },
    ...change,
  })
  let ordinal = 0
  return {
    driver,
    clock,
    damage,
    sent,
    lost,
    open: () => driver.open(never(), (error: DriverError) => void lost.push(error.message)),
    refuse: (error: Error) => (refused = error),
    source: () => events as ProfileSourceEvents,
    /** Each is its counter high. */
    send(...counters: number[]) {
      for (const counter of counters)
        events?.onProfile({ counter, heights: Float64Array.of(counter + 1, NaN) })
    },
    trigger: (): Trigger => ({ id: `t${++ordinal}`, atMs: clock.now(), source: 'bench' }),
  }
}

/** Height of each row in millimetres; 0 where it is missing. */
const rowsOf = ({ pointsMetres, width, height }: XyzFrame) =>
  Array.from({ length: height }, (_, row) => Math.round((pointsMetres[3 * row * width + 2] ?? NaN) * 1000))
const codesOf = (frame: XyzFrame) => (frame.remarks ?? []).map(({ code, degrades }) => [code, degrades])
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)

t.test('a map begins with the first profile after its trigger', async (t) => {
  const { driver, open, send, clock, trigger } = prepare()
  await open()
  send(...range(0, 5))
  await clock.advance(10)
  const asked = trigger()
  send(5, 6) // before the capture is asked for
  await clock.advance(3)
  const capture = driver.capture(asked, never())
  send(...range(7, 15))
  const frame = await capture
  t.same(rowsOf(frame), range(6, 16))
  t.match(frame, {
    sensor: 'line',
    modality: 'xyz',
    sequence: 1,
    width: 2,
    height: 10,
    exposedAtMs: asked.atMs,
  })
  t.notOk(frame.remarks)
  await clock.advance(1)
  const second = driver.capture(trigger(), never())
  await t.rejects(driver.capture(trigger(), never()), { code: 'DRIVER_TIMEOUT' })
  await clock.advance(1)
  send(...range(15, 25))
  t.match(await second, { sequence: 2, exposedAtMs: clock.now() })
  await driver.close()
  t.equal(clock.pending(), 0)
})

t.test('missing, repeated and out of order: put right, said, and counted', async (t) => {
  const { driver, open, send, trigger } = prepare()
  await open()
  const capture = driver.capture(trigger(), never())
  send(65_533, 65_535, 65_534, 0, 0, 3, 4, 5, 6, 7, 8)
  const frame = await capture
  t.same(rowsOf(frame), [65_534, 65_535, 65_536, 1, 0, 0, 4, 5, 6, 7])
  t.same(codesOf(frame), [
    ['profiles-missing', true],
    ['profiles-repeated', false],
    ['profiles-out-of-order', false],
  ])
  t.match(frame.remarks?.[0]?.detail, 'lacks 2 of 10 profiles')
  t.match((await driver.report()).counters, { profiles: 11, missing: 2, repeated: 1, 'out of order': 1 })
  await driver.close()
})

t.test(
  'a map is given when its time is up, or the counter jumps; with too little in it, it is refused',
  async (t) => {
    const { driver, open, send, clock, trigger } = prepare()
    await open()
    const slow = driver.capture(trigger(), never())
    await clock.advance(500)
    send(...range(0, 7))
    await clock.advance(99)
    send(7)
    const partial = await clock.settle(slow)
    t.same(rowsOf(partial), [1, 2, 3, 4, 5, 6, 7, 8, 0, 0])
    t.same(codesOf(partial), [['profiles-missing', true]])

    const zeroed = driver.capture(trigger(), never())
    send(...range(100, 106), 3)
    t.same(rowsOf(await zeroed), [101, 102, 103, 104, 105, 106, 0, 0, 0, 0])

    await clock.advance(1)
    const poor = driver.capture(trigger(), never())
    send(4, 5, 6)
    const error = clock.settle(poor)
    await t.rejects(error, { code: 'DRIVER_BAD_FRAME', message: 'line: 7 of 10 profiles did not come' })
    await driver.close()
    t.equal(clock.pending(), 0)
  },
)

t.test('profiles of another width are refused with both widths', async (t) => {
  const { driver, open, source, clock, trigger } = prepare()
  await open()
  const capture = driver.capture(trigger(), never())
  source().onProfile({ counter: 1, heights: new Float64Array(5) })
  await t.rejects(clock.settle(capture), {
    code: 'DRIVER_BAD_FRAME',
    message: /profiles of 5 samples came, the config says 2/,
  })
  t.match((await driver.report()).advice, [{ fix: /set the sensor to 2 samples/ }])
  await driver.close()
})

t.test(
  'damage: said in the frame; too much of it in a row, or once beyond repair, loses the sensor',
  async (t) => {
    const { driver, open, source, damage, send, clock, trigger, lost } = prepare()
    await open()
    damage.note('an old one')
    const capture = driver.capture(trigger(), never())
    send(...range(0, 9))
    damage.note('a frame with a wrong checksum')
    source().onDamage()
    const frame = await clock.settle(capture)
    t.match(frame.remarks?.[0]?.detail, /lacks 1 of 10 profiles; 1 came damaged, the last one: .* checksum/)
    t.match((await driver.report()).counters, { damaged: 2 })
    damage.good()

    const hopeless = driver.capture(trigger(), never())
    for (let i = 0; i < 19; i++) damage.note('a line of 1 columns')
    source().onDamage()
    t.same(lost, [])
    damage.note('a line of 1 columns')
    source().onDamage()
    await t.rejects(hopeless, { code: 'DRIVER_LOST', message: /20 times in a row/ })
    t.equal(lost.length, 1)
    source().onDamage()
    send(1)
    source().onClosed('gone')
    t.equal(lost.length, 1, 'once')
    await t.rejects(driver.capture(trigger(), never()), { code: 'DRIVER_LOST' })

    await open()
    damage.isFatal = true
    source().onDamage()
    t.match(lost[1], /where the next one begins is unknown/)
    await driver.close()
    t.equal(clock.pending(), 0)
  },
)

t.test('a start command: only what comes after it belongs to the part', async (t) => {
  const { driver, open, send, sent, clock, trigger } = prepare({
    startCommand: Buffer.from('start\r'),
    stopCommand: Buffer.from('stop\r'),
    restartsAt: 0,
  })
  await open()
  const asked = trigger()
  send(7, 8)
  await clock.advance(1)
  const capture = driver.capture(asked, never())
  t.same(sent, ['start\r'])
  send(9) // of the part before
  send(...range(1, 10)) // its first was lost
  send(0) // the next part's
  const frame = await capture
  t.same(rowsOf(frame), [0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.same(sent, ['start\r', 'stop\r'])
  await clock.advance(1)
  const control = new AbortController()
  const called = driver.capture(trigger(), control.signal)
  control.abort(new Error('the line stopped'))
  await t.rejects(called, { message: 'the line stopped' })
  t.same(sent.slice(2), ['start\r', 'stop\r'], 'a map that is given up is stopped')
  await driver.close()
})

t.test('silence loses a sensor that must not be silent', async (t) => {
  const { driver, open, source, clock, lost, trigger } = prepare({ silenceMs: 300 })
  await open()
  await clock.advance(200)
  source().onAnything()
  await clock.advance(299)
  t.same(lost, [])
  await clock.advance(2)
  t.match(lost, [/nothing came for 300 ms/])
  await t.rejects(driver.capture(trigger(), never()), { code: 'DRIVER_LOST' })
  await driver.close()
  t.equal(clock.pending(), 0)
})

t.test(
  'what cannot be opened is unavailable, what closes is lost, and an old connection has nothing to say',
  async (t) => {
    const { driver, open, source, send, refuse, lost, trigger } = prepare()
    await open()
    const first = source()
    first.onClosed('unplugged')
    t.match(lost, ['line: unplugged'])
    refuse(new Error('no such port'))
    await t.rejects(open(), { code: 'DRIVER_UNAVAILABLE', message: 'line: no such port' })
    refuse(undefined as never)
    await open()
    first.onClosed('again')
    first.onProfile({ counter: 1, heights: new Float64Array(2) })
    t.equal(lost.length, 1)
    t.match((await driver.report()).counters, { profiles: 0 })
    const capture = driver.capture(trigger(), never())
    await driver.close()
    await t.rejects(capture, { code: 'DRIVER_LOST' })
    send(1)
    await t.rejects(driver.report(), { code: 'DRIVER_LOST' })
  },
)

t.test('what nobody asked for is forgotten, and counted', async (t) => {
  const { driver, open, send } = prepare()
  await open()
  send(...range(0, 50))
  t.match((await driver.report()).counters, { profiles: 50, unused: 30 })
  await driver.close()
})

t.test('what the network held back is not the next part’s', async (t) => {
  const { driver, open, send, trigger, lost } = prepare({ endsAfterMiss: true })
  await open()
  const control = new AbortController()
  const begun = driver.capture(trigger(), control.signal)
  send(1)
  control.abort(new Error('too late'))
  await t.rejects(begun, { message: 'too late' })
  t.same(lost, [], 'some came')
  const other = prepare({ endsAfterMiss: true })
  await other.open()
  const late = new AbortController()
  const missed = other.driver.capture(other.trigger(), late.signal)
  late.abort(new Error('too late'))
  await t.rejects(missed, { message: 'too late' })
  t.match(other.lost, [/no profile came for a trigger/])
  await Promise.all([driver.close(), other.driver.close()])
})

t.test('a stamped profile is dated by its stamp', async (t) => {
  const { driver, open, source, clock, trigger } = prepare({ stampMs: 1, profiles: 2 })
  await open()
  const stamped = (counter: number, stamp: number) =>
    source().onProfile({ counter, stamp, heights: Float64Array.of(counter + 1, 1) })
  stamped(0, 100)
  await clock.advance(50)
  const asked = trigger()
  const capture = driver.capture(asked, never())
  stamped(1, 110) // held back for 40 ms: of the part before
  stamped(2, 150)
  stamped(3, 151)
  const frame = await capture
  t.same(rowsOf(frame), [3, 4])
  t.equal(frame.exposedAtMs, asked.atMs)
  await driver.close()
})
