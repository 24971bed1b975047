import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { repositoryInUse } from '../../runtime/repository-in-use.ts'
import { putNamedIntoUse } from '../support/put-into-use.ts'

t.test('a station starts with the repository in use, or knows why it has none', async (t) => {
  const root = t.testdir()
  const ledger = openLedger(root)
  t.same(repositoryInUse(ledger, 'nut'), {
    trouble: { code: 'NOT_TAUGHT', detail: 'nothing was taught yet: every verdict is unknown' },
  })

  const id = '0'.repeat(64)
  await putNamedIntoUse(root, 'nut', id)
  t.same(repositoryInUse(ledger, 'nut'), { repositoryFolder: repositoryFolder(root, 'nut', id) })

  // A hand in the folder, a dying disk: the station must still answer, and can be taught again.
  ledger.close()
  await writeFile(ledger.file, 'this is not a ledger, it is a text '.repeat(200))
  t.match(repositoryInUse(ledger, 'nut'), {
    trouble: { code: 'REPOSITORY_REFUSED', detail: /ledger\.sqlite cannot be used/ },
  })
})

t.test('an id that names no folder is trouble, what nobody foresaw is not swallowed', async (t) => {
  const named = (id: string) => ({ activeFolder: () => repositoryFolder('root', 'nut', id) })
  t.match(repositoryInUse(named('half an i'), 'nut'), {
    trouble: { code: 'REPOSITORY_REFUSED', detail: /half an i/ },
  })
  const broken = {
    activeFolder: () => {
      throw new TypeError('a bug')
    },
  }
  t.throws(() => repositoryInUse(broken, 'nut'), TypeError)
})
