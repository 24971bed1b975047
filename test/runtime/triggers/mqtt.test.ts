import t from 'tap'
import type { CommandHandler } from '../../../runtime/remote-commands.ts'
import { mqttFeed } from '../../../runtime/triggers/mqtt.ts'
import { makeAsk } from '../../support/asked.ts'

t.test('cmd/trigger asks for one inspection and is told its id', async (t) => {
  const { ask, requests } = makeAsk()
  const stop = new AbortController()
  const handlers = new Map<string, CommandHandler>()
  const feeding = mqttFeed({ handle: (verb, handler) => void handlers.set(verb, handler) })(ask, stop.signal)
  const trigger = handlers.get('trigger') as CommandHandler
  t.same(await trigger({ partId: 'p-1', transaction: 'x' }), { triggerId: 'run-1' })
  t.same(await trigger({}), { triggerId: 'run-2' })
  t.same(requests, [{ source: 'mqtt', partId: 'p-1' }, { source: 'mqtt' }])
  for (const request of [{ partID: 'p' }, { partId: '' }, { partId: 7 }, [], 'p', null]) {
    await t.rejects(trigger(request), { code: 'BAD_COMMAND' })
  }
  t.equal(requests.length, 2)
  stop.abort()
  await feeding
  await t.rejects(trigger({}), { code: 'SHUTTING_DOWN' })
})
