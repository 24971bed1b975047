import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { configSchema } from '../../runtime/config-schema.ts'
import { goodShelf, type ShelvesConfig } from '../../runtime/shelves.ts'
import { openTeaching, type Captured, type Teaching, type TeachingPlan } from '../../runtime/teaching.ts'
import { storedPart, without } from '../support/stored-parts.ts'

const { keep } = configSchema.parse({
  station: { site: 'plant', name: 'cell' },
  product: 'nut',
  sensors: { rgb: { kind: 'synthetic' } },
})
const PLAN: TeachingPlan = { product: 'nut', source: { kind: 'sensors', parts: 4 }, seed: 1 }
const fresh = { restart: false, again: false }

function captured(partId: string, fields: Partial<Captured> = {}): Captured {
  return { ...without(storedPart({ partId }), 'product', 'label', 'note'), heldOut: false, ...fields }
}

async function taught(config: ShelvesConfig, partIds: readonly string[], excluded: string[] = []) {
  const teaching = await openTeaching(config, PLAN, { restart: false, again: excluded.length > 0 })
  for (const partId of partIds) await teaching.keep(captured(partId))
  const kept = (await namesOf(teaching)).filter((id) => !excluded.includes(id))
  const remarks = await teaching.finish({ repositoryId: 'r1', taught: kept, heldOut: [], excluded })
  teaching.close()
  return remarks
}

const namesOf = async (teaching: Teaching): Promise<string[]> => [...(await teaching.captured())].sort()
const goodOf = async (config: ShelvesConfig): Promise<string[]> =>
  (await goodShelf(config, 'nut').list()).parts.map(({ partId }) => partId).sort()

t.test('what was captured is there when the same teaching is opened again', async (t) => {
  const config = { stateDirectory: t.testdir(), keep }
  const first = await openTeaching(config, PLAN, fresh)
  t.equal(first.firstNumber, 1)
  t.same(await namesOf(first), [])
  await first.keep(captured('teach-1'))
  await first.keep(captured('teach-2', { heldOut: true }))
  first.close()

  const second = await openTeaching(config, PLAN, fresh)
  t.teardown(() => second.close())
  t.same(await namesOf(second), ['teach-1', 'teach-2'])
  const part = await second.load('teach-2', 'all')
  t.match(part, { product: 'nut', label: 'good', note: { origin: 'taught', heldOut: true } })
  t.same(part?.frames, storedPart().frames)
  t.equal(await second.load('teach-3', 'all'), undefined)
})

t.test('another plan is refused while parts wait, unless they are dropped', async (t) => {
  const config = { stateDirectory: t.testdir(), keep }
  const first = await openTeaching(config, PLAN, fresh)
  first.close()
  const other = { ...PLAN, seed: 2 }
  const empty = await openTeaching(config, other, fresh)
  await empty.keep(captured('teach-1'))
  empty.close()
  for (const plan of [
    PLAN,
    { ...other, source: { kind: 'sensors', parts: 5 } },
    { ...other, source: { kind: 'data', folder: '/parts' } },
  ] as const) {
    await t.rejects(openTeaching(config, plan, fresh), {
      code: 'TEACHING_UNFINISHED',
      message: /'nut' was interrupted with 1 parts captured.* --parts 4 --seed 2 .*--restart/,
    })
  }
  const anew = await openTeaching(config, PLAN, { restart: true, again: false })
  t.same(await namesOf(anew), [])
  anew.close()
})

t.test(
  'a finished teaching has moved its parts to the good ones; the next one begins anew, with new names',
  async (t) => {
    const config = { stateDirectory: t.testdir(), keep }
    t.same(await taught(config, ['teach-1', 'teach-2', 'teach-3']), [])
    t.same(await goodOf(config), ['teach-1', 'teach-2', 'teach-3'])
    t.same(await readdir(join(config.stateDirectory, 'teaching', 'nut')), ['session.json'])
    const next = await openTeaching(config, { ...PLAN, seed: 9 }, fresh)
    t.teardown(() => next.close())
    t.equal(next.firstNumber, 4)
    t.same(await namesOf(next), [])
    t.equal(await next.load('teach-1', 'all'), undefined, 'a part of another teaching')
  },
)

t.test(
  'a finished teaching can be opened again without some of its parts, and they leave the good ones',
  async (t) => {
    const config = { stateDirectory: t.testdir(), keep }
    await taught(config, ['teach-1', 'teach-2', 'teach-3', 'teach-4'])
    await taught(config, [], ['teach-2'])
    t.same(await goodOf(config), ['teach-1', 'teach-3', 'teach-4'])
    const again = await openTeaching(config, PLAN, { restart: false, again: true })
    t.teardown(() => again.close())
    t.same(
      again.parts?.map(({ partId }) => partId),
      ['teach-1', 'teach-3', 'teach-4'],
    )
    t.match(await again.load('teach-3', 'features'), { partId: 'teach-3' })
    // A bundle of another version: encoded again, it is stored where it belongs.
    await again.keep(captured('teach-3', { flags: ['anew'] }))
    t.match(await goodShelf(config, 'nut').load('teach-3', 'all'), { flags: ['anew'] })
    t.same(await goodOf(config), ['teach-1', 'teach-3', 'teach-4'])
  },
)

t.test('killed while its parts move, a teaching finds those that have moved', async (t) => {
  const config = { stateDirectory: t.testdir(), keep }
  const first = await openTeaching(config, PLAN, fresh)
  for (const id of ['teach-1', 'teach-2', 'teach-3']) await first.keep(captured(id))
  const session = await readFile(join(first.folder, 'session.json'))
  await first.finish({ repositoryId: 'r1', taught: ['teach-1', 'teach-2'], heldOut: [], excluded: [] })
  await writeFile(join(first.folder, 'session.json'), session)
  await first.keep(captured('teach-3'))
  first.close()

  const second = await openTeaching(config, PLAN, fresh)
  t.teardown(() => second.close())
  t.same(await namesOf(second), ['teach-1', 'teach-2', 'teach-3'])
  t.match(await second.load('teach-1', 'features'), { partId: 'teach-1' })
  const all = ['teach-1', 'teach-2', 'teach-3']
  t.same(await second.finish({ repositoryId: 'r1', taught: all, heldOut: [], excluded: [] }), [])
  t.same(await goodOf(config), all)
})

t.test('where there is no room for all of them, the oldest go, and it is said', async (t) => {
  const config = { stateDirectory: t.testdir(), keep: { ...keep, goodParts: 2 } }
  const remarks = await taught(config, ['teach-1', 'teach-2', 'teach-3'])
  t.match(remarks, [/^1 of the taught parts were not kept/])
  t.same(await goodOf(config), ['teach-2', 'teach-3'])
})

t.test(
  'two processes do not teach a product at once, and a session that cannot be read is no silent loss',
  async (t) => {
    const config = { stateDirectory: t.testdir(), keep }
    const first = await openTeaching(config, PLAN, fresh)
    await t.rejects(openTeaching(config, PLAN, fresh), {
      code: 'TEACHING_FAILED',
      message: /another process/,
    })
    const other = await openTeaching(config, { ...PLAN, product: 'bolt' }, fresh)
    other.close()
    await first.keep(captured('teach-1'))
    first.close()
    first.close()
    await writeFile(join(first.folder, 'session.json'), '{')
    await t.rejects(openTeaching(config, PLAN, fresh), { code: 'TEACHING_UNFINISHED', message: /--restart/ })
    const anew = await openTeaching(config, PLAN, { restart: true, again: false })
    t.same(await namesOf(anew), [])
    anew.close()
  },
)
