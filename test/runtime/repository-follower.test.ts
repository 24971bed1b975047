import { writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { InspectorDescription } from '../../models/host-protocol.ts'
import type { HostState } from '../../models/inference-host.ts'
import { ModelError } from '../../models/model-error.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { RepositoryError } from '../../models/repository.ts'
import type { StationEvent } from '../../runtime/event.ts'
import { openLedger, type Ledger } from '../../runtime/ledger.ts'
import { RepositoryFollower } from '../../runtime/repository-follower.ts'
import { writeNamed } from '../support/put-into-use.ts'
import { quiet, virtualClock } from '../support/virtual-clock.ts'

const [a, b, c] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string]
const refusal = new RepositoryError('REPOSITORY_UNREADABLE', 'its banks are damaged')

/** A host that takes what it is asked for, unless the test says otherwise. */
class FakeHost {
  state: HostState = 'ready'
  used: string | undefined
  readonly asked: string[] = []
  /** Of the next requests: an error is thrown, a promise is waited for. */
  readonly answers: (Error | Promise<void>)[] = []

  stats() {
    const description = {
      bundleId: 'bundle-1',
      backend: 'fake',
      ...(this.used && { repositoryId: this.used }),
    }
    return { state: this.state, description }
  }

  async activate(folder: string): Promise<InspectorDescription> {
    this.asked.push(folder)
    const answer = this.answers.shift()
    if (answer instanceof Error) throw answer
    await answer
    this.used = folder.slice(-64)
    return this.stats().description
  }
}

/** A station that uses `a`, or nothing; `other` is the ledger as another process has it open. */
async function follow(t: Test, { isTaught = true } = {}) {
  const root = t.testdir()
  for (const id of [a, b, c]) await writeNamed(root, 'nut', id)
  const own = openLedger(root)
  const other = openLedger(root)
  const host = new FakeHost()
  if (isTaught) use(other, a)
  if (isTaught) host.used = a
  const clock = virtualClock()
  const stop = new AbortController()
  const told: StationEvent[] = []
  const logged: string[] = []
  let followed = 0
  const log = (level: string) => (_: unknown, message?: string) => void logged.push(`${level} ${message}`)
  const follower = new RepositoryFollower({
    ledger: own,
    product: 'nut',
    host,
    clock,
    log: { info: log('info'), warn: log('warn'), error: log('error') } as never,
    signal: stop.signal,
    tell: (event) => told.push(event),
    onFollowed: () => void (followed += 1),
  })
  follower.open()
  t.teardown(() => {
    follower.close()
    own.close()
    other.close()
  })
  await clock.advance(1000)
  const codes = () => told.map((event) => ('code' in event ? event.code : event.kind))
  return { root, own, other, host, clock, stop, told, logged, codes, follower, followed: () => followed }
}

function use(ledger: Ledger, repositoryId: string): void {
  const expectedActive = ledger.active('nut')
  ledger.promote({ product: 'nut', repositoryId, expectedActive, who: 'ada', why: 'better' })
}

t.test('an entry of another process is followed within half a second, and told', async (t) => {
  const { root, other, host, clock, codes, told, followed } = await follow(t)
  t.same(host.asked, [], 'what is in use already is not asked for')
  use(other, b)
  await clock.advance(500)
  t.same(host.asked, [repositoryFolder(root, 'nut', b)])
  t.same(codes(), ['IN_USE'])
  t.match(told[0]?.detail, new RegExp(`${b} is in use, before it ${a}`))
  t.equal(followed(), 1)
  await clock.advance(5000)
  t.equal(host.asked.length, 1, 'once')
})

t.test('the station’s own entry is followed at once', async (t) => {
  const { own, host, follower } = await follow(t)
  use(own, b)
  await follower.follow()
  t.equal(host.used, b)
})

t.test('the first repository of a station without one is followed', async (t) => {
  const { other, host, clock, codes, told } = await follow(t, { isTaught: false })
  t.same(codes(), [])
  use(other, a)
  await clock.advance(500)
  t.equal(host.used, a)
  t.notMatch(told[0]?.detail, /before/)
})

