import t from 'tap'
import { answerCommand, type CommandHandler } from '../../runtime/remote-commands.ts'
import { replySchema } from '../../runtime/messages.ts'
import { topicsOf } from '../../runtime/topics.ts'

const topics = topicsOf('plant', 'cell')
const handlers = new Map<string, CommandHandler>([
  ['echo', async (request) => ({ request })],
  ['break', () => Promise.reject(new Error('a bug'))],
])
const context = { site: 'plant', station: 'cell', topics, handlers }

async function answer(payload: string | Buffer, fields: Record<string, unknown> = {}) {
  const packet = { topic: topics.command('echo'), payload: Buffer.from(payload), retained: false, ...fields }
  const reply = await answerCommand(packet, context)
  return { topic: reply?.topic, reply: replySchema.parse(JSON.parse(reply?.payload ?? 'null')) }
}

t.test('a command is answered on its reply topic, or where MQTT 5 asks for it', async (t) => {
  t.match(await answer('{"a":1}'), {
    topic: topics.reply('echo'),
    reply: { status: 'ok', data: { request: { a: 1 } } },
  })
  t.match(await answer('{}', { responseTopic: 'mine/answers' }), { topic: 'mine/answers' })
  for (const responseTopic of ['', 'a/+', '#']) {
    t.equal((await answer('{}', { responseTopic })).topic, topics.reply('echo'), 'not a topic to publish on')
  }
})

t.test('whatever is wrong, the answer says so and echoes the transaction', async (t) => {
  t.match((await answer('{"transaction":"t"}', { topic: topics.command('break') })).reply, {
    status: 'error',
    transaction: 't',
    error: { code: 'COMMAND_FAILED', detail: 'a bug' },
  })
  for (const [payload, fields, detail] of [
    ['{}', { retained: true }, /retain/],
    ['x'.repeat(65_537), {}, /65537 bytes/],
    [Buffer.from([0xff, 0xfe]), {}, /not JSON/],
    ['{}', { topic: topics.command('nonsense') }, /expected one of: echo, break/],
  ] as const) {
    const { reply } = await answer(payload, fields)
    t.match(reply, { status: 'error', error: { code: 'BAD_COMMAND', detail } })
  }
})

t.test('a topic that is no command is not answered', async (t) => {
  for (const topic of [topics.verdict, 'radar/v1/plant/other/cmd/echo', `${topics.root}/cmd/`]) {
    t.equal(await answerCommand({ topic, payload: Buffer.alloc(0), retained: false }, context), undefined)
  }
})
