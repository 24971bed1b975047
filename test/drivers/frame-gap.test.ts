import t from 'tap'
import { gapLimitMs, watchFrameGap } from '../../drivers/frame-gap.ts'
import { virtualClock } from '../support/virtual-clock.ts'

t.test('three periods are a gap, and 500 ms at least', async (t) => {
  t.equal(gapLimitMs(2), 1500)
  t.equal(gapLimitMs(25), 500)
})

t.test('a sensor that goes silent is told once, also one that never began', async (t) => {
  const clock = virtualClock(0)
  const told: number[] = []
  const gap = watchFrameGap({ limitMs: 500, clock, onGap: () => told.push(clock.now()) })
  await clock.advance(400)
  gap.seen()
  await clock.advance(499)
  t.same(told, [])
  await clock.advance(1)
  t.same(told, [900])
  await clock.advance(5000)
  t.same(told, [900])
  t.equal(clock.pending(), 0)
})

t.test(
  'a daemon that stood still itself reads what came meanwhile before it blames the sensor',
  async (t) => {
    const clock = virtualClock(0)
    const heldUp = { ...clock, after: (ms: number, call: () => void) => clock.after(ms + 300, call) }
    const told: number[] = []
    const gap = watchFrameGap({ limitMs: 500, clock: heldUp, onGap: () => told.push(clock.now()) })
    await clock.advance(800)
    t.same(told, [])
    gap.seen()
    // Looked at 1200, when 400 ms were silent, and at 1600; then only what was to be read is waited for.
    await clock.advance(1199)
    t.same(told, [])
    await clock.advance(1)
    t.same(told, [2000], 'a machine that is always late tells it all the same, once')
    await clock.advance(5000)
    t.same(told, [2000])
  },
)

t.test('nothing is told after it was stopped, and no timer is left', async (t) => {
  const clock = virtualClock(0)
  const gap = watchFrameGap({ limitMs: 500, clock, onGap: () => t.fail('told') })
  await clock.advance(300)
  gap.stop()
  t.equal(clock.pending(), 0)
  await clock.advance(1000)
})
