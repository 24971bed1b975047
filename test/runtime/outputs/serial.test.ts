import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { output, type SerialOutputConfig } from '../../../runtime/outputs/output-config.ts'
import type { Dropped } from '../../../runtime/outputs/output.ts'
import { SerialOutput } from '../../../runtime/outputs/serial.ts'
import { fakeSerial } from '../../support/fake-links.ts'
import { makePayload } from '../../support/inspected.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

const reject = (triggerId: string) => makePayload({ triggerId, outcome: 'fail', action: 'reject' })

async function makeOutput(keys: Record<string, unknown>, { hasLines = true } = {}) {
  const clock = virtualClock()
  const serial = fakeSerial(clock, { hasLines })
  await quiet()
  const dropped: Dropped[] = []
  const config = output.parse({ kind: 'serial', link: 'line', ...keys }) as SerialOutputConfig
  const ejector = new SerialOutput({
    link: serial.link,
    output: config,
    clock,
    onDropped: (one) => void dropped.push(one),
  })
  const close = async () => {
    await ejector.close()
    await serial.link.close()
    return clock.pending()
  }
  return { clock, serial, dropped, ejector, close, reasons: () => dropped.map(({ reason }) => reason) }
}

const said = (written: readonly { atMs: number; what: string }[]) =>
  written.map(({ atMs, what }) => `${atMs} ${what}`)

t.test('a bad part has its pulse when it is at the ejector, a good one has none', async (t) => {
  const { clock, serial, ejector, close } = await makeOutput({ bytes: 'R', endBytes: 'r', delayMs: 500 })
  await clock.advance(100)
  ejector.tell(reject('bad'), 1050)
  ejector.tell(makePayload({ outcome: 'pass', action: 'accept' }), 1060)
  ejector.tell(makePayload({ outcome: 'unknown', action: 'review' }), 1070)
  await clock.advance(1000)
  t.same(said(serial.written), ['1000 r', '1550 R', '1570 R', '1620 r'], 'one pulse runs into the next')
  t.same(ejector.counts(), { told: 2, dropped: { late: 0, stale: 0, down: 0, full: 0, refused: 0 } })
  t.equal(await close(), 0, 'no timer is left')
})

t.test('a line that the system turns on by itself is pulsed off', async (t) => {
  const { clock, serial, ejector, close } = await makeOutput({ line: 'rts', pulseMs: 20 })
  ejector.tell(reject('bad'), 1000)
  await clock.advance(100)
  t.same(said(serial.written), ['1000 {"rts":true}', '1000 {"rts":false}', '1020 {"rts":true}'])
  t.equal(await close(), 0)
})

t.test('a port without that line says so, and nothing breaks', async (t) => {
  const { ejector, dropped, close } = await makeOutput({ line: 'dtr' }, { hasLines: false })
  ejector.tell(reject('bad'), 1000)
  await quiet()
  t.match(dropped, [{ reason: 'refused', triggerId: 'bad', detail: /no line dtr; signal by bytes/ }])
  t.equal(await close(), 0)
})

t.test('never late, and never more than may wait', async (t) => {
  const { clock, serial, ejector, reasons, close } = await makeOutput({
    bytes: 'R',
    delayMs: 100,
    maxWaiting: 2,
  })
  await clock.advance(500)
  ejector.tell(reject('gone'), 1389)
  ejector.tell(reject('just'), 1390)
  for (const id of ['a', 'b', 'c']) ejector.tell(reject(id), 1450)
  t.same(reasons(), ['late', 'full'])
  await clock.advance(100)
  t.equal(serial.written.length, 3)
  ejector.tell(reject('d'), 1600)
  await ejector.close()
  t.same(reasons().slice(2), ['stale'], 'what waits when the station stops')
  ejector.tell(reject('e'), 1600)
  await clock.advance(1000)
  t.equal(serial.written.length, 3)
  t.equal(await close(), 0)
})

t.test('a timer that fires before its time, as those of Node.js do, gives no early pulse', async (t) => {
  const virtual = virtualClock()
  const serial = fakeSerial(virtual)
  await quiet()
  const after = (ms: number, callback: () => void) => virtual.after(Math.max(1, ms - 2), callback)
  const ejector = new SerialOutput({
    link: serial.link,
    output: output.parse({ kind: 'serial', link: 'line', bytes: 'R', delayMs: 30 }) as SerialOutputConfig,
    clock: { now: virtual.now, after },
    onDropped: () => undefined,
  })
  ejector.tell(reject('bad'), 1000)
  await virtual.advance(100)
  t.same(said(serial.written), ['1030 R'])
  ejector.tell(reject('next'), 1100)
  await virtual.advance(29)
  await ejector.close()
  await virtual.advance(100)
  t.equal(serial.written.length, 1, 'nor one after the end')
  await serial.link.close()
  t.equal(virtual.pending(), 0)
})

t.test('whatever the order of verdicts, unplugs and replugs, nothing written stems from before', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('verdict' as const), ageMs: fc.integer({ min: 0, max: 800 }) }),
    // Most verdicts come before their part is at the ejector, and wait.
    fc.record({ kind: fc.constant('verdict' as const), ageMs: fc.integer({ min: 0, max: 60 }) }),
    fc.record({ kind: fc.constant('blink' as const) }),
    fc.record({ kind: fc.constant('unplug' as const) }),
    fc.record({ kind: fc.constant('plug' as const) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 700 }) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
      async (steps, delayMs) => {
        const made = await makeOutput({ bytes: 'R', ...(delayMs !== undefined && { delayMs }) })
        const { clock, serial, dropped, ejector } = made
        // Pulses look alike: who had one is known from who was dropped, and when from its part.
        const parts: { id: string; triggerMs: number; dueMs: number; session: number; sinceMs: number }[] = []
        const ends = new Map<number, number>()
        for (const one of steps) {
          if (one.kind === 'verdict') {
            const id = `part-${parts.length}`
            const triggerMs = clock.now() - one.ageMs
            const sinceMs = serial.link.session?.sinceMs ?? Infinity
            const dueMs = Math.max(clock.now(), triggerMs + (delayMs ?? 0))
            parts.push({ id, triggerMs, dueMs, session: serial.session(), sinceMs })
            ejector.tell(reject(id), triggerMs)
          } else if (one.kind === 'wait') await clock.advance(one.ms)
          else if (one.kind === 'plug') serial.plug()
          else {
            if (serial.isUp()) ends.set(serial.session(), clock.now())
            serial.unplug()
            if (one.kind === 'blink') serial.plug()
          }
        }
        await clock.advance(1000)
        const given = parts.filter(
          ({ triggerMs, dueMs, session, sinceMs }) =>
            triggerMs >= sinceMs &&
            dueMs <= (ends.get(session) ?? Infinity) &&
            (delayMs === undefined || dueMs - (triggerMs + delayMs) <= 10),
        )
        const droppedIds = new Set(dropped.map(({ triggerId }) => triggerId))
        const told = parts.filter(({ id }) => !droppedIds.has(id))
        const pulses = given.map(({ session, dueMs }) => `${session} ${dueMs}`)
        const leak = await made.close()
        assert.deepEqual(told, given, 'who has a pulse')
        assert.deepEqual(
          serial.written.map(({ session, atMs }) => `${session} ${atMs}`).sort(),
          pulses.sort(),
          'what is written, in which session and when',
        )
        assert.equal(ejector.counts().told, given.length)
        assert.equal(dropped.length + given.length, parts.length)
        assert.equal(leak, 0)
      },
    ),
    { numRuns: 300 },
  )
})
