import { spawn } from 'node:child_process'
import fc from 'fast-check'
import { createInterface } from 'node:readline'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openOutbox, type DurabilityChange, type Outbox } from '../../runtime/outbox.ts'
import { transpiled } from '../support/transpiled.ts'
import { virtualClock } from '../support/virtual-clock.ts'

const writer = join(import.meta.dirname, '../fixtures/outbox-writer.js')

function open(file: string, limits: { maxVerdicts?: number; maxBytes?: number } = {}) {
  const clock = virtualClock()
  const changes: DurabilityChange[] = []
  const outbox = openOutbox(file, {
    maxVerdicts: 1000,
    maxBytes: 1_000_000,
    ...limits,
    clock,
    onDurability: (change) => changes.push(change),
  })
  return { outbox, clock, changes }
}

const commit = (outbox: Outbox, text = 'x') => outbox.commit('verdict', (given) => ({ ...given, text })).seq

const waiting = (outbox: Outbox) => outbox.after(0, 10_000).map(({ seq }) => seq)

t.test('numbers begin at 1 and go on after a restart, with everything unacknowledged in order', (t) => {
  const file = join(t.testdir(), 'outbox.sqlite')
  const { outbox } = open(file)
  t.same([commit(outbox), commit(outbox), commit(outbox)], [1, 2, 3])
  outbox.acknowledge(2)
  t.same(waiting(outbox), [1, 3])
  t.match(outbox.stats(), { durability: 'durable', lastSeq: 3, depth: 2, evicted: 0 })
  outbox.close()
  const again = open(file).outbox
  t.same(waiting(again), [1, 3])
  t.equal(again.after(0, 1)[0]?.payload, '{"seq":1,"durable":true,"text":"x"}')
  t.equal(commit(again), 4)
  for (const seq of waiting(again)) again.acknowledge(seq)
  again.close()
  const empty = open(file).outbox
  t.same([waiting(empty), commit(empty)], [[], 5], 'an empty outbox remembers the number')
  empty.close()
  t.end()
})

t.test('a full outbox gives up its oldest verdicts and says which', (t) => {
  const file = join(t.testdir(), 'outbox.sqlite')
  const { outbox } = open(file, { maxVerdicts: 3 })
  for (let index = 0; index < 5; index++) commit(outbox)
  t.same(waiting(outbox), [3, 4, 5])
  t.same(outbox.gaps(), [{ firstSeq: 1, lastSeq: 2 }])
  t.equal(outbox.stats().evicted, 2)
  outbox.close()
  const again = open(file, { maxVerdicts: 3 }).outbox
  t.same(again.gaps(), [{ firstSeq: 1, lastSeq: 2 }], 'the gap survives a restart')
  commit(again)
  t.same(again.gaps(), [{ firstSeq: 1, lastSeq: 3 }], 'neighbours are one range')
  again.acknowledgeGap({ firstSeq: 1, lastSeq: 2 })
  t.same(again.gaps(), [{ firstSeq: 1, lastSeq: 3 }], 'a gap that grew is announced again')
  again.acknowledgeGap({ firstSeq: 1, lastSeq: 3 })
  t.same(again.gaps(), [])
  again.close()
  t.end()
})

t.test('the bound in bytes holds as well', (t) => {
  const { outbox } = open(join(t.testdir(), 'outbox.sqlite'), { maxBytes: 1000 })
  for (let index = 0; index < 10; index++) commit(outbox, 'y'.repeat(200))
  t.same(waiting(outbox), [7, 8, 9, 10])
  commit(outbox, 'y'.repeat(900))
  t.same(waiting(outbox), [11], 'a large one takes the room of several')
  outbox.close()
  t.end()
})

