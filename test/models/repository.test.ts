import t from 'tap'
import fc from 'fast-check'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openSearch } from '../../models/nearest.ts'
import { loadRepository, makeRepository, RepositoryError, saveRepository } from '../../models/repository.ts'
import { powerCutAfter } from '../support/power-cut.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const repository = await taughtRepository(search)
await search.release()
const expected = { bundleId: 'bundle-1' }

t.test('what was saved is loaded, and saved again it is the same bytes under the same id', async (t) => {
  const folder = t.testdir()
  const [first, second] = [path.join(folder, 'first'), path.join(folder, 'second')]
  await saveRepository(first, repository)
  const loaded = await loadRepository(first, expected)
  t.same(loaded, repository)
  await saveRepository(second, loaded)
  for (const file of ['manifest.json', 'banks.safetensors']) {
    t.same(await readFile(path.join(second, file)), await readFile(path.join(first, file)), file)
  }
})

t.test('the id names the contents: another seed in the manifest is another repository', async (t) => {
  const { manifest } = repository
  t.equal(makeRepository({ ...repository, manifest }).id, repository.id)
  t.not(makeRepository({ ...repository, manifest: { ...manifest, seed: 2 } }).id, repository.id)
})

t.test(
  'saving over the same repository leaves it as it is, and flushes the name it may only just have',
  async (t) => {
    const folder = path.join(t.testdir({ product: {} }), 'product', 'r')
    await saveRepository(folder, repository)
    const { fileSystem, log } = powerCutAfter(Infinity)
    await saveRepository(folder, repository, fileSystem)
    t.same(log, ['open product', 'sync product'])
    t.same((await loadRepository(folder, expected)).id, repository.id)
  },
)

t.test('saving again heals a repository that was damaged on the disk, whichever file it is', async (t) => {
  const folder = path.join(t.testdir(), repository.id)
  for (const name of ['banks.safetensors', 'manifest.json']) {
    await saveRepository(folder, repository)
    const bytes = await readFile(path.join(folder, name))
    for (const damaged of [
      bytes.subarray(0, bytes.length >> 1),
      Buffer.from(bytes).fill(0xa5, bytes.length - 40),
    ]) {
      await writeFile(path.join(folder, name), damaged)
      await t.rejects(loadRepository(folder, expected), { code: 'REPOSITORY_UNREADABLE' })
      await saveRepository(folder, repository)
      t.same(await loadRepository(folder, expected), repository, name)
    }
    await rm(path.join(folder, name))
    await saveRepository(folder, repository)
    t.same(await loadRepository(folder, expected), repository, `without ${name}`)
  }
  t.same(await readdir(path.dirname(folder)), [repository.id], 'nothing is left of the damaged one')
})

t.test('wherever the power is cut while it heals, saving once more makes it whole', async (t) => {
  const folder = path.join(t.testdir(), repository.id)
  let calls = 0
  for (let healed = false; !healed; calls++) {
    await saveRepository(folder, repository)
    await writeFile(path.join(folder, 'banks.safetensors'), 'damaged')
    healed = await saveRepository(folder, repository, powerCutAfter(calls).fileSystem).then(
      () => true,
      () => false,
    )
    await saveRepository(folder, repository)
    t.equal((await loadRepository(folder, expected)).id, repository.id, `cut after ${calls} calls`)
  }
  t.ok(calls > 10)
})

t.test('what is no such repository is not overwritten', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'ours' })
  await t.rejects(saveRepository(folder, repository), { code: /ENOTEMPTY|EEXIST/ })
  t.same(await readdir(folder), ['notes.txt'])
})

t.test('a repository of another bundle is refused with both names', async (t) => {
  const folder = path.join(t.testdir(), 'r')
  await saveRepository(folder, repository)
  await t.rejects(loadRepository(folder, { bundleId: 'bundle-2' }), {
    code: 'REPOSITORY_MISMATCH',
    message: /bundle-1.*bundle-2/,
  })
})

t.test('a repository made with another engine, plane or product is refused with both names', async (t) => {
  const folder = path.join(t.testdir(), 'r')
  await saveRepository(folder, repository)
  const others = [
    [{ engine: 'tensorrt/fp16' }, /onnxruntime-cpu\/fp32.*tensorrt\/fp16/],
    [{ plane: 'plane-7' }, /per-frame.*plane-7/],
    [{ product: 'gadget' }, /widget.*gadget/],
  ] as const
  for (const [other, message] of others) {
    const refusal = { code: 'REPOSITORY_MISMATCH', message }
    await t.rejects(loadRepository(folder, { ...expected, ...other }), refusal, String(message))
  }
  t.equal((await loadRepository(folder, { ...expected, product: 'widget' })).id, repository.id)
})

