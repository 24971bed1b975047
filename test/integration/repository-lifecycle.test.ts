import { join } from 'node:path'
import t from 'tap'
import { goldenShelf, goodShelf } from '../../runtime/shelves.ts'
import { listen } from '../support/listener.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { startDaemon, stationConfig } from '../support/running-daemon.ts'
import { rgbFrame, xyzFrame } from '../support/samples.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

t.test(
  'false rejects that a person accepts are learned from while the line runs, and it can be taken back',
  async (t) => {
    const stateDirectory = t.testdir()
    const config = stationConfig({ stateDirectory, bundle: TINY_BUNDLE })
    const root = join(stateDirectory, 'repositories')
    const taught = await teachTinyRepository(join(stateDirectory, 'making'), {
      shelf: goodShelf(config, 'tiny'),
    })
    await putIntoUse(root, 'tiny', taught)
    const golden = goldenShelf(config, 'tiny')
    for (const [partId, seed] of [
      ['golden-1', 701],
      ['golden-2', 702],
    ] as const) {
      const size = { width: 100, height: 100, seed }
      await golden.add({
        partId,
        product: 'tiny',
        capturedAt: '2026-01-02T00:00:00.000Z',
        label: 'good',
        condition: 'complete',
        absent: {},
        flags: [],
        frames: { rgb: rgbFrame(size), xyz: xyzFrame(size) },
      })
    }

    const daemon = await startDaemon(config)
    const { brokerUrl, topicRoot } = daemon.running
    const listener = await listen(brokerUrl)
    t.teardown(() => listener.close())
    const command = async (verb: string, request: Record<string, unknown>) => {
      const replies = () => listener.json(`${topicRoot}/reply/${verb}`)
      const before = replies().length
      await listener.client.publishAsync(`${topicRoot}/cmd/${verb}`, JSON.stringify(request))
      await listener.until(() => replies().length > before)
      return replies().at(-1)
    }
    const by = { by: 'Ada', why: 'a harmless change of the supplier' }

    // The synthetic station shows another product than was taught: every part of it is a false reject.
    const rejects: string[] = []
    for (let part = 0; part < 4; part++) {
      const verdict = await daemon.ask()
      t.match(verdict, { outcome: 'fail', provenance: { repositoryId: taught.id } })
      rejects.push(verdict.triggerId)
    }
    t.match(await command('accept', { triggerIds: ['nobody', ...rejects], ...by }), {
      status: 'ok',
      data: { confirmed: rejects, refused: [{ triggerId: 'nobody', why: 'unknown' }] },
    })
    t.match(await command('accept', { triggerIds: rejects }), {
      status: 'error',
      error: { code: 'BAD_COMMAND', detail: /by/ },
    })

    const [updated, meanwhile] = await Promise.all([command('update', by), daemon.ask()])
    t.match(updated, { status: 'ok', data: { result: /promoted|refused/, previousId: taught.id } })
    t.match(meanwhile, { outcome: /pass|fail/ }, 'the line went on meanwhile')
    const { repositoryId, result, gate } = updated?.['data'] as {
      repositoryId: string
      result: string
      gate: { checks: unknown }
    }
    t.equal(result, 'promoted', JSON.stringify(gate.checks))
    t.match(await daemon.ask(), { provenance: { repositoryId } }, 'the next part meets it, without a restart')

    t.match(await command('self-test', {}), {
      status: 'ok',
      data: { result: 'PASS', parts: 2, inspections: 6 },
    })
    t.match(listener.json(`${topicRoot}/selftest`).at(-1), { result: 'PASS', provenance: { repositoryId } })

    t.match(await command('rollback', by), {
      status: 'ok',
      data: { repositoryId: taught.id, previousId: repositoryId },
    })
    t.match(await daemon.ask(), { provenance: { repositoryId: taught.id } })
    t.match(await command('promote', { repositoryId: repositoryId.slice(0, 10), ...by }), {
      status: 'ok',
      data: { result: 'promoted' },
    })
    t.match(await daemon.ask(), { provenance: { repositoryId } })

    const history = (await command('history', { limit: 50 })) as {
      data: { active: string; entries: { action: string; who: string; why: string }[] }
    }
    t.equal(history.data.active, repositoryId)
    const actions = history.data.entries.map(({ action }) => action).reverse()
    t.same(actions, [
      'promote',
      'accept',
      'candidate',
      'promote',
      'self-test',
      'rollback',
      'candidate',
      'promote',
    ])
    t.ok(history.data.entries.filter(({ who }) => who === 'Ada').every(({ why }) => why === by.why))
    const events = listener.json(`${topicRoot}/event`).filter(({ kind }) => kind === 'repository')
    t.ok(events.some(({ code }) => code === 'PROMOTED') && events.some(({ code }) => code === 'IN_USE'))
    await daemon.stop()
  },
)

t.test(
  'a running line is taught by its next parts, goes on with them after a restart, and needs no other',
  async (t) => {
    const stateDirectory = t.testdir()
    // The synthetic station begins with the first part after every start: another seed shows others.
    const configOf = (seed: number) =>
      stationConfig({
        stateDirectory,
        bundle: TINY_BUNDLE,
        synthetic: { category: 'hex-nut', width: 97, height: 61, defectRate: 0, seed },
      })
    const teach = async (captured: number) => {
      const daemon = await startDaemon(configOf(1 + captured))
      const { brokerUrl, topicRoot } = daemon.running
      const listener = await listen(brokerUrl)
      await listener.client.publishAsync(
        `${topicRoot}/cmd/teach`,
        JSON.stringify({ parts: 6, by: 'Ada', why: 'a new product' }),
      )
      await listener.until(() => listener.json(`${topicRoot}/reply/teach`).length > 0)
      t.match(listener.json(`${topicRoot}/reply/teach`).at(-1), {
        status: 'ok',
        data: { captured, parts: 6 },
      })
      return { daemon, listener, topicRoot }
    }
    const first = await teach(0)
    for (let part = 0; part < 3; part++) {
      t.match(
        await first.daemon.ask(),
        { outcome: 'unknown', reason: 'no-repository' },
        'nothing is decided yet',
      )
    }
    await first.daemon.stop()
    await first.listener.close()

    const { daemon, listener, topicRoot } = await teach(3)
    t.teardown(() => listener.close())
    for (let part = 0; part < 3; part++) await daemon.ask()
    const hasEvent = (wanted: string) =>
      listener.json(`${topicRoot}/event`).some(({ code }) => code === wanted)
    await listener.until(() => hasEvent('IN_USE') && hasEvent('PROMOTED'))
    t.match(await daemon.ask(), { outcome: /pass|fail/ })
    t.equal((await goodShelf(configOf(1), 'tiny').list()).parts.length, 6, 'they calibrate what comes later')
    await daemon.stop()
  },
)