t.test('every number is waiting, acknowledged or in a gap, whatever the order of things', (t) => {
  const folder = t.testdir()
  const seed = Number(process.env.SEED ?? 20_262)
  let run = 0
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('commit' as const) },
    { weight: 3, arbitrary: fc.constant('acknowledge' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (steps, maxVerdicts) => {
      const file = join(folder, `${run++}.sqlite`)
      let { outbox } = open(file, { maxVerdicts })
      const acknowledged = new Set<number>()
      let last = 0
      for (const each of steps) {
        if (each === 'commit') {
          const seq = commit(outbox)
          if (seq !== last + 1) throw new Error(`${seq} after ${last}`)
          last = seq
        } else if (each === 'restart') {
          outbox.close()
          outbox = open(file, { maxVerdicts }).outbox
        } else {
          const [oldest] = waiting(outbox)
          if (oldest !== undefined) {
            outbox.acknowledge(oldest)
            acknowledged.add(oldest)
          }
        }
        const gone = outbox
          .gaps()
          .flatMap(({ firstSeq, lastSeq }) =>
            Array.from({ length: lastSeq - firstSeq + 1 }, (_, index) => firstSeq + index),
          )
        const all = [...acknowledged, ...gone, ...waiting(outbox)].sort((a, b) => a - b)
        const expected = Array.from({ length: last }, (_, index) => index + 1)
        if (all.join() !== expected.join()) throw new Error(`have ${all.join()}, expected 1 to ${last}`)
        if (outbox.stats().depth > maxVerdicts) throw new Error('over the bound')
      }
      outbox.close()
    }),
    { seed, numRuns: 20 },
  )
  t.comment(`seed ${seed}`)
  t.pass('no number is lost or given twice')
  t.end()
})

t.test('a second daemon on the same outbox is refused', (t) => {
  const file = join(t.testdir(), 'outbox.sqlite')
  const { outbox } = open(file)
  t.throws(() => open(file), { code: 'OUTBOX_LOCKED' })
  outbox.close()
  open(file).outbox.close()
  t.end()
})

t.test('a file that is no outbox is left as it is, and the station goes on in memory', async (t) => {
  const file = join(
    t.testdir({ 'outbox.sqlite': 'this is not a database, it is a text '.repeat(200) }),
    'outbox.sqlite',
  )
  const before = await readFile(file)
  const { outbox, changes, clock } = open(file, { maxVerdicts: 2 })
  t.match(changes, [
    { durability: 'volatile', error: { code: 'OUTBOX_UNREADABLE', message: /outbox\.sqlite/ } },
  ])
  t.same([commit(outbox), commit(outbox), commit(outbox)], [1, 2, 3])
  t.match(
    JSON.parse(outbox.after(0, 1)[0]?.payload ?? ''),
    { seq: 2, durable: false },
    'the verdict says that its number is not durable',
  )
  t.same(outbox.gaps(), [{ firstSeq: 1, lastSeq: 1 }])
  outbox.acknowledge(2)
  outbox.acknowledge(3)
  await clock.advance(60_000)
  commit(outbox)
  t.match(outbox.stats(), { durability: 'volatile', depth: 1, lastSeq: 4 })
  t.equal(changes.length, 1, 'said once')
  outbox.close()
  t.same(await readFile(file), before)
})

t.test('a database of another program is not ours to fill', async (t) => {
  const file = join(t.testdir(), 'theirs.sqlite')
  const { default: Database } = await import('libsql')
  const theirs = new Database(file)
  theirs.exec('CREATE TABLE history (value)')
  theirs.close()
  const { outbox, changes } = open(file)
  t.match(changes, [{ error: { code: 'OUTBOX_UNREADABLE', message: /another program/ } }])
  outbox.close()
})

t.test('a damaged outbox and a folder that is not there: an event, not an end', async (t) => {
  const folder = t.testdir()
  const damaged = join(folder, 'damaged.sqlite')
  const { outbox } = open(damaged)
  for (let index = 0; index < 50; index++) commit(outbox, 'z'.repeat(500))
  outbox.close()
  const bytes = await readFile(damaged)
  bytes.fill(0xa5, 4096, bytes.length - 100)
  await writeFile(damaged, bytes)
  for (const file of [damaged, join(folder, 'nowhere/outbox.sqlite')]) {
    const { outbox, changes } = open(file)
    t.match(changes, [{ durability: 'volatile', error: { code: 'OUTBOX_UNREADABLE' } }])
    t.equal(commit(outbox), 1)
    outbox.close()
  }
})