t.test('one that the host refuses is taken back in the ledger, with one alarm', async (t) => {
  const { own, other, host, clock, codes, told } = await follow(t)
  host.answers.push(refusal)
  use(other, b)
  await clock.advance(5000)
  t.equal(own.active('nut'), a)
  const why = 'refused: its banks are damaged'
  const entry = { action: 'rollback', repositoryId: a, previousId: b, who: 'station', why }
  t.match(own.history({ limit: 1 }), [entry])
  t.same(codes(), ['REPOSITORY_REFUSED'])
  t.match(told, [{ kind: 'alarm', detail: 'its banks are damaged' }])
  t.equal(host.asked.length, 1)

  use(other, b)
  await clock.advance(500)
  t.equal(host.used, b, 'once it is repaired and promoted again it is asked for again')
})

t.test('a long reason of a refusal fits the ledger', async (t) => {
  const { own, other, host, clock } = await follow(t)
  host.answers.push(new RepositoryError('REPOSITORY_UNREADABLE', 'x'.repeat(5000)))
  use(other, b)
  await clock.advance(500)
  t.equal(own.active('nut'), a)
})

t.test(
  'with nothing in use before there is nothing to go back to: one alarm, and it is not asked again',
  async (t) => {
    const { own, other, host, clock, codes } = await follow(t, { isTaught: false })
    host.answers.push(refusal)
    use(other, a)
    await clock.advance(5000)
    t.same(codes(), ['REPOSITORY_REFUSED'])
    t.equal(own.active('nut'), a)
    t.equal(host.asked.length, 1)
    use(other, b)
    await clock.advance(500)
    t.equal(host.used, b, 'another one is asked for')
  },
)

t.test('while a refused one was looked at, another was promoted: that one is not taken back', async (t) => {
  const { own, other, host, clock, follower } = await follow(t)
  let refuse!: (error: Error) => void
  host.answers.push(new Promise<void>((_, reject) => (refuse = reject)))
  use(other, b)
  await clock.advance(500)
  use(own, c)
  const followed = follower.follow()
  refuse(refusal)
  await followed
  t.equal(own.active('nut'), c)
  t.equal(host.used, c, 'the station’s own entry is followed although it came in the middle')
})

t.test('entries that come while others are followed are all followed, the last one stays', async (t) => {
  const { own, host, follower } = await follow(t)
  const waits: (() => void)[] = []
  const wait = () => host.answers.push(new Promise<void>((resolve) => waits.push(resolve)))
  wait()
  wait()
  use(own, b)
  const first = follower.follow()
  await quiet()
  use(own, c)
  void follower.follow()
  waits[0]!()
  await quiet()
  use(own, a)
  const last = follower.follow()
  waits[1]!()
  await Promise.all([first, last])
  t.equal(host.used, a)
  t.equal(own.active('nut'), a)
  use(own, b)
  await follower.follow()
  t.equal(host.used, b, 'and it goes on following')
})

t.test('a host that is away is asked when it is back', async (t) => {
  const { other, host, clock, codes } = await follow(t)
  host.state = 'waiting-to-restart'
  use(other, b)
  await clock.advance(3000)
  t.same(host.asked, [])
  host.state = 'ready'
  await clock.advance(500)
  t.equal(host.used, b)
  t.same(codes(), ['IN_USE'])
})

t.test(
  'a host that is lost in the middle is no refusal: it is asked again, and the log says so once',
  async (t) => {
    const { own, other, host, clock, logged, codes } = await follow(t)
    const lost = new ModelError('MODEL_FAILED', 'the inference host is busy')
    host.answers.push(lost, lost, lost)
    use(other, b)
    await clock.advance(3000)
    t.equal(host.used, b)
    t.equal(own.active('nut'), b)
    t.equal(host.asked.length, 4)
    t.same(codes(), ['IN_USE'])
    t.equal(logged.filter((line) => line.startsWith('warn')).length, 1)
  },
)

t.test('an unreadable ledger is told once, and the station keeps what it has', async (t) => {
  const { own, other, host, clock, codes } = await follow(t)
  other.close()
  await writeFile(own.file, 'this is not a ledger, it is a text '.repeat(200))
  own.close()
  await clock.advance(5000)
  t.same(codes(), ['LEDGER_UNREADABLE'])
  t.equal(host.used, a)
  t.same(host.asked, [])
})

t.test('told to stop, it asks no more and leaves no timer', async (t) => {
  const { own, other, host, clock, stop, follower, codes } = await follow(t)
  host.answers.push(refusal)
  stop.abort(new Error('the daemon stops'))
  use(other, b)
  await clock.advance(1000)
  follower.close()
  follower.close()
  t.equal(clock.pending(), 0)
  t.same(codes(), [])
  t.same(host.asked, [])
  t.equal(own.active('nut'), b, 'the ledger is left as it is')
})
