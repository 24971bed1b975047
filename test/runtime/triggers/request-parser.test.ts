import t from 'tap'
import { parseRequest, parseRequestJson, parseRequestText } from '../../../runtime/triggers/request-parser.ts'

t.test('a text is an id, a JSON object or nothing', (t) => {
  t.same(parseRequestText(' p 1 ', 'stdin'), { source: 'stdin', partId: 'p 1' })
  t.same(parseRequestText('', 'stdin'), { source: 'stdin' })
  t.same(parseRequestText('{"partId":"a"}', 'file'), { source: 'file', partId: 'a' })
  t.same(parseRequestJson('{}', 'file'), { source: 'file' })
  t.end()
})

t.test('anything else is refused with what was expected', (t) => {
  for (const bad of ['', 'x', '[]', 'null', '{"a":1}', '{"partId":""}', '{"partId":null}']) {
    t.throws(() => parseRequestJson(bad, 'file'), { code: 'BAD_COMMAND' }, bad)
  }
  t.throws(() => parseRequest({ extra: 1 }, 'mqtt'), { message: /extra/ })
  t.end()
})
