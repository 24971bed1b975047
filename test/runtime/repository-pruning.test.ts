import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { openLedger, type Ledger } from '../../runtime/ledger.ts'
import { pruneRepositories } from '../../runtime/repository-pruning.ts'
import { writeNamed } from '../support/put-into-use.ts'

const by = { product: 'nut', who: 'ada', why: 'because' }
const idOf = (number: number): string => number.toString(16).padStart(64, '0')
const namesIn = async (root: string): Promise<string[]> => (await readdir(join(root, 'nut'))).sort()
const prune = (ledger: Ledger, root: string, keep: number) => pruneRepositories(root, 'nut', ledger, { keep })

/** The repositories 1 to `made`, of which the first `used` were in use one after the other. */
async function makeLedger(t: Test, { made, used }: { made: number; used: number }) {
  const root = t.testdir()
  const ledger = openLedger(root)
  t.teardown(() => ledger.close())
  for (let number = 1; number <= made; number++) {
    ledger.record({ ...by, action: 'candidate', repositoryId: idOf(number) })
    await writeNamed(root, 'nut', idOf(number))
  }
  for (let number = 1; number <= used; number++) {
    ledger.promote({ ...by, repositoryId: idOf(number), expectedActive: ledger.active('nut') })
  }
  return { root, ledger }
}

t.test('those used last and those made last stay, and so does the one in use, however old', async (t) => {
  const { root, ledger } = await makeLedger(t, { made: 9, used: 5 })
  t.same(await prune(ledger, root, 10), { removed: [], unknown: [] })
  t.same(await prune(ledger, root, 2), { removed: [1, 2, 3, 6, 7].map(idOf), unknown: [] })
  t.same(await namesIn(root), [4, 5, 8, 9].map(idOf))
  ledger.rollback(by)
  await prune(ledger, root, 1)
  t.same(await namesIn(root), [4, 9].map(idOf))
  await prune(ledger, root, 0)
  t.same([await namesIn(root), ledger.active('nut')], [[idOf(4)], idOf(4)])
  t.throws(() => ledger.rollback({ ...by, repositoryId: idOf(5) }), { code: 'REPOSITORY_UNKNOWN' })
})

t.test('leftovers go with the repository that they were, never what somebody is writing now', async (t) => {
  const { root, ledger } = await makeLedger(t, { made: 3, used: 2 })
  for (const name of [
    `${idOf(1)}.partial`,
    `${idOf(3)}.partial`,
    `${idOf(1)}.removed`,
    `${idOf(2)}.removed`,
  ]) {
    await mkdir(join(root, 'nut', name))
    await writeFile(join(root, 'nut', name, 'banks.safetensors'), 'half')
  }
  t.same(await prune(ledger, root, 1), { removed: [idOf(1)], unknown: [] })
  t.same(await namesIn(root), [idOf(2), idOf(3), `${idOf(3)}.partial`])
})

t.test('after the ledger was lost nothing goes: what it does not know is only named', async (t) => {
  const { root, ledger } = await makeLedger(t, { made: 2, used: 2 })
  const stranger = idOf(7)
  await writeNamed(root, 'nut', stranger)
  await writeFile(join(root, 'nut', 'notes.txt'), 'ours')
  t.same(await prune(ledger, root, 1), { removed: [idOf(1)], unknown: [stranger] })
  t.same(await namesIn(root), [idOf(2), stranger, 'notes.txt'])
})

t.test('other products are left alone, and one without a folder is no surprise', async (t) => {
  const { root, ledger } = await makeLedger(t, { made: 2, used: 2 })
  await writeNamed(root, 'bolt', idOf(1))
  t.same(await pruneRepositories(root, 'screw', ledger, { keep: 1 }), { removed: [], unknown: [] })
  await prune(ledger, root, 1)
  t.same(await readdir(join(root, 'bolt')), [idOf(1)])
  t.notSame(await readdir(repositoryFolder(root, 'nut', idOf(2))), [])
})

t.test('a folder that cannot be read is told, and the ledger is free again', async (t) => {
  const root = t.testdir({ nut: 'a file' })
  const ledger = openLedger(root)
  await t.rejects(prune(ledger, root, 1), { code: 'ENOTDIR' })
  t.match(ledger.record({ ...by, action: 'alarm' }), { seq: 1 })
  ledger.close()
})
