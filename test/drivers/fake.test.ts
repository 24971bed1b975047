import t from 'tap'
import { fakeDriver } from '../../drivers/fake.ts'
import { driverContract, samplesOf } from '../support/driver-contract.ts'

const never = () => new AbortController().signal
const trigger = { id: 'part-1', atMs: 0, source: 'bench' } as const

t.test('the fake rgb sensor', async (t) =>
  driverContract(t, { make: () => fakeDriver({ modality: 'rgb' }), size: { width: 16, height: 12 } }),
)

t.test('the fake 3D sensor', async (t) =>
  driverContract(t, {
    make: () => fakeDriver({ modality: 'xyz', width: 5, height: 9 }),
    size: { width: 5, height: 9 },
  }),
)

t.test('the same seed shows the same frames, another seed others, and no frame twice', async (t) => {
  const shoot = async (seed: number) => {
    const driver = fakeDriver({ modality: 'xyz', seed })
    await driver.open(never())
    return [
      samplesOf(await driver.capture(trigger, never())),
      samplesOf(await driver.capture(trigger, never())),
    ]
  }
  const [first, again, other] = [await shoot(4), await shoot(4), await shoot(9)]
  t.same(first, again)
  t.notSame(first, other)
  t.notSame(first[0], first[1])
})

t.test('a caller that breaks the contract hears of it', async (t) => {
  const driver = fakeDriver({ modality: 'rgb' })
  await driver.open(never())
  const first = driver.capture(trigger, never())
  await t.rejects(driver.capture(trigger, never()), /one at a time/)
  await first
})
