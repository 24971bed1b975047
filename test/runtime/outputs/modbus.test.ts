import t from 'tap'
import { ModbusOutput } from '../../../runtime/outputs/modbus.ts'
import { output, type ModbusOutputConfig } from '../../../runtime/outputs/output-config.ts'
import type { Dropped } from '../../../runtime/outputs/output.ts'
import { fakeModbus } from '../../support/fake-links.ts'
import { makePayload } from '../../support/inspected.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

async function makeOutput(keys: Record<string, unknown> = {}) {
  const clock = virtualClock()
  const plc = fakeModbus(clock)
  await quiet()
  const dropped: Dropped[] = []
  const config = output.parse({ kind: 'modbus', link: 'plc', verdictRegister: 10, ...keys })
  const told = new ModbusOutput({
    link: plc.link,
    output: config as ModbusOutputConfig,
    clock,
    onDropped: (one) => void dropped.push(one),
  })
  return { clock, plc, dropped, output: told, reasons: () => dropped.map(({ reason }) => reason) }
}

t.test('a verdict and its number stand in two registers, written together', async (t) => {
  const { plc, output, clock } = await makeOutput()
  output.tell(makePayload({ outcome: 'pass', action: 'accept', seq: 65_537 }), 1000)
  output.tell(makePayload({ outcome: 'unknown', action: 'review', seq: 65_538 }), 1000)
  await quiet()
  t.same(
    plc.written.map(({ what }) => what),
    ['10: 1 1', '10: 2 2'],
  )
  t.equal(output.counts().told, 2)
  await output.close()
  await plc.link.close()
  t.equal(clock.pending(), 0)
})

t.test('late, stale, refused and too many are dropped, and each is told', async (t) => {
  const { plc, output, clock, reasons } = await makeOutput({ latestMs: 100, review: 'nothing' })
  output.tell(makePayload({ outcome: 'pass', action: 'review' }), 1000)
  await clock.advance(200)
  output.tell(makePayload(), 1050)
  output.tell(makePayload(), 900)
  await quiet()
  t.same(reasons().sort(), ['late', 'stale'])
  plc.silence()
  for (let part = 0; part < 20; part++) output.tell(makePayload(), clock.now())
  t.equal(reasons().filter((reason) => reason === 'full').length, 3, '1 is being written, 16 wait')
  plc.unplug()
  await quiet()
  t.equal(reasons().filter((reason) => reason === 'down').length, 17)
  output.tell(makePayload(), clock.now())
  t.equal(reasons().at(-1), 'down')
  plc.plug()
  await clock.advance(3000)
  t.same(plc.written, [], 'nothing comes after the replug')
  await output.close()
  await plc.link.close()
})

t.test('a PLC without that register refuses it, and lives on', async (t) => {
  const { plc, output, reasons } = await makeOutput({ verdictRegister: 200 })
  output.tell(makePayload(), 1000)
  await quiet()
  t.same(reasons(), ['refused'])
  await output.close()
  output.tell(makePayload(), 1000)
  t.same(reasons(), ['refused'])
  await plc.link.close()
})
