import t from 'tap'
import { bounded } from '../../drivers/bounded.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const expired = () => new Error('too late')

t.test('work that is done in time is passed on, and leaves nothing behind', async (t) => {
  const clock = virtualClock()
  const { signal } = new AbortController()
  const { result, ended } = bounded(async () => 7, { deadlineMs: 10, signals: [signal], clock, expired })
  t.equal(await result, 7)
  await ended
  t.equal(clock.pending(), 0)
})

t.test('work that fails, or throws at once, rejects', async (t) => {
  const clock = virtualClock()
  const failure = new Error('failed')
  const fails = [
    () => Promise.reject(failure),
    () => {
      throw failure
    },
  ]
  for (const work of fails) {
    const { result, ended } = bounded(work, { deadlineMs: 10, signals: [], clock, expired })
    await t.rejects(result, failure)
    await ended
  }
})

t.test('at the deadline the wait ends and the work is told; its end shows later', async (t) => {
  const clock = virtualClock()
  let told: unknown
  let isOver = false
  const { result, ended } = bounded(
    (signal) => {
      signal.addEventListener('abort', () => (told = signal.reason))
      return new Promise<number>((resolve) => clock.after(50, () => resolve(7)))
    },
    { deadlineMs: 10, signals: [], clock, expired },
  )
  void ended.then(() => (isOver = true))
  await t.rejects(clock.settle(result), { message: 'too late' })
  t.match(told, { message: 'too late' })
  t.notOk(isOver)
  await clock.advance(50)
  t.ok(isOver)
})

t.test(
  'any of the signals ends the wait with its reason; one that came before prevents the work',
  async (t) => {
    const clock = virtualClock()
    const reason = new Error('stopped')
    const [first, second] = [new AbortController(), new AbortController()]
    const signals = [first.signal, second.signal]
    const { result } = bounded(() => new Promise(() => {}), { deadlineMs: 10, signals, clock, expired })
    second.abort(reason)
    await t.rejects(result, reason)
    t.equal(clock.pending(), 0)

    const work = async () => t.fail('must not start')
    await t.rejects(bounded(work, { deadlineMs: 10, signals, clock, expired }).result, reason)
  },
)
