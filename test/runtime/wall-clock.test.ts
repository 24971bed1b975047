import t from 'tap'
import { watchWallClock } from '../../runtime/wall-clock.ts'
import { virtualClock } from '../support/virtual-clock.ts'

function makeWatch(startsAt: string) {
  const clock = virtualClock()
  const zeroMs = clock.now()
  let setMs = Date.parse(startsAt)
  const told: { code: string; detail: string }[] = []
  const stop = watchWallClock({
    clock,
    wallClock: () => setMs + clock.now() - zeroMs,
    onTrouble: (trouble) => told.push(trouble),
  })
  return { clock, told, stop, set: (byMs: number) => void (setMs += byMs) }
}

t.test('a clock that goes is not spoken of, also when it is slewed', async (t) => {
  const { clock, told, set } = makeWatch('2026-11-28T12:00:00Z')
  for (let minute = 0; minute < 60; minute++) {
    set(30)
    await clock.advance(60_000)
  }
  t.same(told, [])
})

t.test('each step is told once, with both times', async (t) => {
  const { clock, told, set } = makeWatch('2026-11-28T12:00:00Z')
  await clock.advance(10_000)
  set(3_600_000)
  await clock.advance(5000)
  set(-7_200_000)
  await clock.advance(5000)
  t.same(told, [
    {
      code: 'CLOCK_STEP',
      detail:
        "the machine's clock was set 3600.0 s forward, from 2026-11-28T12:00:11.000Z to 2026-11-28T13:00:11.000Z",
    },
    {
      code: 'CLOCK_STEP',
      detail:
        "the machine's clock was set 7200.0 s back, from 2026-11-28T13:00:16.000Z to 2026-11-28T11:00:16.000Z",
    },
  ])
})

t.test('one that was never set is told at once, and that it was set later', async (t) => {
  const { clock, told, set, stop } = makeWatch('1970-01-01T00:00:07Z')
  t.match(told, [{ code: 'CLOCK_UNSET', detail: /1970-01-01T00:00:07.000Z: its clock was never set/ }])
  set(Date.parse('2026-11-28') - Date.parse('1970-01-01'))
  await clock.advance(2000)
  t.match(told.slice(1), [{ code: 'CLOCK_STEP', detail: /forward, from 1970.* to 2026-11-28T/ }])
  stop()
  t.equal(clock.pending(), 0)
})
