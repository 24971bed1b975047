import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { stdinFeed } from '../../../runtime/triggers/stdin.ts'
import { makeAsk } from '../../support/asked.ts'

t.test('one line is one part: a bare id, a JSON request, or a part without a name', async (t) => {
  const { ask, requests } = makeAsk()
  const refused: string[] = []
  const input = Readable.from([
    'p-1\n  p-2  \r\n{"par',
    'tId":"p-3"}\n\n{"part":1}\n{\n',
    `${'x'.repeat(201)}\nlast`,
  ])
  await stdinFeed(input, ({ detail }) => refused.push(detail))(ask, new AbortController().signal)
  t.same(
    requests.map(({ partId }) => partId),
    ['p-1', 'p-2', 'p-3', undefined, 'last'],
  )
  t.ok(requests.every(({ source }) => source === 'stdin'))
  t.match(refused, [/part/, /not JSON/, /200/])
})

t.test('it ends when it is told, although its input goes on', async (t) => {
  const { ask } = makeAsk()
  const stop = new AbortController()
  const input = new PassThrough()
  const feeding = stdinFeed(input, () => t.fail())(ask, stop.signal)
  stop.abort()
  await feeding
  t.pass('ended')
})
