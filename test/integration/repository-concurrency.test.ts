import { join } from 'node:path'
import { stringify } from 'yaml'
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { goodShelf } from '../../runtime/shelves.ts'
import { jsonLines, radarEdge } from '../support/command-line.ts'
import { listen } from '../support/listener.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { startDaemon, stationConfig } from '../support/running-daemon.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

/** Of a machine that runs other tests beside this one. */
const DEADLINE_MS = 15_000

t.test('teaching, updating and inspecting at once: every verdict comes within its deadline', async (t) => {
  const stateDirectory = t.testdir()
  const config = stationConfig({
    stateDirectory,
    bundle: TINY_BUNDLE,
    sensors: {
      rgb: { kind: 'synthetic', name: 'camera', deadlineMs: 8000 },
      xyz: { kind: 'synthetic', name: 'scanner', deadlineMs: 8000 },
    },
    deadlines: { verdictMs: DEADLINE_MS },
  })
  const taught = await teachTinyRepository(join(stateDirectory, 'making'), {
    shelf: goodShelf(config, 'tiny'),
  })
  await putIntoUse(join(stateDirectory, 'repositories'), 'tiny', taught)
  const file = join(stateDirectory, 'other.yaml')
  await writeFile(file, stringify({ ...config, product: 'other', replay: undefined }))

  const daemon = await startDaemon(config)
  const { brokerUrl, topicRoot } = daemon.running
  const listener = await listen(brokerUrl)
  t.teardown(() => listener.close())
  const replyTo = async (verb: string, request: Record<string, unknown>) => {
    await listener.client.publishAsync(
      `${topicRoot}/cmd/${verb}`,
      JSON.stringify({ ...request, by: 'Ada', why: 'drill' }),
    )
    await listener.until(() => listener.json(`${topicRoot}/reply/${verb}`).length > 0)
    return listener.json(`${topicRoot}/reply/${verb}`).at(-1)
  }
  const triggerIds: string[] = []
  for (let part = 0; part < 3; part++) triggerIds.push((await daemon.ask()).triggerId)
  await replyTo('accept', { triggerIds })

  let isBusy = true
  const work = Promise.all([
    replyTo('update', {}),
    radarEdge(['teach', '--config', file, '--parts', '6', '--json']),
  ]).finally(() => (isBusy = false))
  let verdicts = 0
  let worstMs = 0
  while (isBusy) {
    const { outcome, timingMs, reason } = await daemon.ask()
    verdicts += 1
    worstMs = Math.max(worstMs, timingMs['total'] ?? Infinity)
    t.not(outcome, 'unknown', String(reason))
  }
  const [updated, teaching] = await work
  t.match(updated, { status: 'ok', data: { result: 'promoted' } })
  t.equal(teaching.code, 0, teaching.stderr)
  t.match(jsonLines(teaching)[0], { product: 'other' })
  t.ok(worstMs < DEADLINE_MS, `${worstMs} ms`)
  t.comment(`${verdicts} verdicts meanwhile, the slowest after ${Math.round(worstMs)} ms`)
  await daemon.stop()
})
