import t from 'tap'
import { output } from '../../../runtime/outputs/output-config.ts'

const serial = { kind: 'serial', link: 'io' }

t.test('a pulse is off, of 50 ms, for rejects, and what is not known is rejected', async (t) => {
  t.match(output.parse({ ...serial, line: 'rts' }), {
    signals: 'reject',
    unknown: 'reject',
    review: 'reject',
    active: 'off',
    pulseMs: 50,
    lateMs: 10,
    maxWaiting: 256,
    delayMs: undefined,
  })
})

t.test('one way to signal, and only one', async (t) => {
  const cases: [keys: object, message: string][] = [
    [{}, 'expected one of bytes and line'],
    [{ bytes: 'R', line: 'dtr' }, 'expected one of bytes and line'],
    [{ line: 'dtr', endBytes: 'r' }, 'expected bytes beside it'],
  ]
  for (const [keys, message] of cases) {
    t.match(output.safeParse({ ...serial, ...keys }).error?.issues, [{ message }])
  }
})

t.test('the verdict and its number are two registers, so the last one has no room', async (t) => {
  t.ok(output.safeParse({ kind: 'modbus', link: 'plc', verdictRegister: 65_534 }).success)
  t.notOk(output.safeParse({ kind: 'modbus', link: 'plc', verdictRegister: 65_535 }).success)
})
