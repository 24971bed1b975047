import t from 'tap'
import { delay, monotonicClock } from '../../drivers/clock.ts'
import { virtualClock } from '../support/virtual-clock.ts'

t.test('the monotonic clock moves forward, calls back, and can be told not to', async (t) => {
  const beforeMs = monotonicClock.now()
  const cancel = monotonicClock.after(0, () => t.fail('cancelled'))
  cancel()
  await new Promise<void>((resolve) => monotonicClock.after(1, resolve))
  t.ok(monotonicClock.now() > beforeMs)
})

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
