import t from 'tap'
import { readText } from '../../drivers/bridge-hello.ts'

const bytes = (text: string) => Buffer.from(text)

t.test('hello, log and telemetry are read; what is unknown in them is dropped', async (t) => {
  const hello = '{"name":"n","formats":["RGB8"],"clock":"wall","colour":"red"}'
  t.same(readText('hello', bytes(hello)), { name: 'n', formats: ['RGB8'], clock: 'wall', pathMs: 0 })
  t.same(readText('log', bytes('{"level":"error","text":"t"}')), { level: 'error', text: 't' })
  t.same(readText('telemetry', bytes('{}')), {})
})

t.test('anything else is refused', async (t) => {
  const refused = (text: string | Buffer, message: RegExp) =>
    t.throws(() => readText('hello', Buffer.from(text)), { code: 'text', message })
  refused('{', /a hello that is not JSON in UTF-8/)
  refused(Buffer.from([0x22, 0xff, 0x22]), /not JSON in UTF-8/)
  refused('7', /whose value is wrong/)
  refused('{"name":"n","formats":["RGB9"],"clock":"wall"}', /whose formats\.0 is wrong/)
  refused('{"name":"n","formats":[],"clock":"wall"}', /whose formats is wrong/)
})
