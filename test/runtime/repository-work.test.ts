import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ENGINE } from '../../models/engine.ts'
import { openSearch } from '../../models/nearest.ts'
import { loadRepository, makeRepository, saveRepository, type Repository } from '../../models/repository.ts'
import type { TaughtPart } from '../../models/teach.ts'
import { configSchema } from '../../runtime/config-schema.ts'
import {
  promoteRepository,
  rebuildRepository,
  updateRepository,
  type UpdateWork,
} from '../../runtime/repository-work.ts'
import { goodShelf } from '../../runtime/shelves.ts'
import { openWorkshop, type Workshop } from '../../runtime/workshop.ts'
import { freshFeatures } from '../../runtime/workshop-parts.ts'
import { confirmedOf, madeUpWorkshop, PRODUCT, storedOf } from '../support/made-up-workshop.ts'
import { partFeatures } from '../support/part-features.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { rgbFrame, xyzFrame } from '../support/samples.ts'
import { without } from '../support/stored-parts.ts'
import { goodParts } from '../support/taught-repository.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'
import { teachTinyRepository } from '../support/tiny-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const never = new AbortController().signal
const reasons = { who: 'ada', why: 'another lamp', signal: never }

const work = (changes: Partial<UpdateWork> = {}): UpdateWork => ({
  ...reasons,
  confirmed: [],
  seed: 1,
  ...changes,
})

/** Good parts under another lamp. */
function drifted(count: number, firstSeed: number): TaughtPart[] {
  return goodParts(count, firstSeed).map(({ partId, features }) => ({
    partId,
    features: {
      ...features,
      rgb: { ...features.rgb!, values: features.rgb!.values.map((value) => value + 1) },
    },
  }))
}

const bad = (seed: number): TaughtPart => ({
  partId: `bad-${seed}`,
  features: partFeatures({ seed, rgbDefect: 9, xyzDefect: 9 }),
})

const actions = ({ ledger }: Pick<Workshop, 'ledger'>) =>
  ledger
    .history({ limit: 50 })
    .map(({ action }) => action)
    .reverse()
const isThere = ({ folderOf }: Workshop, id: string | undefined) =>
  id !== undefined && existsSync(join(folderOf(id), 'manifest.json'))

/** The same repository under another name. */
const renamed = ({ manifest, ...contents }: Repository): Repository =>
  makeRepository({ ...contents, manifest: { ...manifest, warnings: [], parent: 'f'.repeat(64) } })

t.test(
  'what was confirmed is learned, let through and put into use; its parts become good ones',
  async (t) => {
    const shop = await madeUpWorkshop(t, search)
    const confirmed = confirmedOf(drifted(4, 300))
    const report = await updateRepository(shop, work({ confirmed }))
    t.match(report, {
      result: 'promoted',
      previousId: shop.taught.id,
      admitted: confirmed.map(({ stored }) => stored.partId),
      refused: [],
      gate: { passed: true, unguarded: true },
      remarks: [],
    })
    t.equal(shop.ledger.active(PRODUCT), report.repositoryId)
    t.match(await shop.active(), {
      id: report.repositoryId,
      manifest: { parent: shop.taught.id, made: 'updated' },
    })
    t.same(actions(shop), ['promote', 'candidate', 'promote'])
    const [entry] = shop.ledger.history({ limit: 1 })
    t.match(entry, {
      ...{ who: 'ada', why: 'another lamp', previousId: shop.taught.id },
      figures: {
        admitted: report.admitted,
        gate: { passed: true },
        predictedFalseRejects: { before: {}, after: {} },
      },
    })
    for (const id of report.admitted) t.match(await shop.good.load(id, 'features'), { label: 'good' })
  },
)

t.test('a candidate that is to be kept waits; promoted by its id it passes the gate again', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const confirmed = confirmedOf(drifted(3, 300))
  const report = await updateRepository(shop, work({ confirmed, keepCandidate: true }))
  t.equal(report.result, 'candidate')
  t.equal(shop.ledger.active(PRODUCT), shop.taught.id)
  t.ok(isThere(shop, report.repositoryId))
  const id = report.repositoryId!
  const promoted = await promoteRepository(shop, { ...reasons, id })
  t.match(promoted, {
    result: 'promoted',
    repositoryId: id,
    previousId: shop.taught.id,
    gate: { passed: true },
  })
  t.equal(shop.ledger.active(PRODUCT), id)
  t.match(await promoteRepository(shop, { ...reasons, id }), {
    result: 'unchanged',
    remarks: [/in use already/],
  })
  t.same(actions(shop), ['promote', 'candidate', 'candidate', 'promote'])
})

t.test('one part that looks like a known defect is refused, the others are learned', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  await shop.golden.add(storedOf({ ...bad(500), partId: 'golden-bad' }, { label: 'bad' }))
  const confirmed = confirmedOf([...drifted(3, 300), { ...bad(500), partId: 'called-good' }])
  const report = await updateRepository(shop, work({ confirmed }))
  t.match(report, { result: 'promoted', refused: [{ partId: 'called-good', reason: 'resembles-defect' }] })
})

