import t from 'tap'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { activateRepository, activeRepository, repositoryFolder } from '../../models/repository-store.ts'

const [first, second] = ['a'.repeat(64), 'b'.repeat(64)]

t.test('a product has the repository that was activated last, and none before it was taught', async (t) => {
  const root = t.testdir()
  t.equal(await activeRepository(root, 'widget'), undefined)
  for (const id of [first, second]) {
    await mkdir(repositoryFolder(root, 'widget', id), { recursive: true })
    await writeFile(path.join(root, 'widget', id, 'manifest.json'), '{}')
  }
  await activateRepository(root, 'widget', first)
  t.equal(await activeRepository(root, 'widget'), path.join(root, 'widget', first))
  await activateRepository(root, 'widget', second)
  t.equal(await activeRepository(root, 'widget'), path.join(root, 'widget', second))
  t.equal(await activeRepository(root, 'gadget'), undefined)
})

t.test('what is not there cannot be activated, and the one before stays', async (t) => {
  const root = t.testdir({ widget: { [first]: { 'manifest.json': '{}' } } })
  await activateRepository(root, 'widget', first)
  await t.rejects(activateRepository(root, 'widget', second), { code: 'REPOSITORY_UNREADABLE' })
  t.equal(await activeRepository(root, 'widget'), path.join(root, 'widget', first))
})

t.test('names that would leave the root, and damaged pointers, are refused', async (t) => {
  const root = t.testdir({ widget: { active: 'not an id\n' }, gadget: { active: {} } })
  await t.rejects(activateRepository(root, '..', first), { code: 'REPOSITORY_UNREADABLE' })
  await t.rejects(activateRepository(root, 'widget', '../x'), { code: 'REPOSITORY_UNREADABLE' })
  await t.rejects(activeRepository(root, 'widget'), { code: 'REPOSITORY_UNREADABLE' })
  await t.rejects(
    activeRepository(root, 'gadget'),
    { code: 'REPOSITORY_UNREADABLE' },
    'a folder where a file was due',
  )
})
