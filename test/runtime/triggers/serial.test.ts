import t from 'tap'
import { serialTrigger } from '../../../runtime/triggers/serial-config.ts'
import { serialFeed } from '../../../runtime/triggers/serial.ts'
import { makeAsk } from '../../support/asked.ts'
import { fakeSerial } from '../../support/fake-links.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

async function makeFeed(keys: Record<string, unknown>, { hasLines = true } = {}) {
  const clock = virtualClock()
  const serial = fakeSerial(clock, { hasLines })
  await quiet()
  const refused: string[] = []
  const asked = makeAsk()
  const stop = new AbortController()
  const feeding = serialFeed({
    link: serial.link,
    trigger: serialTrigger.parse({ kind: 'serial', link: 'line', ...keys }),
    clock,
    onRefused: ({ detail }) => void refused.push(detail),
  })(asked.ask, stop.signal)
  const close = async () => {
    stop.abort()
    await feeding
    await serial.link.close()
    return clock.pending()
  }
  return { clock, serial, refused, close, ...asked }
}

t.test('bytes ask, and what was half received before an unplug does not', async (t) => {
  const { clock, serial, requests, refused, close } = await makeFeed({ delimiter: '\n', prefix: 'T' })
  serial.receive('Tp-1\nT')
  t.same(requests, [{ source: 'serial', partId: 'p-1' }])
  serial.unplug()
  serial.plug()
  await clock.advance(500)
  serial.receive('p-2\nT\n')
  t.same(requests.slice(1), [{ source: 'serial' }])
  serial.receive(`T${'x'.repeat(210)}\n`)
  t.equal(requests.length, 3, 'a part with an unusable id is a part')
  t.match(refused, [/id is unusable/])
  serial.receive('x'.repeat(1000))
  t.match(refused[1], /256 bytes without a delimiter/)
  t.equal(await close(), 0)
  serial.receive('\nT\n')
  t.equal(requests.length, 3, 'nothing after the end')
})

t.test('fixed bytes ask', async (t) => {
  const { serial, requests, close } = await makeFeed({ bytes: '\x05' })
  serial.receive('\x05..\x05')
  t.equal(requests.length, 2)
  t.equal(await close(), 0)
})

t.test('an edge asks, a level and a bounce do not', async (t) => {
  const { clock, serial, requests, close } = await makeFeed({ line: 'cts', debounceMs: 20 })
  serial.setLines({ cts: true })
  await clock.advance(6)
  t.equal(requests.length, 1)
  for (const cts of [false, true]) {
    serial.setLines({ cts })
    await clock.advance(5)
  }
  t.equal(requests.length, 1, 'a bounce')
  serial.setLines({ cts: false })
  await clock.advance(50)
  serial.unplug()
  serial.setLines({ cts: true })
  serial.plug()
  await clock.advance(1000)
  t.equal(requests.length, 1, 'on before the port came up: of a part that may be gone')
  t.equal(await close(), 0)
})

t.test('a port without such a line is told once for each connection', async (t) => {
  const { clock, refused, requests, close } = await makeFeed({ line: 'dsr' }, { hasLines: false })
  await clock.advance(100)
  t.match(refused, ['link line: this port has no line dsr; trigger by bytes, or use an adapter that has it'])
  t.same(requests, [])
  t.equal(await close(), 0)
})

t.test('one way to ask, and only one', async (t) => {
  for (const keys of [{}, { bytes: 'T', line: 'cts' }, { bytes: 'T', prefix: 'x' }, { bytes: '€' }]) {
    t.equal(serialTrigger.safeParse({ kind: 'serial', link: 'line', ...keys }).success, false)
  }
})
