import t from 'tap'
import { checked } from '../../drivers/checked.ts'
import type { Driver } from '../../drivers/driver.ts'
import { fakeDriver } from '../../drivers/fake.ts'
import { faulty, type Fault } from '../../drivers/faulty.ts'
import { freezeWatch } from '../../drivers/freeze.ts'
import { defaultFrameLimits } from '../../drivers/frame-check.ts'
import { learnLooks, looksOf, type LearnedLooks } from '../../drivers/look-limits.ts'
import { driverContract } from '../support/driver-contract.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const clock = virtualClock(5000)
const never = () => new AbortController().signal
const settings = (staleMs = 0) => ({
  limits: defaultFrameLimits,
  staleMs,
  watch: freezeWatch({ comparesPixels: true }),
  clock,
})

t.test('a checked driver is a driver', async (t) =>
  driverContract(t, {
    make: () => {
      const watch = freezeWatch({ comparesPixels: true })
      return checked(fakeDriver({ modality: 'rgb' }), {
        ...settings(),
        watch,
        clock: { ...clock, now: () => performance.now() },
      })
    },
  }),
)

async function refusalOf(fault: Fault, staleMs: number) {
  const make = faulty<'xyz'>(
    () => fakeDriver({ modality: 'xyz', clock }),
    () => fault,
    clock,
  )
  const driver: Driver<'xyz'> = checked(make(), settings(staleMs))
  await driver.open(never())
  const trigger = { id: 'part', atMs: clock.now(), source: 'bench' } as const
  return driver.capture(trigger, never()).then(
    () => 'accepted',
    (error: unknown) => error,
  )
}

t.test('a frame that must not be used is refused, with the sensor, the reason and the numbers', async (t) => {
  t.match(await refusalOf({ kind: 'bad' }, 0), {
    code: 'DRIVER_BAD_FRAME',
    reason: 'bad-frame',
    message: 'fake-xyz: the frame has 0 samples, expected 576 for 16x12',
  })
  t.match(await refusalOf({ kind: 'late', byMs: 30 }, 0), {
    reason: 'stale',
    message: 'fake-xyz: the frame was exposed 30 ms before its trigger',
  })
  t.equal(await refusalOf({ kind: 'late', byMs: 30 }, 30), 'accepted')
  t.match(await refusalOf({ kind: 'late', byMs: -40 }, 30), { reason: 'stale', message: /40 ms from now/ })
})

t.test('a frame that nobody waits for any more does not reach the freeze watch', async (t) => {
  let seen = 0
  const control = new AbortController()
  const late: Driver<'rgb'> = {
    ...fakeDriver({ modality: 'rgb', clock }),
    capture: async () => {
      control.abort(new Error('too late'))
      return {
        modality: 'rgb',
        sensor: 'late',
        sequence: 1,
        exposedAtMs: 0,
        width: 1,
        height: 1,
        pixels: new Uint8Array(3),
      }
    },
  }
  const watch = { see: () => void seen++ }
  const driver = checked(late, { ...settings(), watch })
  await t.rejects(driver.capture({ id: 'part', atMs: 0, source: 'bench' }, control.signal), {
    message: 'too late',
  })
  t.equal(seen, 0)
})

t.test('what was taught says how a frame may look, from the frame on at which it changes', async (t) => {
  const plain = fakeDriver({ modality: 'xyz', clock })
  let byMetres = 1
  const scanner: Driver<'xyz'> = {
    ...plain,
    async capture(trigger, signal) {
      const frame = await plain.capture(trigger, signal)
      const remarks = [{ code: 'clock-step', detail: 'is stamped oddly', degrades: false }]
      return { ...frame, remarks, pointsMetres: frame.pointsMetres.map((value) => value * byMetres) }
    },
  }
  let learned: LearnedLooks | undefined
  const driver = checked(scanner, { ...settings(), looks: () => learned })
  await driver.open(never())
  let part = 0
  const codes = async () => {
    await clock.advance(10)
    const trigger = { id: `part-${++part}`, atMs: clock.now(), source: 'bench' } as const
    const { remarks } = await driver.capture(trigger, never())
    return remarks?.map(({ code }) => code)
  }
  byMetres = 1.2
  t.same(await codes(), ['clock-step'], 'nothing is taught')
  byMetres = 1
  const taught = await Promise.all(
    [1, 2, 3].map(async (seed) => {
      const fake = fakeDriver({ modality: 'xyz', clock, seed })
      await fake.open(never())
      return looksOf({
        xyz: await fake.capture({ id: 'taught', atMs: clock.now(), source: 'teach' }, never()),
      })
    }),
  )
  learned = learnLooks(taught)
  t.same(await codes(), ['clock-step'])
  byMetres = 1.2
  t.same(await codes(), ['clock-step', 'distance'])
  byMetres = 2
  await t.rejects(codes(), { code: 'DRIVER_BAD_FRAME', reason: 'rejected', message: /median distance/ })
})
