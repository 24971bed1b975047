import t from 'tap'
import type { Driver } from '../../drivers/driver.ts'
import { fakeDriver } from '../../drivers/fake.ts'
import { faultAt, faulty, type Fault } from '../../drivers/faulty.ts'
import { driverContract, samplesOf } from '../support/driver-contract.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const never = () => new AbortController().signal
const trigger = { id: 'part-1', atMs: 0, source: 'bench' } as const

t.test('without a fault it is the driver it decorates', async (t) =>
  driverContract(t, {
    make: faulty(
      () => fakeDriver({ modality: 'rgb' }),
      () => undefined,
    ),
    makeWaiting: faulty(
      () => fakeDriver({ modality: 'rgb' }),
      () => ({ kind: 'timeout' }),
    ),
  }),
)

/** A decorated xyz driver, opened, whose fault the test sets. */
async function opened() {
  const clock = virtualClock()
  const script: { fault?: Fault } = {}
  const make = faulty(
    () => fakeDriver({ modality: 'xyz', clock }),
    () => script.fault,
    clock,
  )
  const driver: Driver<'xyz'> = make()
  await driver.open(never())
  const shoot = async (fault?: Fault) => {
    if (fault) script.fault = fault
    else delete script.fault
    await clock.advance(10)
    return driver.capture(trigger, never())
  }
  return { clock, script, make, shoot }
}

t.test('a crash says lost, and a reopened driver works; an unplugged one cannot be opened', async (t) => {
  const { shoot, make, script } = await opened()
  await t.rejects(shoot({ kind: 'crash' }), { code: 'DRIVER_LOST' })
  await make().open(never())
  script.fault = { kind: 'unplugged' }
  await t.rejects(shoot({ kind: 'unplugged' }), { code: 'DRIVER_LOST' })
  await t.rejects(make().open(never()), { code: 'DRIVER_UNAVAILABLE' })
})

t.test(
  'a frozen sensor repeats its pixels while number and clock advance, also after a reopening',
  async (t) => {
    const { shoot, make, clock } = await opened()
    const before = await shoot()
    const frozen = await shoot({ kind: 'frozen' })
    t.same(samplesOf(frozen), samplesOf(before))
    t.not(samplesOf(frozen).buffer, samplesOf(before).buffer)
    t.ok(frozen.sequence > before.sequence && frozen.exposedAtMs > before.exposedAtMs)
    const reopened = make()
    await reopened.open(never())
    await clock.advance(10)
    t.same(samplesOf(await reopened.capture(trigger, never())), samplesOf(before))
    t.notSame(samplesOf(await shoot()), samplesOf(before))
  },
)

t.test('a hanging capture ignores its signal, and may come back late', async (t) => {
  const { shoot, clock } = await opened()
  let isBack = false
  const capture = shoot({ kind: 'hang', forMs: 500 }).then(() => (isBack = true))
  await clock.advance(400)
  t.notOk(isBack)
  await clock.advance(200)
  t.ok(await capture)
})

t.test('bad and late frames are what they say', async (t) => {
  const { shoot, clock } = await opened()
  t.equal(samplesOf(await shoot({ kind: 'bad' })).length, 0)
  t.equal((await shoot({ kind: 'bad', defect: 'size' })).width, 17)
  t.ok(samplesOf(await shoot({ kind: 'bad', defect: 'not-finite' })).every(Number.isNaN))
  t.ok(samplesOf(await shoot({ kind: 'bad', defect: 'zero' })).every((value) => value === 0))
  t.ok(samplesOf(await shoot({ kind: 'bad', defect: 'millimetres' })).some((value) => value > 400))
  t.equal((await shoot({ kind: 'late', byMs: 70 })).exposedAtMs, clock.now() - 70)
})

t.test('a fault holds for its range of triggers, both ends included', async (t) => {
  const ranges = [
    { from: 3, to: 4, kind: 'crash' },
    { from: 4, to: 4, kind: 'frozen' },
  ] as const
  t.same(
    [2, 3, 4, 5].map((ordinal) => faultAt(ranges, ordinal)?.kind),
    [undefined, 'crash', 'crash', undefined],
  )
})
