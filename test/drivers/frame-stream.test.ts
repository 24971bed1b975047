import fc from 'fast-check'
import t from 'tap'
import { DriverError, type Trigger } from '../../drivers/driver.ts'
import { FrameStream } from '../../drivers/frame-stream.ts'

const never = new AbortController().signal
const at = (atMs: number): Trigger => ({ id: `part-${atMs}`, atMs, source: 'bench' })
const frame = (exposedAtMs: number) => ({ exposedAtMs })
const lost = new DriverError('DRIVER_LOST', 'the cable is out')

t.test('a capture waits for the first frame that was exposed at or after its trigger', async (t) => {
  const stream = new FrameStream({ sensor: 'camera' })
  stream.push(frame(10))
  const capture = stream.next(at(20), never)
  stream.push(frame(19))
  stream.push(frame(20))
  stream.push(frame(30))
  t.same(await capture, frame(20))
  t.same(await stream.next(at(25), never), frame(30), 'one that came before it was asked for is kept')
})

t.test('a frame may come before its trigger by as much as is said, and no more', async (t) => {
  const stream = new FrameStream({ sensor: 'camera', earlyMs: 5 })
  stream.push(frame(14))
  stream.push(frame(15))
  t.same(await stream.next(at(20), never), frame(15))
})

t.test('few are kept; the oldest goes and is counted', async (t) => {
  const stream = new FrameStream({ sensor: 'camera', keeps: 2 })
  for (const exposedAtMs of [1, 2, 3]) stream.push(frame(exposedAtMs))
  t.equal(stream.dropped, 1)
  t.same(await stream.next(at(0), never), frame(2))
  t.same(await stream.next(at(0), never), frame(3))
})

t.test('the end reaches the waiting capture and every later one; the first reason stays', async (t) => {
  const stream = new FrameStream({ sensor: 'camera' })
  const waiting = t.rejects(stream.next(at(0), never), lost)
  stream.end(lost)
  stream.end(new DriverError('DRIVER_LOST', 'something else'))
  await waiting
  stream.push(frame(1))
  await t.rejects(stream.next(at(0), never), lost)
})

t.test('a refused frame ends the capture that waits for it, and nothing else', async (t) => {
  const stream = new FrameStream({ sensor: 'camera' })
  const damaged = new DriverError('DRIVER_BAD_FRAME', 'half of it is missing')
  stream.refuse(damaged)
  const waiting = t.rejects(stream.next(at(0), never), damaged)
  stream.refuse(damaged)
  await waiting
  stream.push(frame(1))
  t.same(await stream.next(at(0), never), frame(1))
})

t.test('an abort ends the wait and leaves the stream usable; two captures at once are refused', async (t) => {
  const stream = new FrameStream({ sensor: 'camera' })
  const control = new AbortController()
  const reason = new Error('the line stopped')
  const waiting = t.rejects(stream.next(at(0), control.signal), reason)
  await t.rejects(stream.next(at(0), never), { code: 'DRIVER_TIMEOUT', message: /busy/ })
  control.abort(reason)
  await waiting
  await t.rejects(stream.next(at(0), control.signal), reason)
  const later = stream.next(at(0), never)
  stream.push(frame(1))
  t.same(await later, frame(1))
})

t.test(
  'whatever the order: no frame is given twice, none from before its trigger, none in the wrong order',
  async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), byMs: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('ask' as const), byMs: fc.integer({ min: 0, max: 20 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const stream = new FrameStream({ sensor: 'camera', keeps: 3 })
        let [exposedMs, askedMs, isBusy, last] = [0, 0, false, -1]
        const wrong: string[] = []
        for (const { kind, byMs } of steps) {
          if (kind === 'push') stream.push(frame((exposedMs += byMs)))
          else if (!isBusy) {
            askedMs += byMs
            const earliestMs = askedMs
            isBusy = true
            void stream.next(at(earliestMs), never).then(({ exposedAtMs }) => {
              isBusy = false
              if (exposedAtMs < earliestMs) wrong.push(`${exposedAtMs} for ${earliestMs}`)
              if (exposedAtMs <= last) wrong.push(`${exposedAtMs} after ${last}`)
              last = exposedAtMs
            })
          }
          await Promise.resolve()
        }
        return wrong.length === 0
      }),
    )
  },
)

t.test('every frame is either taken or given back, once', async (t) => {
  const back: number[] = []
  const stream = new FrameStream<{ exposedAtMs: number }>({
    sensor: 'camera',
    keeps: 2,
    onDrop: ({ exposedAtMs }) => back.push(exposedAtMs),
  })
  for (const exposedAtMs of [1, 2, 3, 4]) stream.push(frame(exposedAtMs))
  t.same(back, [1, 2], 'the oldest')
  t.same(await stream.next(at(4), never), frame(4))
  t.same(back, [1, 2, 3], 'that of a part that is gone')
  stream.push(frame(5))
  stream.end(lost)
  stream.push(frame(6))
  t.same(back, [1, 2, 3, 5, 6], 'and those of a stream that has ended')
  t.equal(stream.dropped, 5)
})
