import t from 'tap'
import { LeaderArrivals } from '../../drivers/leader-arrivals.ts'
import { virtualClock } from '../support/virtual-clock.ts'

/** A wall clock beside the virtual one. */
function arrivals() {
  const clock = virtualClock(1000)
  let aheadMs = Date.UTC(2031)
  return {
    clock,
    wallMs: () => clock.now() + aheadMs,
    set: (byMs: number) => void (aheadMs += byMs),
    leader: new LeaderArrivals({ clock, wallMs: () => clock.now() + aheadMs }),
  }
}

t.test('a frame came when its first packet did, however late it is looked at', async (t) => {
  const { clock, wallMs, leader } = arrivals()
  for (const lateMs of [0, 36, 500, 9000]) {
    const [atMs, notedMs] = [clock.now(), wallMs()]
    await clock.advance(lateMs)
    t.equal(leader.arrivedAtMs(notedMs), atMs)
  }
})

t.test('without a note, and with one that cannot be, it came now', async (t) => {
  const { clock, wallMs, leader } = arrivals()
  for (const noted of [0, NaN, wallMs() + 5, wallMs() - 20_000])
    t.equal(leader.arrivedAtMs(noted), clock.now())
})

t.test('so it did when the wall clock was set after the note', async (t) => {
  for (const byMs of [-3600_000, -50, 50, 3000, 3600_000]) {
    const { clock, wallMs, set, leader } = arrivals()
    const notedMs = wallMs()
    set(byMs)
    await clock.advance(10)
    t.equal(leader.arrivedAtMs(notedMs), clock.now(), `by ${byMs} ms`)
    const [atMs, nextMs] = [clock.now(), wallMs()]
    await clock.advance(10)
    t.equal(leader.arrivedAtMs(nextMs), atMs, 'the next note is good again')
  }
})

t.test('a wall clock that is drawn towards the right time was not set', async (t) => {
  const { clock, wallMs, set, leader } = arrivals()
  await clock.advance(60_000)
  set(-30)
  const [atMs, notedMs] = [clock.now(), wallMs()]
  await clock.advance(7)
  t.equal(leader.arrivedAtMs(notedMs), atMs)
})