t.test('a repository of the version before is refused: it must be taught again', async (t) => {
  const folder = path.join(t.testdir(), 'r')
  await saveRepository(folder, repository)
  const file = path.join(folder, 'manifest.json')
  await writeFile(file, (await readFile(file, 'utf8')).replace('repository@3', 'repository@2'))
  await t.rejects(loadRepository(folder, expected), {
    code: 'REPOSITORY_MISMATCH',
    message: /'radar-edge\/repository@2', this version needs radar-edge\/repository@3: teach again/,
  })
})

t.test('whatever was changed on disk is refused', async (t) => {
  const whole = path.join(t.testdir(), 'whole')
  await saveRepository(whole, repository)
  const manifest = await readFile(path.join(whole, 'manifest.json'), 'utf8')
  const bytes = await readFile(path.join(whole, 'banks.safetensors'))
  const flipped = Buffer.from(bytes)
  flipped[flipped.length - 5]! ^= 1
  const damages: [string, string, string | Buffer][] = [
    ['a flipped bit in a bank', 'banks.safetensors', flipped],
    ['a bank cut short', 'banks.safetensors', bytes.subarray(0, 1000)],
    [
      'another promise',
      'manifest.json',
      manifest.replace('"falseRejectRate": 0.05', '"falseRejectRate": 0.06'),
    ],
    ['other units', 'manifest.json', manifest.replace('"metres"', '"millimetres"')],
    ['another grid', 'manifest.json', manifest.replace('"columns": 28', '"columns": 56')],
    ['an unknown key', 'manifest.json', manifest.replace('{', '{ "extra": 1,')],
    ['no schema', 'manifest.json', manifest.replace('radar-edge/repository@3', 'something else')],
    ['no JSON', 'manifest.json', manifest.slice(0, 100)],
  ]
  for (const [what, file, contents] of damages) {
    const folder = path.join(t.testdirName, 'damaged')
    await cp(whole, folder, { recursive: true })
    await writeFile(path.join(folder, file), contents)
    await t.rejects(loadRepository(folder, expected), { code: 'REPOSITORY_UNREADABLE' }, what)
    await rm(folder, { recursive: true })
  }
  await rm(path.join(whole, 'banks.safetensors'))
  await t.rejects(loadRepository(whole, expected), { code: 'REPOSITORY_UNREADABLE' }, 'no banks')
  await t.rejects(loadRepository(path.join(whole, 'nowhere'), expected), { code: 'REPOSITORY_UNREADABLE' })
})

t.test(
  'a manifest that disagrees with its own banks is refused, even if it names itself rightly',
  async (t) => {
    const { manifest } = repository
    const { rgb } = manifest.banks
    const wrongRows = { ...manifest, banks: { ...manifest.banks, rgb: { ...rgb, rows: rgb.rows + 1 } } }
    const short = { ...repository, foregroundPrior: new Uint8Array(784).fill(1) }
    const folder = t.testdir()
    await saveRepository(path.join(folder, 'rows'), makeRepository({ ...short, manifest: wrongRows }))
    await t.rejects(loadRepository(path.join(folder, 'rows'), expected), {
      code: 'REPOSITORY_UNREADABLE',
      cause: { message: /bank 'rgb' is not F32/ },
    })

    const stray = { ...repository.rowParts, rgb: repository.rowParts.rgb.with(3, manifest.taught.length) }
    await saveRepository(path.join(folder, 'stray'), makeRepository({ ...repository, rowParts: stray }))
    await t.rejects(loadRepository(path.join(folder, 'stray'), expected), {
      cause: { message: /'rgb_parts' names part 6 of 6/ },
    })

    const head = manifest.heads['rgb-only']
    const narrow = { ...head, map: { ...head.map, weights: head.map.weights.slice(1) } }
    const bent = { ...manifest, heads: { ...manifest.heads, 'rgb-only': narrow } }
    await saveRepository(path.join(folder, 'bent'), makeRepository({ ...repository, manifest: bent }))
    await t.rejects(loadRepository(path.join(folder, 'bent'), expected), {
      code: 'REPOSITORY_UNREADABLE',
      message: /the rgb-only head is not one of banks rgb, fused/,
    })
  },
)

t.test('flipped bytes of the manifest end in the same repository or in a RepositoryError', async (t) => {
  const folder = path.join(t.testdir(), 'r')
  await saveRepository(folder, repository)
  const file = path.join(folder, 'manifest.json')
  const manifest = await readFile(file)
  await fc.assert(
    fc.asyncProperty(fc.nat(manifest.length - 1), fc.nat(255), async (position, value) => {
      const changed = Buffer.from(manifest)
      changed[position] = value
      await writeFile(file, changed)
      try {
        t.equal((await loadRepository(folder, expected)).id, repository.id)
      } catch (error) {
        if (!(error instanceof RepositoryError)) throw error
      }
    }),
    { numRuns: 100 },
  )
  t.pass()
})
