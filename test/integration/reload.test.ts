import { join } from 'node:path'
import t from 'tap'
import { listen } from '../support/listener.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { startDaemon, stationConfig } from '../support/running-daemon.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

t.test('a station that runs takes into use what it is taught meanwhile, when it is told', async (t) => {
  const stateDirectory = t.testdir()
  const daemon = await startDaemon(stationConfig({ stateDirectory, bundle: TINY_BUNDLE }))
  const { brokerUrl, topicRoot } = daemon.running
  const listener = await listen(brokerUrl)
  t.teardown(() => listener.close())
  const reload = async () => {
    const replies = () => listener.json(`${topicRoot}/reply/reload`)
    const before = replies().length
    await listener.client.publishAsync(`${topicRoot}/cmd/reload`, '')
    await listener.until(() => replies().length > before)
    return replies().at(-1)
  }
  t.match(await reload(), { status: 'error', error: { code: 'RELOAD_REFUSED', detail: /never taught/ } })

  const taught = await teachTinyRepository(join(stateDirectory, 'making'))
  await putIntoUse(join(stateDirectory, 'repositories'), 'tiny', taught)
  t.equal(daemon.running.hostStats().description?.repositoryId, undefined, 'nothing before the command')

  t.match(await reload(), { status: 'ok', data: { product: 'tiny', repositoryId: taught.id } })
  t.match(await daemon.ask(), { outcome: /pass|fail/, provenance: { repositoryId: taught.id } })
  const status = () => listener.json(`${topicRoot}/status`).at(-1)
  await listener.until(() => status()?.['repositoryId'] === taught.id)
  await daemon.stop()
})