t.test('what the gate refuses leaves an entry and no folder, and the parts stay unlearned', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  await shop.golden.add(
    // A good part that somebody has called bad: no repository finds it.
    storedOf({ ...goodParts(1, 901)[0]!, partId: 'not-bad' }, { label: 'bad', defect: 'none' }),
  )
  const refused = await updateRepository(shop, work({ confirmed: confirmedOf(drifted(3, 300)) }))
  t.match(refused, { result: 'refused', gate: { passed: false } })
  t.notOk(isThere(shop, refused.repositoryId))
  t.notOk(existsSync(`${shop.folderOf(refused.repositoryId!)}.partial`))
  t.equal(shop.ledger.active(PRODUCT), shop.taught.id)
  t.same(actions(shop), ['promote', 'refused'])
  const [entry] = shop.ledger.history({ limit: 1 })
  t.match(entry, { repositoryId: refused.repositoryId, figures: { gate: { passed: false } } })
  t.notOk(await shop.good.has(refused.admitted[0]!))
})

t.test(
  'many parts that look like a known defect stop the update: an alarm, and nothing is made',
  async (t) => {
    const shop = await madeUpWorkshop(t, search)
    for (const seed of [500, 501, 502]) {
      await shop.golden.add(storedOf(bad(seed), { label: 'bad', defect: 'dent' }))
    }
    const confirmed = confirmedOf([...drifted(3, 300), bad(600), bad(601)])
    const report = await updateRepository(shop, work({ confirmed }))
    t.match(report, { result: 'suspicious', admitted: [] })
    t.notOk('repositoryId' in report)
    t.same(actions(shop), ['promote', 'alarm'])
    const why = '2 of 5 parts confirmed as good resemble known defects (another lamp)'
    const figures = { refused: [{ partId: 'bad-600' }, { partId: 'bad-601' }] }
    t.match(shop.ledger.history({ limit: 1 }), [{ action: 'alarm', who: 'ada', why, figures }])
    t.notOk(await shop.good.has('part-300'))
  },
)

t.test('where nothing can be learned nothing is changed, and nothing is entered', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const known = await updateRepository(shop, work({ confirmed: confirmedOf(goodParts(1, 1)) }))
  t.match(known, { result: 'unchanged', refused: [{ reason: 'duplicate' }] })
  const blank = confirmedOf(drifted(1, 300)).map(({ stored, ...rest }) => ({
    ...rest,
    stored: without(stored, 'features'),
  }))
  const unusable = await updateRepository(shop, work({ confirmed: blank }))
  t.match(unusable, { result: 'unchanged', remarks: [/'part-300' has neither features .* nor frames/] })
  t.same(actions(shop), ['promote'])
})

t.test('somebody promotes another one meanwhile: the candidate is kept, and the error tells', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const other = renamed(shop.taught)
  await shop.save(other)
  let meanwhile = (): void => {
    meanwhile = () => undefined
    const promotion = { product: PRODUCT, repositoryId: other.id, expectedActive: shop.taught.id }
    shop.ledger.promote({ ...promotion, who: 'eve', why: 'quicker' })
  }
  const update = updateRepository(
    shop,
    work({ confirmed: confirmedOf(drifted(3, 300)), onProgress: () => meanwhile() }),
  )
  await t.rejects(update, { code: 'LEDGER_CONFLICT', message: new RegExp(other.id) })
  t.equal(shop.ledger.active(PRODUCT), other.id)
  t.same(actions(shop), ['promote', 'promote', 'candidate'])
  const [candidate] = shop.ledger.candidates(PRODUCT)
  t.ok(isThere(shop, candidate))
  t.match(await promoteRepository(shop, { ...reasons, id: candidate! }), { result: 'promoted' })
})

t.test('an imported repository goes through the gate beside the one in use', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const imported = renamed(shop.taught)
  await shop.save(imported)
  shop.ledger.record({
    product: PRODUCT,
    action: 'import',
    repositoryId: imported.id,
    who: 'eve',
    why: 'line 2',
  })
  const report = await promoteRepository(shop, { ...reasons, id: imported.id })
  t.match(report, { result: 'promoted', previousId: shop.taught.id, remarks: [] })
  await t.rejects(promoteRepository(shop, { ...reasons, id: 'e'.repeat(64) }), {
    code: 'REPOSITORY_UNREADABLE',
  })

  // The one in use is damaged: a good one must still be able to take its place.
  await rm(join(shop.folderOf(imported.id), 'banks.safetensors'))
  const back = await promoteRepository(shop, { ...reasons, id: shop.taught.id })
  t.match(back, { result: 'promoted', remarks: [/the repository in use is not compared with/] })
})

t.test('a product that was never taught has nothing to update or rebuild', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const untaught = { ...shop, product: 'bolt', active: async () => undefined }
  await t.rejects(updateRepository(untaught, work()), { code: 'NOT_TAUGHT', message: /bolt/ })
  await t.rejects(rebuildRepository(untaught, { ...reasons, seed: 1 }), { code: 'NOT_TAUGHT' })
})

