import { writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { reloadCommand } from '../../runtime/reload.ts'
import { putNamedIntoUse } from '../support/put-into-use.ts'

const ID = 'a'.repeat(64)

/** A host that takes every folder, and says what it was given. */
function makeReload(root: string, answer: (folder: string, signal: AbortSignal) => Promise<string>) {
  const reloaded: unknown[] = []
  const stop = new AbortController()
  const ledger = openLedger(root)
  const reload = reloadCommand({
    ledger,
    product: 'nut',
    host: {
      activate: async (folder, signal) => ({
        bundleId: 'b',
        backend: 'cpu',
        repositoryId: await answer(folder, signal),
      }),
    },
    signal: stop.signal,
    onReloaded: (repositoryId) => reloaded.push(repositoryId),
  })
  return { reload, reloaded, stop, ledger }
}

async function taughtRoot(t: Test): Promise<string> {
  const root = t.testdir()
  await putNamedIntoUse(root, 'nut', ID)
  return root
}

t.test(
  'the repository that the ledger says is in use is taken into use, and named in the reply',
  async (t) => {
    const root = await taughtRoot(t)
    const { reload, reloaded } = makeReload(root, async (folder) => {
      t.equal(folder, repositoryFolder(root, 'nut', ID))
      return ID
    })
    t.same(await reload({ transaction: 't-1' }), { product: 'nut', repositoryId: ID })
    t.same(reloaded, [ID])
  },
)

t.test('what cannot be taken into use is refused with the reason, and nothing changes', async (t) => {
  const untaught = makeReload(t.testdir(), async () => ID)
  await t.rejects(untaught.reload({}), { code: 'RELOAD_REFUSED', message: /nut was never taught/ })

  const root = await taughtRoot(t)
  const refusing = makeReload(root, async () => {
    throw new Error('banks.safetensors is damaged')
  })
  await t.rejects(refusing.reload({}), { code: 'RELOAD_REFUSED', message: /damaged/ })

  refusing.ledger.close()
  await writeFile(refusing.ledger.file, 'this is not a ledger, it is a text '.repeat(200))
  const forgetful = makeReload(root, async () => ID)
  await t.rejects(forgetful.reload({}), { code: 'RELOAD_REFUSED', message: /ledger\.sqlite cannot be used/ })
  t.same([...untaught.reloaded, ...refusing.reloaded, ...forgetful.reloaded], [])
})

t.test('a request with anything else in it is a mistake', async (t) => {
  const { reload } = makeReload(t.testdir(), async () => ID)
  for (const request of [{ product: 'bolt' }, [], 'now', null]) {
    await t.rejects(reload(request), { code: 'BAD_COMMAND' })
  }
})

t.test('it does not outlive the station', async (t) => {
  const { reload, stop } = makeReload(await taughtRoot(t), (_folder, signal) => {
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
    stop.abort(new Error('stopping'))
    return ended
  })
  await t.rejects(reload({}), { code: 'RELOAD_REFUSED', message: 'stopping' })
})
