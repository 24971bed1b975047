import t from 'tap'
import { TriggerQueue } from '../../runtime/trigger-queue.ts'
import { makeTrigger } from '../support/inspected.ts'

const trigger = (id: string) => makeTrigger({ id })

t.test('first come, first served; the one too many is refused', async (t) => {
  const queue = new TriggerQueue(2)
  t.same(
    ['a', 'b', 'c'].map(trigger).map((each) => queue.offer(each)),
    [true, true, false],
  )
  queue.end()
  t.equal(queue.offer(trigger('d')), false)
  const ids: string[] = []
  for await (const { id } of queue) ids.push(id)
  t.same(ids, ['a', 'b'], 'what waits when it ends is still handed out')
})

t.test('a reader waits for the next trigger and for the end', async (t) => {
  const queue = new TriggerQueue(2)
  const ids: string[] = []
  const reading = (async () => {
    for await (const { id } of queue) ids.push(id)
  })()
  await Promise.resolve()
  queue.offer(trigger('a'))
  await new Promise(setImmediate)
  t.same(ids, ['a'])
  queue.end()
  await reading
})
