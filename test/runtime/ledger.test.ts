import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Libsql from 'libsql'
import t, { type Test } from 'tap'
import { openLedger, type Ledger } from '../../runtime/ledger.ts'
import { builtPackage } from '../support/built-package.ts'
import { writeNamed } from '../support/put-into-use.ts'

const [first, second, third] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string]
const IDS = [first, second, third]
const by = { product: 'nut', who: 'ada', why: 'because' }
const writer = join(import.meta.dirname, '../fixtures/ledger-writer.js')

/** A root with three repositories of a nut that can be put into use. */
async function makeRoot(t: Test): Promise<string> {
  const root = t.testdir()
  for (const id of IDS) await writeNamed(root, 'nut', id)
  return root
}

async function open(t: Test, root?: string): Promise<Ledger> {
  const ledger = openLedger(root ?? (await makeRoot(t)), { busyMs: 50 })
  t.teardown(() => ledger.close())
  return ledger
}

function use(ledger: Ledger, ...ids: readonly string[]): void {
  for (const repositoryId of ids) {
    ledger.promote({ ...by, repositoryId, expectedActive: ledger.active('nut') })
  }
}

interface Written {
  readonly seq: number
  readonly entry: number
  readonly repositoryId?: string
}

/** Runs the fixture; what it said until its end, or until it was killed after so many lines. */
async function write(
  root: string,
  options: { who: string; entries: number; ids?: readonly string[]; killAfter?: number },
): Promise<Written[]> {
  const ledgerModule = join(await builtPackage(), 'dist/runtime/ledger.js')
  const args = [ledgerModule, root, options.who, String(options.entries), ...(options.ids ?? [])]
  const child = spawn(process.execPath, [writer, ...args], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const written: Written[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    written.push(JSON.parse(line) as Written)
    if (written.length === options.killAfter) child.kill('SIGKILL')
  }
  return written
}

t.test('nothing was taught where there is no ledger, and who only looks leaves none behind', async (t) => {
  const root = join(t.testdir(), 'not', 'made')
  const ledger = await open(t, root)
  t.equal(ledger.active('nut'), undefined)
  t.equal(ledger.activeFolder('nut'), undefined)
  t.same(ledger.history({ limit: 10 }), [])
  t.same([ledger.promoted('nut'), ledger.candidates('nut')], [[], []])
  t.notOk(existsSync(root))
  t.match(ledger.record({ ...by, action: 'alarm' }), { seq: 1 }, 'the first entry makes it, folders and all')
})

t.test('whoever was killed while making the ledger left an empty file, and that is none', async (t) => {
  const root = await makeRoot(t)
  const file = join(root, 'ledger.sqlite')
  await writeFile(file, '')
  const ledger = await open(t, root)
  t.equal(ledger.active('nut'), undefined)
  t.same(ledger.history({ limit: 10 }), [])
  t.equal((await readFile(file)).length, 0, 'who only looks needs no room on the disk')
  use(ledger, first)
  t.equal(ledger.active('nut'), first)
})

t.test('a promotion is its entry: who, when, why, from what to what, with which figures', async (t) => {
  const root = await makeRoot(t)
  const ledger = await open(t, root)
  const startedAt = new Date().toISOString()
  ledger.record({ ...by, action: 'candidate', repositoryId: first })
  t.equal(ledger.active('nut'), undefined, 'a candidate is not in use')
  const figures = { before: null, after: { rows: 1024, rate: 0.01 } }
  const entry = ledger.promote({ ...by, repositoryId: first, expectedActive: undefined, figures })
  t.match(entry, { seq: 2, action: 'promote', product: 'nut', repositoryId: first, who: 'ada', figures })
  t.notOk('previousId' in entry)
  t.ok(entry.time >= startedAt && entry.time <= new Date().toISOString())
  t.match(ledger.promote({ ...by, repositoryId: second, expectedActive: first }), { previousId: first })
  t.equal(ledger.active('nut'), second)
  t.equal(ledger.activeFolder('nut'), join(root, 'nut', second))
  t.equal(ledger.active('bolt'), undefined)

  ledger.close()
  const again = await open(t, root)
  t.same(
    again.history({ product: 'nut', limit: 10 }).map(({ seq, action }) => [seq, action]),
    [
      [3, 'promote'],
      [2, 'promote'],
      [1, 'candidate'],
    ],
  )
  t.same(again.history({ limit: 1, before: 3 }), [entry], 'page by page, as it was written')
  t.same(again.history({ product: 'bolt', limit: 10 }), [])
  t.same(
    again.history({ repositoryId: first, limit: 10 }).map(({ seq }) => seq),
    [2, 1],
  )
  t.same(again.candidates('nut'), [first])
  t.same(again.promoted('nut'), [second, first], 'used last comes first')
})

t.test(
  'a decision about a repository that is no longer in use is refused, and changes nothing',
  async (t) => {
    const root = await makeRoot(t)
    const [ledger, other] = [await open(t, root), await open(t, root)]
    use(ledger, first)
    use(other, second)
    t.throws(() => ledger.promote({ ...by, repositoryId: third, expectedActive: first }), {
      code: 'LEDGER_CONFLICT',
      message: new RegExp(`nut has ${second} in use by now, expected ${first}`),
    })
    t.throws(() => ledger.promote({ ...by, repositoryId: third, expectedActive: undefined }), {
      code: 'LEDGER_CONFLICT',
    })
    t.throws(() => ledger.promote({ ...by, product: 'bolt', repositoryId: third, expectedActive: first }), {
      code: 'LEDGER_CONFLICT',
      message: /bolt has no repository in use/,
    })
    t.same([ledger.active('nut'), ledger.history({ limit: 10 }).length], [second, 2])
  },
)

t.test('what is not on the disk cannot be put into use, nor a name that leaves the root', async (t) => {
  const ledger = await open(t)
  const promote = (product: string, repositoryId: string) =>
    ledger.promote({ ...by, product, repositoryId, expectedActive: undefined })
  t.throws(() => promote('nut', 'd'.repeat(64)), { code: 'REPOSITORY_UNKNOWN' })
  t.throws(() => promote('..', first), { code: 'REPOSITORY_UNREADABLE' })
  t.throws(() => promote('nut', '../x'), { code: 'REPOSITORY_UNREADABLE' })
  t.same(ledger.history({ limit: 10 }), [])
})

t.test('going back goes to the one before, and again further back; asked for by id, anywhere', async (t) => {
  const root = await makeRoot(t)
  const ledger = await open(t, root)
  t.throws(() => ledger.rollback(by), { code: 'REPOSITORY_UNKNOWN', message: /no repository before/ })
  use(ledger, first, second, second, third)
  t.throws(
    () => ledger.rollback({ ...by, expectedActive: first }),
    { code: 'LEDGER_CONFLICT' },
    'another is in use',
  )
  t.match(ledger.rollback(by), { action: 'rollback', repositoryId: second, previousId: third })
  t.match(ledger.rollback(by), { repositoryId: first, previousId: second })
  t.equal(ledger.active('nut'), first)
  t.throws(() => ledger.rollback(by), { code: 'REPOSITORY_UNKNOWN', message: /no repository before/ })
  t.throws(() => ledger.rollback({ ...by, repositoryId: first }), { code: 'LEDGER_CONFLICT' })
  t.match(ledger.rollback({ ...by, repositoryId: third }), { previousId: first })
  t.match(ledger.rollback(by), { repositoryId: first }, 'before the third came back there was the first')
  t.same(ledger.promoted('nut'), [first, third, second])

  const never = 'e'.repeat(64)
  await writeNamed(root, 'nut', never)
  t.throws(() => ledger.rollback({ ...by, repositoryId: never }), {
    code: 'REPOSITORY_UNKNOWN',
    message: /never in use/,
  })
  await rm(join(root, 'nut', second), { recursive: true })
  t.throws(() => ledger.rollback({ ...by, repositoryId: second }), {
    code: 'REPOSITORY_UNKNOWN',
    message: /holds no repository/,
  })
  t.equal(ledger.active('nut'), first)
})

t.test('an entry is bounded and has its reasons', async (t) => {
  const ledger = await open(t)
  const alarm = { ...by, action: 'alarm' } as const
  for (const bad of [{ who: ' ' }, { why: '' }, { product: '' }, { why: 'y'.repeat(2001) }]) {
    t.throws(() => ledger.record({ ...alarm, ...bad }), { code: 'LEDGER_UNWRITABLE' })
  }
  t.throws(() => ledger.record({ ...alarm, figures: { golden: 'x'.repeat(65_536) } }), {
    code: 'LEDGER_UNWRITABLE',
    message: /figures of 655\d\d bytes/,
  })
  t.same(ledger.history({ limit: 10 }), [])
  t.match(ledger.record({ ...alarm, figures: { golden: 'x'.repeat(65_000) } }), { seq: 1 })
})

t.test(
  'whoever watches hears of what others add, and of a file that takes the place of this one',
  async (t) => {
    const root = await makeRoot(t)
    const watching = await open(t, root)
    t.equal(watching.hasChanged(), true, 'asked for the first time')
    t.equal(watching.hasChanged(), false)
    const other = await open(t, root)
    use(other, first)
    t.equal(watching.hasChanged(), true)
    use(watching, second)
    t.equal(watching.hasChanged(), false, 'its own entries are no news')
    other.record({ ...by, action: 'alarm' })
    t.equal(watching.hasChanged(), true)

    const backup = join(root, 'backup.sqlite')
    watching.copyTo(backup)
    use(other, third)
    await rename(backup, watching.file)
    t.equal(watching.hasChanged(), true)
    t.equal(watching.active('nut'), second, 'as it was when it was copied')
    use(other, third)
    t.equal(watching.active('nut'), third, 'everybody has the file that is there')
    await rm(watching.file)
    t.same([watching.hasChanged(), watching.active('nut')], [true, undefined])
  },
)

t.test('a ledger that somebody else holds is waited for, and no longer than said', async (t) => {
  const root = await makeRoot(t)
  const [ledger, other] = [await open(t, root), await open(t, root)]
  use(ledger, first)
  other.whileHeld(() => {
    t.equal(ledger.active('nut'), first, 'who only reads goes on')
    t.throws(() => use(ledger, second), { code: 'LEDGER_UNWRITABLE', message: /another process.* 50 ms/ })
  })
  use(ledger, second)
  t.equal(other.active('nut'), second)
})

t.test('a damaged ledger and one of another program are refused by name, and left as they are', async (t) => {
  const root = await makeRoot(t)
  const whole = await open(t, root)
  for (let entry = 0; entry < 10; entry++) {
    whole.record({ ...by, action: 'alarm', figures: { entry, text: 'x'.repeat(3000) } })
  }
  whole.close()
  const bytes = await readFile(whole.file)
  const rotten = Buffer.from(bytes)
  rotten.fill(0xa5, 4096, bytes.length - 100)
  const damages: [string, Buffer][] = [
    ['no SQLite at all', Buffer.from('this is not a ledger, it is a text '.repeat(200))],
    ['pages overwritten', rotten],
    ['cut short', bytes.subarray(0, bytes.length / 2)],
    ['of another program', Buffer.from(bytes).fill(1, 68, 72)],
  ]
  for (const [what, damaged] of damages) {
    await writeFile(whole.file, damaged)
    const ledger = await open(t, root)
    t.throws(
      () => ledger.active('nut'),
      { code: 'LEDGER_UNREADABLE', message: /ledger\.sqlite.* away/ },
      what,
    )
    t.throws(() => use(ledger, first), { code: 'LEDGER_UNREADABLE' }, what)
    t.throws(() => ledger.record({ ...by, action: 'alarm' }), { code: 'LEDGER_UNREADABLE' }, what)
    t.same(await readFile(whole.file), damaged, what)
  }
  const patient = await open(t, root)
  t.throws(() => patient.active('nut'), { code: 'LEDGER_UNREADABLE' })
  await rename(whole.file, `${whole.file}.damaged`)
  t.equal(patient.active('nut'), undefined, 'moved away, it begins again without a restart')
  use(patient, first)
  t.equal(patient.active('nut'), first)
})

t.test('an entry that is not what it was written as is damage, too', async (t) => {
  const root = await makeRoot(t)
  const ledger = await open(t, root)
  ledger.record({ ...by, action: 'alarm', figures: { text: 'figure' } })
  ledger.close()
  const bytes = await readFile(ledger.file)
  for (const [text, damage] of [
    ['"figure"', '"figure,'],
    ['alarm', 'alarn'],
  ] as const) {
    const damaged = Buffer.from(bytes)
    damaged.write(damage, damaged.indexOf(text))
    await writeFile(ledger.file, damaged)
    t.throws(() => ledger.history({ limit: 1 }), { code: 'LEDGER_UNREADABLE' }, damage)
    ledger.close()
  }
})

t.test('a ledger that cannot be reached is trouble, not an untaught product', async (t) => {
  const root = join(t.testdir(), 'file')
  await mkdir(join(root, 'ledger.sqlite'), { recursive: true })
  const ledger = await open(t, root)
  t.throws(() => ledger.active('nut'), { code: 'LEDGER_UNREADABLE' })
  t.throws(() => ledger.record({ ...by, action: 'alarm' }), { code: 'LEDGER_UNWRITABLE' })
})

/**
 * `to` is what a power cut in the middle of `change` leaves of `file`, with its journal. Of more than the cache holds, SQLite writes pages
 * of an unfinished transaction into the file.
 */
async function copyUnfinished(
  file: string,
  to: string,
  change: (database: Libsql.Database) => void,
): Promise<void> {
  const database = new Libsql(file)
  database.prepare('PRAGMA cache_size = 2').all()
  database.exec('BEGIN IMMEDIATE')
  change(database)
  await copyFile(file, to)
  await copyFile(`${file}-journal`, `${to}-journal`)
  database.exec('ROLLBACK')
  database.close()
}

t.test('a power cut in the middle of an entry: the one before is in use, whatever was written', async (t) => {
  const root = await makeRoot(t)
  const ledger = await open(t, root)
  use(ledger, first)
  ledger.close()
  const before = await readFile(ledger.file)
  const half = join(root, 'half')
  await copyUnfinished(ledger.file, half, (torn) => {
    const insert = torn.prepare(
      `INSERT INTO entries (time, product, action, repository_id, who, why) VALUES ('', 'nut', 'promote', ?, 'x', ?)`,
    )
    for (let entry = 0; entry < 50; entry++) insert.run(second, 'y'.repeat(2000))
  })
  const [halfFile, halfJournal] = [await readFile(half), await readFile(`${half}-journal`)]
  t.not(Buffer.compare(halfFile.subarray(0, before.length), before), 0, 'pages were overwritten')

  const cuts: [string, Buffer, Buffer][] = [
    ['the journal undoes a half-written file', halfFile, halfJournal],
    ['garbage for a journal', before, Buffer.alloc(5000, 0xa5)],
    ['a journal cut within its head', before, halfJournal.subarray(0, 20)],
    ['a journal cut within a page', before, halfJournal.subarray(0, 3000)],
    ['an empty journal', before, Buffer.alloc(0)],
    ['garbage behind the journal', halfFile, Buffer.concat([halfJournal, Buffer.alloc(777, 0xa5)])],
  ]
  for (const [what, file, journal] of cuts) {
    await writeFile(ledger.file, file)
    await writeFile(`${ledger.file}-journal`, journal)
    const after = await open(t, root)
    t.equal(after.active('nut'), first, what)
    t.match(after.history({ limit: 10 }), [{ seq: 1, repositoryId: first }], what)
    use(after, third)
    t.equal(after.active('nut'), third, what)
    after.close()
    t.notOk(existsSync(`${ledger.file}-journal`), what)
  }
})

/** What a ledger does when no byte may be written: the real SQLite fails with a real error; the signal that comes with it is ignored. */
async function whenFull(t: Test, root: string): Promise<unknown> {
  const script = join(t.testdirName, 'full.mjs')
  await writeFile(
    script,
    `import { openLedger } from ${JSON.stringify(join(await builtPackage(), 'dist/runtime/ledger.js'))}
     const ledger = openLedger(${JSON.stringify(root)})
     const by = ${JSON.stringify(by)}
     const codes = []
     const attempt = (work) => { try { work(); codes.push('ok') } catch (error) { codes.push(error.code) } }
     const active = [ledger.active('nut') ?? null]
     attempt(() => ledger.promote({ ...by, repositoryId: '${second}', expectedActive: active[0] ?? undefined }))
     attempt(() => ledger.record({ ...by, action: 'alarm' }))
     attempt(() => ledger.whileHeld(() => 0))
     active.push(ledger.active('nut') ?? null)
     console.log(JSON.stringify({ active, codes, entries: ledger.history({ limit: 10 }).length }))`,
  )
  const command = `trap '' XFSZ; ulimit -f 0; exec "${process.execPath}" "${script}"`
  const child = spawn('bash', ['-c', command], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) lines.push(line)
  return JSON.parse(lines.at(-1) ?? '{}')
}

t.test('on a full disk the ledger is read, takes no entry, and goes on when there is room', async (t) => {
  const root = await makeRoot(t)
  const ledger = await open(t, root)
  use(ledger, first)
  t.same(await whenFull(t, root), {
    active: [first, first],
    codes: ['LEDGER_UNWRITABLE', 'LEDGER_UNWRITABLE', 'ok'],
    entries: 1,
  })
  use(ledger, second)
  t.equal(ledger.active('nut'), second)
})

t.test('whoever was killed while making the ledger on a full disk has taught nothing', async (t) => {
  const root = await makeRoot(t)
  const file = join(root, 'ledger.sqlite')
  // Its journal tells that the file was empty before.
  await copyUnfinished(`${file}.making`, file, (making) => {
    making.exec('CREATE TABLE entries (why TEXT)')
    for (let row = 0; row < 50; row++) making.prepare('INSERT INTO entries VALUES (?)').run('y'.repeat(2000))
  })
  t.ok((await readFile(file)).length > 0)
  t.match(await whenFull(t, root), { active: [null, null], entries: 0 })
  const ledger = await open(t, root)
  use(ledger, first)
  t.equal(ledger.active('nut'), first, 'and can be taught when there is room')
})

t.test('two processes that write at once lose nothing, also where neither finds a ledger', async (t) => {
  const root = t.testdir()
  const entries = 25
  const [ada, bob] = await Promise.all(['ada', 'bob'].map((who) => write(root, { who, entries })))
  t.same([ada?.length, bob?.length], [entries, entries])
  const kept = (await open(t, root)).history({ limit: 1000 })
  t.equal(kept.length, 2 * entries)
  for (const [who, written] of [['ada', ada] as const, ['bob', bob] as const]) {
    for (const { seq, entry } of written ?? []) {
      const found = kept.find((each) => each.seq === seq)
      t.match(found, { who, figures: { entry } })
    }
  }
})

t.test(
  'kill -9 at any moment of a promotion: the old or the new one is in use, no entry is lost',
  async (t) => {
    const root = await makeRoot(t)
    const acknowledged: Written[] = []
    for (let kill = 0; kill < 40; kill++) {
      const killAfter = 1 + ((kill * 7) % 5)
      acknowledged.push(...(await write(root, { who: `run ${kill}`, entries: 1000, ids: IDS, killAfter })))
      const ledger = await open(t, root)
      const active = ledger.active('nut')
      const last = acknowledged.at(-1)?.repositoryId ?? ''
      const next = IDS[(IDS.indexOf(last) + 1) % IDS.length]
      if (active !== last && active !== next) t.fail(`kill ${kill}: ${active} is in use after ${last}`)
      ledger.close()
    }
    const kept = new Map((await open(t, root)).history({ limit: 10_000 }).map((entry) => [entry.seq, entry]))
    const lost = acknowledged.filter(({ seq, entry, repositoryId }) => {
      const found = kept.get(seq)
      return found?.repositoryId !== repositoryId || found?.figures?.['entry'] !== entry
    })
    t.same(lost, [], `${acknowledged.length} acknowledged promotions over 40 kills, all in the ledger`)
    t.ok(kept.size - acknowledged.length <= 40, 'at most one more each time')
  },
)
