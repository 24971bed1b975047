/** How frames may look comes and goes with the repository in use, and rests while the line teaches. */
import { join } from 'node:path'
import t from 'tap'
import { lookOfPicture } from '../../drivers/look.ts'
import type { RgbFrame } from '../../drivers/frame.ts'
import { makeRepository } from '../../models/repository.ts'
import { listen } from '../support/listener.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { startDaemon, stationConfig } from '../support/running-daemon.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

t.test(
  'limits of a repository hold from its promotion to its roll-back, and not while others are taught',
  async (t) => {
    const stateDirectory = t.testdir()
    const root = join(stateDirectory, 'repositories')
    const plain = await teachTinyRepository(join(stateDirectory, 'making'))
    await putIntoUse(root, 'tiny', plain)
    const pictures: RgbFrame[] = []
    const daemon = await startDaemon(stationConfig({ stateDirectory, bundle: TINY_BUNDLE }), {
      onVerdict: (_, { sample }) => void pictures.push(sample.frames.rgb!),
    })
    const { brokerUrl, topicRoot } = daemon.running
    const listener = await listen(brokerUrl)
    t.teardown(() => listener.close())
    const command = async (
      verb: string,
      request: Record<string, unknown>,
      expected: object = { status: 'ok' },
    ) => {
      const replies = () => listener.json(`${topicRoot}/reply/${verb}`)
      const before = replies().length
      await listener.client.publishAsync(`${topicRoot}/cmd/${verb}`, JSON.stringify(request))
      await listener.until(() => replies().length > before)
      t.match(replies().at(-1), expected, verb)
    }
    const by = { by: 'Ada', why: 'the lamp' }
    const isToldDark = async (): Promise<boolean> => {
      const { flags, degraded, condition, modalities } = await daemon.ask()
      t.equal(condition, 'complete', 'the frame takes part in either case')
      t.equal(degraded, flags.includes('rgb-dark'))
      t.equal(modalities.rgb?.state, degraded ? 'degraded' : 'ok')
      return degraded
    }

    t.notOk(await isToldDark(), 'this repository knows no limits')

    // As if it had been taught under twice the light.
    const { brightness } = lookOfPicture(pictures[0]!)
    const wide = { least: 0, most: 1 }
    const rgb = {
      frames: 20,
      brightness: { least: 2 * brightness, most: 255 },
      darkShare: wide,
      saturatedShare: wide,
      sharpness: { least: 0, most: 100 },
    }
    const bright = makeRepository({
      ...plain,
      manifest: { ...plain.manifest, made: 'updated', parent: plain.id, looks: { rgb } },
    })
    await putIntoUse(root, 'tiny', bright)
    await command('reload', {})
    t.ok(await isToldDark(), 'its limits hold from the next part on')

    await command('rollback', by)
    t.notOk(await isToldDark(), 'and go with it')

    await command('promote', { repositoryId: bright.id, ...by })
    t.ok(await isToldDark(), 'and come again')
    await command('teach', { parts: 20, ...by })
    t.notOk(await isToldDark(), 'while others are taught the new light is what is to be learned')
    await command('stop-teaching', by)
    t.ok(await isToldDark(), 'but only as long as that goes on')
    await command('stop-teaching', by, { status: 'error', error: { code: 'NOT_TEACHING' } })
    const events = listener.json(`${topicRoot}/event`)
    t.match(
      events.filter(({ code }) => code === 'TEACHING_STOPPED'),
      [{ kind: 'repository', detail: 'Ada stopped the teaching with 1 of 20 parts: the lamp' }],
    )
    await daemon.stop()
  },
)
