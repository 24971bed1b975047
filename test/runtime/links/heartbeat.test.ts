import t from 'tap'
import { startHeartbeat } from '../../../runtime/links/heartbeat.ts'
import { fakeModbus } from '../../support/fake-links.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

t.test('1 and 0 take turns while the link is up, and begin again after an outage', async (t) => {
  const clock = virtualClock()
  const plc = fakeModbus(clock)
  startHeartbeat(plc.link, { register: 3, everyMs: 500, clock })
  await quiet()
  await clock.advance(1000)
  const beats = () => plc.written.map(({ atMs, what }) => `${atMs} ${what}`)
  t.same(beats(), ['1000 3: 1', '1500 3: 0', '2000 3: 1'])
  plc.unplug()
  await clock.advance(100)
  plc.plug()
  await clock.advance(700)
  t.equal(plc.written.length, 5)
  t.same(
    plc.written.slice(3).map(({ what }) => what),
    ['3: 1', '3: 0'],
  )
  await plc.link.close()
  await quiet()
  t.equal(clock.pending(), 0, 'it ends with its link')
})

t.test('a register that is refused ends nothing', async (t) => {
  const clock = virtualClock()
  const plc = fakeModbus(clock)
  startHeartbeat(plc.link, { register: 200, everyMs: 500, clock })
  await clock.advance(2000)
  t.equal(plc.link.health().state, 'up')
  t.equal(clock.pending(), 1)
  await plc.link.close()
})
