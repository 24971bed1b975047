import t from 'tap'
import { modbusTrigger } from '../../../runtime/triggers/modbus-config.ts'
import { modbusFeed } from '../../../runtime/triggers/modbus.ts'
import { makeAsk } from '../../support/asked.ts'
import { fakeModbus } from '../../support/fake-links.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

async function makeFeed(keys: Record<string, unknown>, registers: [number, number][] = []) {
  const clock = virtualClock()
  const plc = fakeModbus(clock)
  for (const [register, value] of registers) plc.registers.set(register, value)
  await quiet()
  const refused: string[] = []
  const asked = makeAsk()
  const stop = new AbortController()
  const feeding = modbusFeed({
    link: plc.link,
    trigger: modbusTrigger.parse({ kind: 'modbus', link: 'plc', address: 1, ...keys }),
    clock,
    onRefused: ({ detail }) => void refused.push(detail),
  })(asked.ask, stop.signal)
  await quiet()
  const close = async () => {
    stop.abort()
    await feeding
    await plc.link.close()
    await quiet()
    return clock.pending()
  }
  const set = async (value: number) => {
    plc.registers.set(1, value)
    await clock.advance(20)
  }
  return { clock, plc, refused, close, set, ...asked }
}

t.test('each new value is a part, 0 is none', async (t) => {
  for (const table of ['holding-register', 'input-register', 'coil', 'discrete-input']) {
    const { set, requests, close } = await makeFeed({ table }, [[1, 1]])
    t.same(requests, [], 'what stands there at first is old')
    await set(0)
    await set(1)
    t.same(requests, [{ source: 'modbus' }], table)
    await set(2)
    t.equal(requests.length, table.endsWith('register') ? 2 : 1, 'a counter needs no 0 between')
    t.equal(await close(), 0)
  }
})

t.test('with an acknowledge register a part is asked for once, whenever the cable is pulled', async (t) => {
  const { clock, plc, set, requests, close } = await makeFeed({ acknowledgeRegister: 2 }, [[1, 7]])
  t.equal(requests.length, 1, 'the PLC still holds it')
  t.equal(plc.registers.get(2), 7)
  await set(0)
  t.equal(plc.registers.get(2), 0)
  plc.unplug()
  await set(8)
  plc.plug()
  await clock.advance(3000)
  t.equal(requests.length, 2, 'held while the cable was out')
  t.equal(plc.registers.get(2), 8)
  plc.registers.set(2, 0)
  plc.unplug()
  plc.plug()
  await clock.advance(3000)
  t.equal(requests.length, 2, 'taken before')
  t.equal(plc.registers.get(2), 8, 'said again')
  t.equal(await close(), 0)
})

t.test('a part that a former run took is not taken again', async (t) => {
  const { requests, close } = await makeFeed({ acknowledgeRegister: 2 }, [
    [1, 7],
    [2, 7],
  ])
  t.same(requests, [])
  t.equal(await close(), 0)
})

t.test('a register that the PLC does not have is told once', async (t) => {
  const { clock, refused, close } = await makeFeed({ address: 500 })
  await clock.advance(500)
  t.same(refused, ['link plc: illegal address'])
  t.equal(await close(), 0)
})