t.test('thousands of refused parts with long names fit the ledger', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const many = Array.from({ length: 2000 }, (_, i) => ({
    ...goodParts(1, 1)[0]!,
    partId: `${'x'.repeat(60)}-${i}`,
  }))
  const confirmed = confirmedOf([...drifted(3, 300), ...many])
  const report = await updateRepository(shop, work({ confirmed }))
  t.equal(report.result, 'promoted')
  t.equal(report.refused.length, 2000)
})

t.test('an abort ends the work with its reason, and nothing was entered', async (t) => {
  const shop = await madeUpWorkshop(t, search)
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(updateRepository(shop, work({ confirmed: confirmedOf(drifted(1, 300)), signal })), {
    message: 'enough',
  })
  t.same(actions(shop), ['promote'])
})

/** A station with the tiny bundle whose repository was made with another engine; golden parts as that engine saw them. */
/** How its frames may look: has nothing to do with the engine. */
const LOOKS = {
  xyz: { frames: 9, returnsShare: { least: 0.4, most: 0.6 }, distanceMetres: { least: 1, most: 2 } },
}

async function otherEngine(t: Test, { shift, golden }: { readonly shift: number; readonly golden: number }) {
  const stateDirectory = t.testdir()
  const config = configSchema.parse({
    station: { site: 'plant', name: 'cell' },
    product: 'tiny',
    bundle: TINY_BUNDLE,
    sensors: { rgb: { kind: 'synthetic', name: 'camera' } },
    recipes: { tiny: { falseRejectRate: 0.05, bankMebibytes: 0.5 } },
    inference: { threads: 1 },
    stateDirectory,
  })
  const engine = 'another/fp16'
  const taught = await teachTinyRepository(join(stateDirectory, 'taught'), {
    shelf: goodShelf(config, 'tiny'),
  })
  const old = makeRepository({ ...taught, manifest: { ...taught.manifest, engine, looks: LOOKS } })
  await putIntoUse(join(stateDirectory, 'repositories'), 'tiny', old)
  const shop = await openWorkshop(config)
  t.teardown(() => shop.close())
  for (let seed = 700; seed < 700 + golden; seed++) {
    const size = { width: 100, height: 100, seed }
    const part = {
      partId: `golden-${seed}`,
      product: 'tiny',
      capturedAt: '2026-02-01T00:00:00.000Z',
      label: 'good' as const,
      condition: 'complete' as const,
      absent: {},
      flags: [],
      frames: { rgb: rgbFrame(size), xyz: xyzFrame(size) },
    }
    const features = (await freshFeatures(part, shop.bundle))!
    const rgb = { ...features.rgb!, values: features.rgb!.values.map((value) => value + shift) }
    await shop.golden.add({ ...part, features: { ...features, rgb, bundleId: shop.bundle.id, engine } })
  }
  return { shop, old, taught }
}

const rebuild = { ...reasons, seed: 1 }

t.test(
  'where golden features have not moved a rebuilt repository is the same under another name',
  async (t) => {
    const { shop, old } = await otherEngine(t, { shift: 0, golden: 1 })
    await t.rejects(shop.active(), { code: 'REPOSITORY_MISMATCH' })
    const report = await rebuildRepository(shop, rebuild)
    t.match(report, { result: 'promoted', previousId: old.id, remarks: [/have moved by 0\.0 %/] })
    const active = await shop.active()
    t.match(active!.manifest, { engine: ENGINE, made: 'rebuilt', parent: old.id, looks: LOOKS })
    t.same(active!.banks, old.banks)
    t.match(
      await rebuildRepository(shop, rebuild),
      { result: 'unchanged' },
      'there is nothing more to rebuild',
    )
  },
)

t.test('where they have moved, or nobody can tell, it is taught again from the kept parts', async (t) => {
  for (const about of [
    { shift: 5, golden: 1 },
    { shift: 0, golden: 0 },
  ]) {
    const { shop, old, taught } = await otherEngine(t, about)
    const report = await rebuildRepository(shop, rebuild)
    t.match(report, { result: 'promoted' }, JSON.stringify(report.gate?.checks))
    t.match(report.remarks, [about.golden > 0 ? /have moved by \d/ : /no golden part has features of both/])
    const { manifest } = (await shop.active())!
    t.match(manifest, { engine: ENGINE, made: 'rebuilt', parent: old.id, looks: LOOKS })
    t.same(
      manifest.taught.map(({ id }) => id),
      taught.manifest.taught.map(({ id }) => id),
    )
    t.equal(manifest.heldOut.length, taught.manifest.heldOut.length)
    // The former one is still there to go back to, should this be a mistake.
    t.ok(await loadRepository(shop.folderOf(old.id), { ...shop.context, engine: old.manifest.engine }))
  }
})

t.test('without kept parts it cannot be taught again, and the one in use stays', async (t) => {
  const { shop, old } = await otherEngine(t, { shift: 5, golden: 1 })
  for (const { partId } of (await shop.good.list()).parts) await shop.good.remove(partId)
  await t.rejects(rebuildRepository(shop, rebuild), { code: 'REPOSITORY_REFUSED' })
  t.equal(shop.ledger.active('tiny'), old.id)
  await saveRepository(shop.folderOf(old.id), old)
})
