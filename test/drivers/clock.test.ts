import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { delay, monotonicClock } from '../../drivers/clock.ts'
import { block } from '../support/block.ts'
import { virtualClock } from '../support/virtual-clock.ts'

t.test('the monotonic clock moves forward, calls back, and can be told not to', async (t) => {
  const beforeMs = monotonicClock.now()
  const cancel = monotonicClock.after(0, () => t.fail('cancelled'))
  cancel()
  await new Promise<void>((resolve) => monotonicClock.after(1, resolve))
  t.ok(monotonicClock.now() > beforeMs)
})

t.test(
  'what came before a timer was due is read before it calls, also when the process stood still',
  async (t) => {
    const server = createServer().listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [far] = (await once(server, 'connection')) as [Socket]
    t.teardown(() => far.destroy())
    t.teardown(() => near.destroy())
    for (let round = 0; round < 20; round++) {
      const order: string[] = []
      far.once('data', () => order.push('came'))
      await new Promise<void>((resolve) => {
        monotonicClock.after(5, () => {
          order.push('due')
          resolve()
        })
        near.write('an answer')
        block(20)
      })
      t.same(order, ['came', 'due'])
    }
    const order: string[] = []
    await new Promise<void>((resolve) => {
      // Both are due in one turn: the first may still call the second off.
      monotonicClock.after(1, () => {
        cancel()
        order.push('first')
        resolve()
      })
      const cancel = monotonicClock.after(1, () => void order.push('second'))
      block(20)
    })
    await new Promise(setImmediate)
    t.same(order, ['first'])
  },
)

t.test('a delay ends when it is due, or with the signal’s reason', async (t) => {
  const clock = virtualClock(0)
  const control = new AbortController()
  await clock.settle(delay(70, control.signal, clock))
  t.equal(clock.now(), 70)
  const reason = new Error('shutting down')
  const second = delay(70, control.signal, clock)
  control.abort(reason)
  await t.rejects(second, reason)
  await t.rejects(delay(70, control.signal, clock), reason)
  t.equal(clock.pending(), 0)
})
