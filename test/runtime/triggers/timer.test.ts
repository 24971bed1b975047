import t from 'tap'
import { timerFeed } from '../../../runtime/triggers/timer.ts'
import { makeAsk } from '../../support/asked.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

t.test('it asks at once and then on its raster, as often as it was told', async (t) => {
  const clock = virtualClock()
  const { ask, requests } = makeAsk()
  const feeding = timerFeed({ everyMs: 100, count: 3, clock })(ask, new AbortController().signal)
  await clock.advance(0)
  t.equal(requests.length, 1)
  await clock.advance(199)
  t.equal(requests.length, 2)
  await clock.settle(feeding)
  t.same(requests, [{ source: 'timer' }, { source: 'timer' }, { source: 'timer' }])
})

t.test('ticks that were missed are not made up for in a burst', async (t) => {
  const clock = virtualClock(0)
  const stop = new AbortController()
  const { ask } = makeAsk()
  const atMs: number[] = []
  const now = () => clock.now() + (atMs.length >= 2 ? 350 : 0)
  const feeding = timerFeed({ everyMs: 100, clock: { ...clock, now } })((request) => {
    atMs.push(clock.now() + (atMs.length >= 2 ? 350 : 0))
    return ask(request)
  }, stop.signal)
  await clock.advance(300)
  stop.abort()
  await clock.settle(feeding)
  // The machine stalls for 350 ms right after the second one; the raster stays where it was.
  t.same(atMs.slice(0, 4), [0, 100, 500, 600])
})

t.test('it ends when it is told', async (t) => {
  const clock = virtualClock()
  const stop = new AbortController()
  const { ask, requests } = makeAsk()
  const feeding = timerFeed({ everyMs: 100, clock })(ask, stop.signal)
  await clock.advance(250)
  stop.abort()
  await feeding
  t.equal(requests.length, 3)
  t.equal(clock.pending(), 0)
})
