import t from 'tap'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openSearch } from '../../models/nearest.ts'
import { saveRepository } from '../../models/repository.ts'
import { idThatBegins, keptIds, lookAt } from '../../runtime/kept-repositories.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const repository = await taughtRepository(search)
await search.release()
const { id } = repository

t.test('repositories are the folders that are named by an id, whatever else lies there', async (t) => {
  const root = t.testdir()
  t.same(await keptIds(root, 'widget'), [], 'none where nothing was taught')
  const folder = join(root, 'widget', id)
  await saveRepository(folder, repository)
  for (const other of [`${'b'.repeat(64)}.partial`, `${'c'.repeat(64)}.removed`, 'lost+found']) {
    await mkdir(join(root, 'widget', other))
  }
  t.same(await keptIds(root, 'widget'), [id])
  const { manifest, bytes, problem } = await lookAt(root, 'widget', id)
  t.same([manifest, problem], [repository.manifest, undefined])
  t.ok(bytes > 10_000)
})

t.test('what cannot be believed is told with the reason, not thrown', async (t) => {
  const root = t.testdir()
  const other = 'd'.repeat(64)
  await saveRepository(join(root, 'widget', id), repository)
  await cp(join(root, 'widget', id), join(root, 'widget', other), { recursive: true })
  t.match(await lookAt(root, 'widget', other), {
    problem: new RegExp(`holds repository ${id}`),
    manifest: undefined,
  })
  await writeFile(join(root, 'widget', id, 'manifest.json'), '{}')
  t.match(await lookAt(root, 'widget', id), { problem: /no repository manifest/, manifest: undefined })
})

t.test('an id is found by how it begins, when only one begins like that', async (t) => {
  const root = t.testdir()
  const [first, second] = [`aaaaaa1${'0'.repeat(57)}`, `aaaaaa2${'0'.repeat(57)}`]
  await t.rejects(idThatBegins(root, 'widget', 'aaaaaa'), {
    code: 'REPOSITORY_UNKNOWN',
    message: /there is none/,
  })
  for (const each of [first, second]) await mkdir(join(root, 'widget', each), { recursive: true })
  t.equal(await idThatBegins(root, 'widget', 'aaaaaa1'), first)
  t.equal(await idThatBegins(root, 'widget', second), second)
  await t.rejects(idThatBegins(root, 'widget', 'aaaaaa'), {
    code: 'REPOSITORY_UNKNOWN',
    message: /several repositories of widget begin with 'aaaaaa': aaaaaa100000, aaaaaa200000/,
  })
  await t.rejects(idThatBegins(root, 'widget', 'bbbbbb'), {
    code: 'REPOSITORY_UNKNOWN',
    message: /begins with 'bbbbbb'; there is aaaaaa100000, aaaaaa200000/,
  })
})
