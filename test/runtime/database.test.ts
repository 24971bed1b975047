import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openDatabase, sqliteCodeOf, type DatabaseOptions } from '../../runtime/database.ts'

const options: DatabaseOptions = {
  applicationId: 0x74657374,
  tables: 'CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT UNIQUE)',
  journal: 'delete',
  exclusive: false,
  busyMs: 20,
}
const alone = { ...options, journal: 'wal', exclusive: true } as const

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work()
    return 'no error'
  } catch (error) {
    return sqliteCodeOf(error)
  }
}

t.test('a transaction is all or nothing, and hands on what its work returns or throws', async (t) => {
  const database = openDatabase(':memory:', options)
  const add = (word: string | null) => database.all('INSERT INTO words (word) VALUES (?)', word)
  t.equal(
    database.transaction(() => {
      add('one')
      add(null)
      return 7
    }),
    7,
  )
  const reason = new Error('changed my mind')
  t.throws(
    () =>
      database.transaction(() => {
        add('two')
        throw reason
      }),
    reason,
  )
  t.equal(
    codeOf(() => database.transaction(() => add('one'))),
    'SQLITE_CONSTRAINT_UNIQUE',
  )
  t.same(database.all('SELECT word FROM words ORDER BY id'), [{ word: 'one' }, { word: null }])
  t.equal(database.get('SELECT word FROM words WHERE id = ?', 99), undefined)
  database.close()
})

t.test(
  'processes share a file that is not exclusive, and a lock is waited for no longer than said',
  async (t) => {
    const file = join(t.testdir(), 'shared.sqlite')
    const [writer, other] = [openDatabase(file, options), openDatabase(file, options)]
    writer.transaction(() => {
      writer.all('INSERT INTO words (word) VALUES (?)', 'one')
      t.same(other.all('SELECT word FROM words'), [], 'a reader sees what is committed')
      const startedMs = performance.now()
      t.equal(
        codeOf(() => other.transaction(() => undefined)),
        'SQLITE_BUSY',
      )
      t.ok(performance.now() - startedMs >= 20)
    })
    t.same(other.all('SELECT word FROM words'), [{ word: 'one' }])
    t.same(existsSync(`${file}-journal`), false, 'one plain file')
    other.close()
    writer.close()
  },
)

t.test('an exclusive file is held until it is closed, also one that was there before', async (t) => {
  const file = join(t.testdir(), 'alone.sqlite')
  openDatabase(file, alone).close()
  const holder = openDatabase(file, alone)
  t.equal(
    codeOf(() => openDatabase(file, alone)),
    'SQLITE_BUSY',
  )
  holder.close()
  openDatabase(file, alone).close()
  t.notOk(existsSync(`${file}-wal`) || existsSync(`${file}-shm`))
})

t.test('closing in the middle of a transaction leaves neither its changes nor its lock', async (t) => {
  const file = join(t.testdir(), 'shared.sqlite')
  const [broken, other] = [openDatabase(file, options), openDatabase(file, options)]
  t.throws(() =>
    broken.transaction(() => {
      broken.all('INSERT INTO words (word) VALUES (?)', 'half')
      broken.close()
    }),
  )
  t.equal(
    other.transaction(() => 'free'),
    'free',
  )
  t.same(other.all('SELECT word FROM words'), [])
  other.close()
})

t.test('a damaged file and one of another program are refused and left as they are', async (t) => {
  const folder = t.testdir({ 'text.sqlite': 'this is not a database, it is a text '.repeat(200) })
  const damaged = join(folder, 'damaged.sqlite')
  const theirs = join(folder, 'theirs.sqlite')
  openDatabase(theirs, { ...options, applicationId: 1 }).close()
  const database = openDatabase(damaged, options)
  database.transaction(() => {
    for (let id = 1; id < 500; id++)
      database.all('INSERT INTO words VALUES (?, ?)', id, 'word'.repeat(20) + id)
  })
  database.close()
  const bytes = await readFile(damaged)
  bytes.fill(0xa5, 4096, bytes.length - 100)
  await writeFile(damaged, bytes)
  for (const file of [join(folder, 'text.sqlite'), damaged, theirs]) {
    const before = await readFile(file)
    t.throws(() => openDatabase(file, options), file)
    t.same(await readFile(file), before)
  }
  t.throws(() => openDatabase(theirs, options), { message: 'a database of another program' })
  t.equal(
    codeOf(() => openDatabase(join(folder, 'text.sqlite'), options)),
    'SQLITE_NOTADB',
  )
  t.throws(() => openDatabase(join(folder, 'nowhere', 'x.sqlite'), options))
  t.equal(sqliteCodeOf(Object.assign(new Error('no room'), { code: 'ENOSPC' })), undefined)
})

t.test('a file that was moved away under an open database takes no more changes', async (t) => {
  const file = join(t.testdir(), 'moved.sqlite')
  const database = openDatabase(file, options)
  await rename(file, `${file}.old`)
  t.match(
    codeOf(() => database.all('INSERT INTO words (word) VALUES (?)', 'lost')),
    /SQLITE_READONLY/,
  )
  database.close()
})
