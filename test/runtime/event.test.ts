import t from 'tap'
import { eventMessage } from '../../runtime/event.ts'
import { eventSchema } from '../../runtime/messages.ts'
import { topicsOf } from '../../runtime/topics.ts'

const name = { site: 'plant', station: 'cell', topics: topicsOf('plant', 'cell'), runId: 'run' }

t.test('every kind of event keeps to the published schema', (t) => {
  for (const event of [
    { kind: 'gap', firstSeq: 3, lastSeq: 9, detail: 'the outbox was full' },
    { kind: 'outbox-volatile', code: 'OUTBOX_UNWRITABLE', detail: 'disk full' },
    { kind: 'trigger-refused', detail: 'not JSON' },
  ] as const) {
    const { topic, payload } = eventMessage(name, event)
    t.equal(topic, 'radar/v1/plant/cell/event')
    t.match(eventSchema.parse(JSON.parse(payload)), event)
  }
  t.end()
})
