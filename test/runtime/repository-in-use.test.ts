import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { repositoryFolder } from '../../models/repository-store.ts'
import { repositoryInUse } from '../../runtime/repository-in-use.ts'

t.test('a station starts with the repository in use, or knows why it has none', async (t) => {
  const root = t.testdir()
  t.match(await repositoryInUse(root, 'nut'), {
    trouble: { code: 'NOT_TAUGHT' },
    repositoryFolder: undefined,
  })

  await mkdir(join(root, 'nut'))
  const active = join(root, 'nut', 'active')
  const id = '0'.repeat(64)
  await writeFile(active, `${id}\n`)
  t.same(await repositoryInUse(root, 'nut'), { repositoryFolder: repositoryFolder(root, 'nut', id) })

  // A power cut in another program, a hand in the folder: the station must still answer, and can be taught again.
  await writeFile(active, 'half an i')
  t.match(await repositoryInUse(root, 'nut'), {
    trouble: { code: 'REPOSITORY_REFUSED', detail: /half an i/ },
  })
})
