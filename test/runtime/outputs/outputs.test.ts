import t from 'tap'
import { output } from '../../../runtime/outputs/output-config.ts'
import type { Dropped } from '../../../runtime/outputs/output.ts'
import { openOutputs } from '../../../runtime/outputs/outputs.ts'
import { fakeModbus, fakeSerial } from '../../support/fake-links.ts'
import { makePayload } from '../../support/inspected.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

t.test('each output tells over the link that it names', async (t) => {
  const clock = virtualClock()
  const io = fakeSerial(clock)
  const plc = fakeModbus(clock)
  await quiet()
  const dropped: Dropped[] = []
  const named: string[] = []
  const outputs = openOutputs(
    [
      output.parse({ kind: 'serial', link: 'io', bytes: 'R' }),
      output.parse({ kind: 'modbus', link: 'plc', verdictRegister: 10 }),
    ],
    {
      links: {
        serial: (name) => (named.push(name), io.link),
        modbus: (name) => (named.push(name), plc.link),
      },
      clock,
      onDropped: (one) => void dropped.push(one),
    },
  )
  const tell = () => {
    const verdict = makePayload({ outcome: 'fail', action: 'reject', seq: 7, triggerId: 'run-7' })
    for (const one of outputs) one.tell(verdict, clock.now())
  }
  tell()
  await quiet()
  t.same(named, ['io', 'plc'])
  t.match(io.written, [{ what: 'R' }])
  t.match(plc.written, [{ what: '10: 2 7' }])
  plc.unplug()
  tell()
  await quiet()
  t.match(dropped, [{ link: 'plc', reason: 'down', triggerId: 'run-7' }])
  t.same(
    outputs.map((one) => one.counts().told),
    [2, 1],
  )
  for (const one of outputs) await one.close()
  await io.link.close()
  await plc.link.close()
  t.equal(clock.pending(), 0)
})
