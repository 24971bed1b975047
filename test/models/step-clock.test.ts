import t from 'tap'
import { startStepClock } from '../../models/step-clock.ts'

t.test('steps are told when they begin, and times of the same step add up', async (t) => {
  const told: string[] = []
  const clock = startStepClock((step) => told.push(step))
  for (const step of ['a', 'b', 'a']) clock.enter(step)
  const timingMs = clock.stop()
  t.same(told, ['a', 'b', 'a'])
  t.same(Object.keys(timingMs), ['a', 'b', 'total'])
  t.ok(timingMs['a']! + timingMs['b']! <= timingMs['total']!)
  t.ok(Object.values(timingMs).every((ms) => ms >= 0))
})

t.test('a clock that entered no step has a total', async (t) => {
  t.same(Object.keys(startStepClock().stop()), ['total'])
})
