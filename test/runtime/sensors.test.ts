import t from 'tap'
import { CATEGORY_NAMES } from '../../drivers/synthetic/catalogue.ts'
import { writeDataset } from '../../drivers/synthetic/dataset.ts'
import type { Trigger } from '../../drivers/driver.ts'
import { configSchema, type Config } from '../../runtime/config-schema.ts'
import { ConfigError } from '../../runtime/config-error.ts'
import { categoryOf, openSensors } from '../../runtime/sensors.ts'

const never = new AbortController().signal

const patient = { deadlineMs: 20_000, openDeadlineMs: 60_000 }

function makeConfig(changes: Record<string, unknown>): Config {
  return configSchema.parse({
    station: { site: 'plant', name: 'cell' },
    product: 'cookie',
    sensors: {
      rgb: { kind: 'synthetic', name: 'camera', ...patient },
      xyz: { kind: 'synthetic', name: 'scanner', ...patient },
    },
    synthetic: { category: 'cookie', width: 48, height: 40, seed: 3, defectRate: 1 },
    deadlines: { verdictMs: 30_000 },
    skewToleranceMs: 20_000,
    ...changes,
  })
}

const makeTrigger = (id: string, partId?: string): Trigger => ({
  id,
  atMs: performance.now(),
  source: 'bench',
  ...(partId !== undefined && { partId }),
})

t.test(
  'a synthetic station shows both sensors the same part, under their names, and tells the truth',
  async (t) => {
    const { rig, truthOf } = await openSensors(makeConfig({}), {}, never)
    t.teardown(() => rig.close())
    const trigger = makeTrigger('run-1')
    const sample = await rig.capture(trigger, never)
    t.equal(sample.condition, 'complete')
    t.match(sample.frames, {
      rgb: { sensor: 'camera', width: 48, height: 40 },
      xyz: { sensor: 'scanner', width: 48, height: 40 },
    })
    t.not((await truthOf!(trigger)).label, 'good', 'every part has a defect here')
  },
)

t.test('teaching sees good parts only, whatever the config says', async (t) => {
  const { rig, truthOf } = await openSensors(makeConfig({}), { goodPartsOnly: true }, never)
  t.teardown(() => rig.close())
  for (const id of ['run-1', 'run-2', 'run-3']) t.equal((await truthOf!(makeTrigger(id))).label, 'good')
})

t.test('a station with one sensor has that one, and says that there is no other', async (t) => {
  const config = makeConfig({ sensors: { xyz: { kind: 'synthetic', name: 'scanner', ...patient } } })
  const { rig } = await openSensors(config, {}, never)
  t.teardown(() => rig.close())
  t.same(
    rig.health().map(({ sensor }) => sensor),
    ['scanner'],
  )
  const sample = await rig.capture(makeTrigger('run-1'), never)
  t.equal(sample.condition, 'xyz-only')
  t.match(sample.absent, { rgb: { reason: 'lost', detail: /configured/ } })
})

t.test('a scripted fault hits the trigger that it names, and health tells of it', async (t) => {
  const told: string[] = []
  const sensors = {
    rgb: { kind: 'synthetic', name: 'camera', ...patient },
    xyz: { kind: 'synthetic', name: 'scanner', ...patient, faults: [{ from: 2, to: 2, kind: 'bad' }] },
  }
  const { rig } = await openSensors(
    makeConfig({ sensors }),
    { onHealth: ({ sensor, state }) => told.push(`${sensor} ${state}`) },
    never,
  )
  t.teardown(() => rig.close())
  const seen: unknown[] = []
  for (const id of ['run-1', 'run-2', 'run-3']) {
    const { condition, absent } = await rig.capture(makeTrigger(id), never)
    seen.push([condition, absent.xyz?.reason])
  }
  t.same(seen, [
    ['complete', undefined],
    ['rgb-only', 'bad-frame'],
    ['complete', undefined],
  ])
  t.ok(told.includes('scanner degraded'), told.join(', '))
})

t.test('a replay station shows recorded parts with what their folders say', async (t) => {
  const root = t.testdir()
  const counts = { train: 1, validation: 0, testGood: 1, testPerDefect: 1 }
  await writeDataset({ root, categories: ['cookie'], size: 32, ...counts, seed: 1, signal: never })
  const sensors = {
    rgb: { kind: 'replay', name: 'camera', ...patient },
    xyz: { kind: 'replay', name: 'scanner', ...patient },
  }
  const { rig, truthOf } = await openSensors(
    makeConfig({ sensors, replay: { root, split: 'test' } }),
    {},
    never,
  )
  t.teardown(() => rig.close())
  const labels = new Set<string>()
  for (const id of ['run-1', 'run-2', 'run-3']) {
    const trigger = makeTrigger(id)
    const sample = await rig.capture(trigger, never)
    t.equal(sample.condition, 'complete', JSON.stringify(sample.absent))
    labels.add((await truthOf!(trigger)).label)
  }
  t.equal(labels.size, 3, [...labels].join(', '))
})

t.test('teaching from a replay station sees neither bad parts nor those of the test split', async (t) => {
  const root = t.testdir()
  const counts = { train: 1, validation: 1, testGood: 1, testPerDefect: 1 }
  await writeDataset({ root, categories: ['cookie'], size: 32, ...counts, seed: 1, signal: never })
  const sensors = { rgb: { kind: 'replay', name: 'camera', ...patient } }
  const config = makeConfig({ sensors, replay: { root, loop: true } })
  const { rig, truthOf } = await openSensors(config, { goodPartsOnly: true }, never)
  t.teardown(() => rig.close())
  const shown = new Set<string>()
  for (const id of ['1', '2', '3', '4']) shown.add((await truthOf!(makeTrigger(id))).partId)
  t.same([...shown].map((partId) => partId.replace(/[^/]*$/, '')).sort(), [
    'cookie/train/good/',
    'cookie/validation/good/',
  ])
})

t.test('opening is called off by its signal, and leaves nothing open', async (t) => {
  const reason = new Error('enough')
  await t.rejects(openSensors(makeConfig({}), {}, AbortSignal.abort(reason)), reason)
})

t.test('a product that the synthetic station does not know is answered with those it knows', async (t) => {
  for (const name of CATEGORY_NAMES) t.equal(categoryOf(name), name)
  try {
    categoryOf('teapot')
    t.fail('a teapot was taken')
  } catch (error) {
    t.ok(error instanceof ConfigError)
    t.match(error, { code: 'CONFIG_INVALID', message: /teapot.*hex-nut, gear/ })
  }
})
