import t from 'tap'
import { BridgeStamps } from '../../drivers/bridge-stamps.ts'
import { monotonicClock } from '../../drivers/clock.ts'

const hrtimeMs = () => Number(process.hrtime.bigint()) / 1e6

t.test('a stamp by CLOCK_MONOTONIC is exact', async (t) => {
  const beganMs = performance.now()
  const stamps = new BridgeStamps({ clock: 'monotonic', pathMs: 0 }, monotonicClock)
  // It reads two clocks, one after the other, and a busy machine may come between.
  const exactMs = 1 + performance.now() - beganMs
  const atMs = performance.now()
  const { exposedAtMs, remark } = stamps.read(hrtimeMs(), performance.now() + 5)
  t.ok(exposedAtMs >= atMs - exactMs && exposedAtMs <= performance.now() + exactMs)
  t.equal(remark, undefined)
})

t.test('one that cannot be is remarked, and the arrival counts', async (t) => {
  const stamps = new BridgeStamps({ clock: 'monotonic', pathMs: 0 }, monotonicClock)
  const arrivedAtMs = performance.now()
  const future = stamps.read(hrtimeMs() + 5000, arrivedAtMs)
  t.match(future.remark, { code: 'clock-implausible', detail: /5\.\d+ s after/ })
  // By way of the stamp: large numbers round.
  t.ok(Math.abs(future.exposedAtMs - arrivedAtMs) < 1e-3, `${future.exposedAtMs} is ${arrivedAtMs}`)
  t.match(stamps.read(hrtimeMs() - 60_000, arrivedAtMs).remark, { detail: /s before its arrival/ })
})

t.test('other clocks are read as device clocks', async (t) => {
  const device = new BridgeStamps({ clock: 'device', pathMs: 10 }, monotonicClock)
  t.same(device.read(77, 1000), { exposedAtMs: 990 })
  const none = new BridgeStamps({ clock: 'none', pathMs: 10 }, monotonicClock)
  t.same(none.read(77, 1000), { exposedAtMs: 990 })
  const wall = new BridgeStamps({ clock: 'wall', pathMs: 0 }, monotonicClock)
  t.match(wall.read(77, 1000).remark, { code: 'clock-unset' })
})
