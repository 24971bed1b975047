import t from 'tap'
import { DriverError, type Driver, type Trigger } from '../../drivers/driver.ts'
import { fakeDriver } from '../../drivers/fake.ts'
import { faulty, type Fault } from '../../drivers/faulty.ts'
import { FrameRefused } from '../../drivers/frame-refused.ts'
import type { Health } from '../../drivers/health.ts'
import { defaultSupervision, Supervised, type Supervision } from '../../drivers/supervised.ts'
import { driverContract } from '../support/driver-contract.ts'
import { virtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const never = () => new AbortController().signal
const quick: Supervision = {
  deadlineMs: 100,
  openDeadlineMs: 300,
  graceMs: 50,
  backoff: { firstMs: 200, maxMs: 1600 },
  limits: { degradedAfter: 1, lostAfter: 3, okAfter: 2 },
  maxAbandoned: 2,
}

t.test('a supervised driver is a driver', async (t) =>
  driverContract(t, {
    make: () => new Supervised({ ...defaultSupervision, make: () => fakeDriver({ modality: 'xyz' }) }),
    makeWaiting: () =>
      new Supervised({
        ...defaultSupervision,
        make: faulty(
          () => fakeDriver({ modality: 'xyz' }),
          () => ({ kind: 'timeout' }),
        ),
      }),
  }),
)

/** A supervised fake on a virtual clock; the test sets its fault, or gives its own driver. */
function bench(own?: (clock: VirtualClock) => Driver<'xyz'>, supervision: Partial<Supervision> = {}) {
  const clock = virtualClock(0)
  const script: { fault?: Fault } = {}
  const edges: string[] = []
  const healths: Health[] = []
  /** When a driver was made for opening; the first is the constructor's. */
  const madeAtMs: number[] = []
  const fake = faulty(
    () => fakeDriver({ modality: 'xyz', clock }),
    () => script.fault,
    clock,
  )
  const driver = new Supervised({
    ...quick,
    ...supervision,
    clock,
    make: () => {
      madeAtMs.push(clock.now())
      return own ? own(clock) : fake()
    },
    onHealth: (health) => {
      edges.push(`${clock.now()} ${health.state}`)
      healths.push(health)
    },
  })
  const trigger = (): Trigger => ({ id: 'part', atMs: clock.now(), source: 'bench' })
  const set = (fault?: Fault) => {
    if (fault) script.fault = fault
    else delete script.fault
  }
  const shoot = (fault?: Fault, signal = never()) => {
    set(fault)
    return clock.settle(driver.capture(trigger(), signal))
  }
  return { clock, driver, edges, healths, madeAtMs, set, shoot, trigger }
}

t.test('a slow sensor costs its deadline and no more; health tells the edges once', async (t) => {
  const { clock, driver, edges, shoot } = bench()
  await driver.open(never())
  t.match(await shoot(), { modality: 'xyz' })
  const beforeMs = clock.now()
  await t.rejects(shoot({ kind: 'timeout' }), { code: 'DRIVER_TIMEOUT', message: /within 100 ms/ })
  t.equal(clock.now() - beforeMs, 100)
  await t.rejects(shoot({ kind: 'timeout' }), { code: 'DRIVER_TIMEOUT' })
  await shoot()
  await shoot()
  t.same(edges, ['0 ok', '100 degraded', '200 ok'])
  await driver.close()
  t.equal(clock.pending(), 0)
})

t.test('a lost sensor costs no cycle time and comes back by itself', async (t) => {
  const { clock, driver, edges, shoot } = bench()
  await driver.open(never())
  await shoot()
  await t.rejects(shoot({ kind: 'crash' }), { code: 'DRIVER_LOST' })
  const beforeMs = clock.now()
  await t.rejects(shoot(), { code: 'DRIVER_LOST', message: /is lost: fake-xyz is gone/ })
  t.equal(clock.now(), beforeMs)
  await clock.advance(200)
  t.equal(driver.health.state, 'starting')
  await shoot()
  t.same(edges, ['0 ok', '0 lost', '200 starting', '200 ok'])
  await driver.close()
})

t.test('misses in a row end in a reopening; rejected frames do not', async (t) => {
  const reasons: ('frozen' | 'rejected')[] = []
  const { clock, driver, edges, shoot, madeAtMs } = bench(() => {
    const fake = fakeDriver({ modality: 'xyz' })
    return {
      name: 'fake-xyz',
      modality: 'xyz',
      open: (signal) => fake.open(signal),
      close: () => fake.close(),
      async capture(trigger, signal) {
        const reason = reasons.shift()
        if (reason) throw new FrameRefused('fake-xyz', { reason, detail: 'is not to be used' })
        return fake.capture(trigger, signal)
      },
    }
  })
  await driver.open(never())
  await shoot()
  reasons.push('rejected', 'rejected', 'rejected', 'rejected')
  for (let i = 0; i < 4; i++) await t.rejects(shoot(), { code: 'DRIVER_BAD_FRAME', reason: 'rejected' })
  await shoot()
  await shoot()
  t.same(edges.splice(0), ['0 ok', '0 degraded', '0 ok'])
  t.equal(madeAtMs.length, 2, 'not reopened')

  reasons.push('frozen', 'frozen', 'frozen')
  for (let i = 0; i < 3; i++) await t.rejects(shoot(), { code: 'DRIVER_BAD_FRAME', reason: 'frozen' })
  await clock.advance(200)
  t.same(edges, ['0 degraded', '0 lost', '200 starting'])
  await driver.close()
})

t.test('an unknown error of a driver counts as lost', async (t) => {
  const { driver, shoot } = bench(() => ({
    name: 'odd',
    modality: 'xyz',
    open: async () => {},
    close: async () => {},
    capture: () => {
      throw new TypeError('thrown, not rejected')
    },
  }))
  await driver.open(never())
  await t.rejects(shoot(), TypeError)
  t.match(driver.health, { state: 'lost', trouble: { code: 'DRIVER_LOST', detail: /thrown, not rejected/ } })
  await driver.close()
})

t.test('reopening backs off, doubling up to its limit, and starts over after a good frame', async (t) => {
  const { clock, driver, edges, madeAtMs, set, shoot } = bench()
  set({ kind: 'unplugged' })
  await driver.open(never())
  t.same(edges, ['0 lost'], 'an absent sensor does not keep the station from starting')
  await driver.open(never()) // and a second open does not wait for it
  await clock.advance(8000)
  t.same(madeAtMs.slice(1), [0, 200, 600, 1400, 3000, 4600, 6200, 7800])
  t.same(edges, ['0 lost'], 'failed attempts are not told again and again')
  set()
  await clock.advance(1600)
  await shoot()
  madeAtMs.length = 0
  await t.rejects(shoot({ kind: 'crash' }))
  await clock.advance(200)
  t.equal(madeAtMs.length, 1, 'after the first pause again')
  await driver.close()
})

t.test('a sensor that opens but never sends a good frame backs off as well', async (t) => {
  const { clock, driver, madeAtMs, shoot } = bench()
  await driver.open(never())
  for (let i = 0; i < 40; i++) {
    await t.rejects(shoot({ kind: 'crash' }), { code: 'DRIVER_LOST' })
    await clock.advance(200)
  }
  t.same(madeAtMs.slice(1), [0, 200, 600, 1400, 3000, 4600, 6200, 7800])
  await driver.close()
})

t.test('a capture that does not stop is abandoned, and what it brings late is dropped', async (t) => {
  const { clock, driver, edges, madeAtMs, shoot } = bench()
  await driver.open(never())
  await shoot()
  await t.rejects(shoot({ kind: 'hang', forMs: 1000 }), { code: 'DRIVER_TIMEOUT' })
  t.equal(clock.now(), 100)
  await t.rejects(shoot(), { code: 'DRIVER_TIMEOUT', message: /busy with the capture before/ })
  await clock.advance(50)
  t.equal(driver.health.state, 'lost')
  await clock.advance(50)
  t.equal(driver.abandoned, 1, 'still at work after its close and the grace')
  await clock.advance(200)
  const fresh = await shoot()
  t.equal(fresh.sequence, 1, 'a fresh driver')
  await clock.advance(1000)
  t.equal(driver.abandoned, 0)
  t.equal((await shoot()).sequence, 2, 'the late frame went nowhere')
  t.equal(madeAtMs.length, 3)
  t.same(edges, ['0 ok', '100 degraded', '150 lost', '400 starting', '400 ok'])
  await driver.close()
})

t.test(
  'no more drivers are abandoned than the bound; then the sensor stays lost until one ends',
  async (t) => {
    const { clock, driver, madeAtMs, shoot } = bench()
    await driver.open(never())
    const endsMs = 60_000
    for (let i = 0; i < 2; i++) {
      await t.rejects(shoot({ kind: 'hang', forMs: endsMs }), { code: 'DRIVER_TIMEOUT' })
      await clock.advance(2000)
    }
    t.equal(driver.abandoned, 2)
    await clock.advance(30_000)
    t.equal(madeAtMs.length, 3, 'no third driver')
    await t.rejects(shoot(), { code: 'DRIVER_LOST' })
    await clock.advance(endsMs)
    t.equal(driver.abandoned, 0)
    t.ok(await shoot())
    await driver.close()
  },
)

t.test('a device that hangs in open or in close is waited for in bounds', async (t) => {
  const forever = () => new Promise<never>(() => {})
  const { clock, driver } = bench(() => ({
    name: 'stuck',
    modality: 'xyz',
    open: forever,
    capture: forever,
    close: forever,
  }))
  await clock.settle(driver.open(never()))
  t.equal(clock.now(), 350, 'the open deadline and the grace')
  t.match(driver.health, { state: 'lost', trouble: { code: 'DRIVER_UNAVAILABLE', detail: /within 300 ms/ } })
  await clock.settle(driver.close())
  t.ok(clock.now() <= 450, 'close: the grace for what it is doing, and once more')
  t.equal(clock.pending(), 0)
})

t.test('an open that is called off closes again', async (t) => {
  const control = new AbortController()
  const { clock, driver, edges, madeAtMs } = bench(() => ({
    name: 'slow',
    modality: 'xyz',
    open: (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    capture: () => Promise.reject(new DriverError('DRIVER_LOST', 'not open')),
    close: async () => {},
  }))
  const opening = driver.open(control.signal)
  await clock.advance(10)
  const reason = new Error('shutting down')
  control.abort(reason)
  await t.rejects(clock.settle(opening), reason)
  t.same(edges, [])
  t.equal(clock.pending(), 0)
  t.equal(madeAtMs.length, 2)
  const again = driver.open(never())
  await clock.advance(0)
  t.equal(madeAtMs.length, 3, 'the next open starts afresh')
  await clock.settle(driver.close())
  await again
})

t.test('an open that comes while it closes waits for that, and then opens', async (t) => {
  const { clock, driver, shoot } = bench((clock) => {
    const fake = fakeDriver({ modality: 'xyz', clock })
    return { ...fake, close: () => new Promise((resolve) => clock.after(30, () => resolve(fake.close()))) }
  })
  await driver.open(never())
  const closing = driver.close()
  const opening = driver.open(never())
  await clock.settle(Promise.all([closing, opening]))
  t.equal(clock.now(), 30)
  t.ok(await shoot())
  await clock.settle(driver.close())
})

t.test('close in the middle of anything settles it, and nothing is told after it', async (t) => {
  for (const fault of [
    { kind: 'timeout' },
    { kind: 'hang' },
    { kind: 'unplugged' },
    { kind: 'crash' },
  ] as const) {
    const { clock, driver, edges, set, trigger } = bench()
    await driver.open(never())
    set(fault)
    const capture = driver.capture(trigger(), never()).catch((error: unknown) => error)
    await clock.advance(20)
    edges.length = 0
    const beforeMs = clock.now()
    await clock.settle(driver.close())
    t.ok(clock.now() - beforeMs <= 100, `${fault.kind}: bounded`)
    t.match(await capture, { code: 'DRIVER_LOST' }, fault.kind)
    await clock.advance(10_000)
    t.same(edges, [], fault.kind)
    t.equal(clock.pending(), 0, `${fault.kind}: no timer is left`)
    set()
    await driver.open(never())
    t.ok(await driver.capture(trigger(), never()), `${fault.kind}: reopened`)
    await driver.close()
  }
})

t.test('a capture that its caller calls off says nothing about the sensor', async (t) => {
  const { clock, driver, edges, set, shoot, trigger } = bench()
  await driver.open(never())
  await shoot()
  const control = new AbortController()
  const reason = new Error('the line stopped')
  set({ kind: 'timeout' })
  const capture = driver.capture(trigger(), control.signal)
  await clock.advance(10)
  control.abort(reason)
  await t.rejects(capture, reason)
  await clock.advance(1000)
  t.same(edges, ['0 ok'])
  t.ok(await shoot())
  await driver.close()
})