t.test(
  'kill -9 at any moment: numbers stay contiguous and nothing is lost',
  { timeout: 600_000 },
  async (t) => {
    const folder = t.testdir()
    const built = await transpiled(folder, [
      'drivers/message-of.ts',
      'runtime/database.ts',
      'runtime/outbox.ts',
      'runtime/outbox-store.ts',
      'runtime/runtime-error.ts',
    ])
    const file = join(folder, 'outbox.sqlite')
    const committed = new Set<number>()
    const acknowledged = new Set<number>()
    let previousLast = 0
    for (let kill = 0; kill < 40; kill++) {
      const child = spawn(process.execPath, [writer, join(built, 'runtime/outbox.js'), file], {
        env: { ...process.env, NODE_OPTIONS: '' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line)
        if (lines.length === 1 + ((kill * 7) % 31)) child.kill('SIGKILL')
      }
      const given = lines
        .filter((line) => line.startsWith('committed'))
        .map((line) => Number(line.split(' ')[1]))
      const first = given[0] ?? NaN
      // One commit may have reached the disk without being reported.
      if (first !== previousLast + 1 && first !== previousLast + 2) t.fail(`${first} after ${previousLast}`)
      given.forEach((seq, index) => {
        if (seq !== first + index) t.fail(`${seq} is out of sequence`)
        committed.add(seq)
      })
      for (const line of lines) if (line.startsWith('ack')) acknowledged.add(Number(line.split(' ')[1]))
      previousLast = given.at(-1) ?? previousLast
    }
    const { outbox } = open(file)
    const left = new Set(waiting(outbox))
    t.same(
      [...committed].filter((seq) => !acknowledged.has(seq) && !left.has(seq)),
      [],
      `${committed.size} verdicts over 40 kills: each is acknowledged or still waiting`,
    )
    t.ok(outbox.stats().lastSeq - previousLast <= 1)
    outbox.close()
  },
)

t.test(
  'a disk that fills up: the station goes on in memory, and moves back when there is room',
  async (t) => {
    const folder = t.testdir()
    const built = await transpiled(folder, [
      'drivers/message-of.ts',
      'runtime/database.ts',
      'runtime/outbox.ts',
      'runtime/outbox-store.ts',
      'runtime/runtime-error.ts',
    ])
    const file = join(folder, 'outbox.sqlite')
    const script = join(folder, 'fill.mjs')
    // A file-size limit makes the real SQLite fail with a real error; the signal that comes with it is ignored.
    await writeFile(
      script,
      `import { openOutbox } from ${JSON.stringify(join(built, 'runtime/outbox.js'))}
     let nowMs = 0
     const changes = []
     const outbox = openOutbox(${JSON.stringify(file)}, { maxVerdicts: 1e6, maxBytes: 1e9,
       clock: { now: () => nowMs }, onDurability: (change) => changes.push([change.durability, change.error?.code]) })
     const durable = []
     for (let i = 0; i < 60; i++) outbox.commit('t', (given) => { durable[given.seq] = given.durable; return { text: 'x'.repeat(4000) } })
     const stats = outbox.stats()
     const seqs = outbox.after(0, 1000).map((v) => v.seq)
     for (const seq of seqs) outbox.acknowledge(seq)
     const left = outbox.stats().depth
     nowMs = 10_000
     outbox.commit('t', (given) => given)
     console.log(JSON.stringify({ changes, stats, seqs, left, durable: durable.slice(1) }))`,
    )
    const command = `trap '' XFSZ; ulimit -f 100; exec "${process.execPath}" "${script}"`
    const child = spawn('bash', ['-c', command], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) lines.push(line)
    const report = JSON.parse(lines.at(-1) ?? '{}')
    t.same(report.changes[0], ['volatile', 'OUTBOX_UNWRITABLE'])
    t.match(report.stats, { durability: 'volatile', lastSeq: 60, depth: 60 })
    t.same(
      report.seqs,
      Array.from({ length: 60 }, (_, index) => index + 1),
      'disk and memory are one queue',
    )
    t.ok(report.durable.includes(true) && report.durable.includes(false))
    t.equal(report.left, 0)
  },
)
