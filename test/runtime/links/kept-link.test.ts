import t from 'tap'
import { KeptLink, type LinkHealth } from '../../../runtime/links/kept-link.ts'
import { quiet, virtualClock } from '../../support/virtual-clock.ts'

function makeLink() {
  const clock = virtualClock()
  const health: LinkHealth[] = []
  const openedMs: number[] = []
  const peer = { isThere: true, isStuck: false, closed: 0, drop: (_reason: string): void => undefined }
  const link = new KeptLink({
    name: 'line',
    clock,
    onHealth: (edge) => void health.push(edge),
    async open(signal, onClosed) {
      openedMs.push(clock.now())
      peer.drop = onClosed
      if (peer.isStuck) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
      if (!peer.isThere) throw new Error('no such port')
      return { close: async () => void peer.closed++ }
    },
  })
  return { clock, health, openedMs, peer, link }
}

t.test('a link comes back by itself, each time as another session', async (t) => {
  const { clock, health, peer, link } = makeLink()
  const sessions: unknown[] = []
  link.use((session) => sessions.push(session))
  t.equal(link.health().state, 'connecting')
  link.open()
  link.open()
  await quiet()
  t.match(link.health(), { state: 'up', connections: 1 })
  const first = link.session
  peer.drop('unplugged')
  peer.drop('said twice')
  t.equal(link.session, undefined, 'at once')
  t.ok(first?.signal.aborted)
  await clock.advance(249)
  t.match(link.health(), { state: 'down', detail: 'unplugged' })
  t.equal(peer.closed, 1)
  await clock.advance(1)
  t.match(link.health(), { state: 'up', connections: 2 })
  t.equal(sessions.length, 2)
  t.not(sessions[0], sessions[1])
  const late: unknown[] = []
  const stop = link.use((session) => late.push(session))
  t.same(late, [link.session], 'who comes later is told at once')
  stop()
  t.same(
    health.map(({ state }) => state),
    ['up', 'down', 'up'],
  )
  await link.close()
  await link.close()
  t.equal(peer.closed, 2)
  t.equal(health.length, 3, 'closing is no edge')
  t.equal(clock.pending(), 0)
})

t.test('a peer that is absent is tried less and less often, and told once', async (t) => {
  const { clock, health, openedMs, peer, link } = makeLink()
  peer.isThere = false
  link.open()
  await clock.advance(8000)
  const pauses = openedMs.slice(1).map((ms, index) => ms - (openedMs[index] ?? 0))
  t.same(pauses.slice(0, 5), [250, 500, 1000, 2000, 2000])
  t.same(health, [{ link: 'line', state: 'down', sinceMs: 1000, connections: 0, detail: 'no such port' }])
  peer.isThere = true
  await clock.advance(2000)
  t.equal(link.health().state, 'up', 'within 2 s')
  await clock.advance(6000)
  peer.drop('unplugged')
  await clock.advance(250)
  t.equal(link.health().state, 'up', 'after a steady time the first pause is short again')
  await link.close()
})

t.test('an opening that hangs is given up after 3 s', async (t) => {
  const { clock, peer, link } = makeLink()
  peer.isStuck = true
  link.open()
  await clock.advance(3000)
  t.match(link.health(), { state: 'down', detail: 'no connection within 3000 ms' })
  await clock.advance(250)
  const closing = link.close()
  await clock.settle(closing)
  t.equal(clock.pending(), 0)
})
