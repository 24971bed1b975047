import t from 'tap'
import { PictureQueue, type Picture } from '../../runtime/picture-queue.ts'

const picture = (topic: string): Picture => ({
  topic,
  payload: Buffer.alloc(1),
  contentType: 'image/png',
  properties: {},
})

/** A link that takes each picture only when told. */
function makeQueue() {
  const sent: string[] = []
  const errors: unknown[] = []
  const takes: (() => void)[] = []
  const queue = new PictureQueue(
    ({ topic }) => {
      sent.push(topic)
      return new Promise((resolve) => takes.push(resolve))
    },
    (error) => errors.push(error),
  )
  const offer = (seq: number) =>
    queue.offer({ seq, render: async () => [picture(`heatmap ${seq}`), picture(`overlay ${seq}`)] })
  const take = async () => {
    await new Promise(setImmediate)
    takes.shift()?.()
    await new Promise(setImmediate)
  }
  return { queue, sent, errors, offer, take }
}

t.test('pictures wait for their verdict and leave one by one', async (t) => {
  const { queue, sent, offer, take } = makeQueue()
  offer(1)
  await queue.show(0)
  t.same(sent, [])
  const showing = queue.show(1)
  await take()
  t.same(sent, ['heatmap 1', 'overlay 1'])
  t.notOk(queue.isIdle)
  await take()
  await showing
  t.ok(queue.isIdle)
})

t.test('when the link is slow the newest are refused and counted', async (t) => {
  const { queue, sent, offer, take } = makeQueue()
  offer(1)
  const showing = queue.show(9)
  await take()
  offer(2)
  t.notOk(queue.hasRoom())
  offer(3)
  t.equal(queue.dropped, 1)
  for (let index = 0; index < 4; index++) await take()
  await showing
  t.same(sent, ['heatmap 1', 'overlay 1', 'heatmap 2', 'overlay 2'])
})

t.test('a picture that cannot be made or sent costs itself only', async (t) => {
  const { queue, sent, errors, offer, take } = makeQueue()
  queue.offer({ seq: 1, render: () => Promise.reject(new Error('no map')) })
  offer(2)
  const showing = queue.show(2)
  for (let index = 0; index < 3; index++) await take()
  await showing
  t.match(errors, [{ message: 'no map' }])
  t.same(sent, ['heatmap 2', 'overlay 2'])
  t.equal(queue.dropped, 1)
})

t.test('when the connection goes, what waits goes', (t) => {
  const { queue, offer } = makeQueue()
  offer(1)
  offer(2)
  queue.drop()
  queue.countDropped()
  t.equal(queue.dropped, 3)
  t.ok(queue.isIdle)
  t.end()
})

t.test('a picture that was under way when the connection went is counted once', async (t) => {
  const { queue, offer } = makeQueue()
  let fail = (_: Error): void => undefined
  queue.offer({ seq: 1, render: () => new Promise((_, reject) => (fail = reject)) })
  offer(2)
  const showing = queue.show(1)
  queue.drop()
  fail(new Error('the broker went away'))
  await showing
  t.equal(queue.dropped, 2)
})
