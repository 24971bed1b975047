import t from 'tap'
import { join } from 'node:path'
import { repositoryFolder } from '../../models/repository-folder.ts'

const id = 'a'.repeat(64)

t.test('a repository has its product’s folder, and its id for a name', async (t) => {
  t.equal(repositoryFolder('root', 'hex-nut.2', id), join('root', 'hex-nut.2', id))
})

t.test('names that would leave the root are refused', async (t) => {
  for (const product of ['..', '.', '', 'a/b', '/etc', 'nut\n']) {
    t.throws(() => repositoryFolder('root', product, id), { code: 'REPOSITORY_UNREADABLE' }, product)
  }
  for (const bad of ['../x', '', 'A'.repeat(64), 'a'.repeat(63), `${id}\n`]) {
    t.throws(() => repositoryFolder('root', 'nut', bad), { code: 'REPOSITORY_UNREADABLE' }, bad)
  }
})
