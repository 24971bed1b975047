import { join } from 'node:path'
import { existsSync } from 'node:fs'
import t from 'tap'
import { OutboxStore } from '../../runtime/outbox-store.ts'

const verdict = (seq: number, payload = 'x') => ({ seq, topic: 'verdict', payload })

t.test('a change is all or nothing', (t) => {
  const store = new OutboxStore(':memory:')
  store.write({ verdicts: [verdict(1), verdict(2, 'äö')], deletes: [], gaps: [], lastSeq: 2 })
  t.same([store.depth, store.bytes, store.lastSeq()], [2, 5, 2])
  t.throws(() =>
    store.write({
      verdicts: [verdict(3), verdict(1)],
      deletes: [2],
      gaps: [{ firstSeq: 9, lastSeq: 9 }],
      lastSeq: 3,
    }),
  )
  t.same([store.depth, store.bytes, store.lastSeq(), store.gaps()], [2, 5, 2, []])
  t.match(store.after(0, 10), [verdict(1), verdict(2, 'äö')])
  store.write({ verdicts: [], deletes: [1, 77], gaps: [{ firstSeq: 4, lastSeq: 6 }], lastSeq: 2 })
  t.same([store.depth, store.bytes, store.gaps()], [1, 4, [{ firstSeq: 4, lastSeq: 6 }]])
  t.match(store.sizesAfter(0, 10), [{ seq: 2, bytes: 4 }])
  store.close()
  t.end()
})

t.test('a closed store is one plain file that another program can read', async (t) => {
  const file = join(t.testdir(), 'outbox.sqlite')
  const store = new OutboxStore(file)
  store.write({ verdicts: [verdict(1)], deletes: [], gaps: [], lastSeq: 1 })
  store.close()
  t.notOk(existsSync(`${file}-wal`) || existsSync(`${file}-shm`))
  const { default: Database } = await import('libsql')
  const reader = new Database(file)
  t.match(reader.prepare('SELECT seq, payload FROM verdicts').all(), [{ seq: 1, payload: 'x' }])
  reader.close()
})
