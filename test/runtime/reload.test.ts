import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { activateRepository, repositoryFolder } from '../../models/repository-store.ts'
import { reloadCommand } from '../../runtime/reload.ts'

const ID = 'a'.repeat(64)

/** A host that takes every folder, and says what it was given. */
function makeReload(root: string, answer: (folder: string, signal: AbortSignal) => Promise<string>) {
  const reloaded: unknown[] = []
  const stop = new AbortController()
  const reload = reloadCommand({
    root,
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
  return { reload, reloaded, stop }
}

async function taughtRoot(t: Test): Promise<string> {
  const root = t.testdir()
  const folder = repositoryFolder(root, 'nut', ID)
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'manifest.json'), '{}')
  await activateRepository(root, 'nut', ID)
  return root
}

t.test('the repository that the disk says is in use is taken into use, and named in the reply', async (t) => {
  const root = await taughtRoot(t)
  const { reload, reloaded } = makeReload(root, async (folder) => {
    t.equal(folder, repositoryFolder(root, 'nut', ID))
    return ID
  })
  t.same(await reload({ transaction: 't-1' }), { product: 'nut', repositoryId: ID })
  t.same(reloaded, [ID])
})

t.test('what cannot be taken into use is refused with the reason, and nothing changes', async (t) => {
  const untaught = makeReload(t.testdir(), async () => ID)
  await t.rejects(untaught.reload({}), { code: 'RELOAD_REFUSED', message: /nut was never taught/ })

  const root = await taughtRoot(t)
  const refusing = makeReload(root, async () => {
    throw new Error('banks.safetensors is damaged')
  })
  await t.rejects(refusing.reload({}), { code: 'RELOAD_REFUSED', message: /damaged/ })

  await writeFile(join(root, 'nut', 'active'), '../../etc')
  const climbing = makeReload(root, async () => ID)
  await t.rejects(climbing.reload({}), { code: 'RELOAD_REFUSED' })
  t.same([...untaught.reloaded, ...refusing.reloaded, ...climbing.reloaded], [])
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
