import t from 'tap'
import fc from 'fast-check'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { packArchive, type ArchivedFile } from '../../models/archive.ts'
import { bundleManifestSchema } from '../../models/bundle-manifest.ts'
import { contentId, sha256Of, type Json } from '../../models/content-id.ts'
import { archiveName, keepRepository, packRepository, unpackRepository } from '../../models/exchange.ts'
import { ExchangeError } from '../../models/exchange-error.ts'
import { openSearch } from '../../models/nearest.ts'
import { loadRepository, saveRepository } from '../../models/repository.ts'
import { createKeys, readSigningKey, readTrustedKeys, signId } from '../../models/signature.ts'
import { powerCutAfter } from '../support/power-cut.ts'
import { tarOf } from '../support/tar-of.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
const repository = await taughtRepository(search)
await search.release()

const root = t.testdir()
const whole = path.join(root, 'whole')
await saveRepository(whole, repository)
const [signer, trusted] = await keyPair('lab')
const [stranger] = await keyPair('stranger')
const { bytes: archive } = await packRepository(whole, signer)
const manifestText = await readFile(path.join(whole, 'manifest.json'))
const tensors = await readFile(path.join(whole, 'banks.safetensors'))

const bundleFile = new URL('../fixtures/tiny-bundle/manifest.json', import.meta.url)
const bundleManifest = bundleManifestSchema.parse(JSON.parse(await readFile(bundleFile, 'utf8')))
const context = {
  product: 'widget',
  bundle: { id: 'bundle-1', manifest: bundleManifest },
  keys: [trusted],
  mostRowBytes: repository.manifest.byteBudget,
}
const inbox = path.join(root, 'inbox.radar-repository')

async function keyPair(name: string) {
  const files = await createKeys(path.join(root, 'keys'), name)
  const [publicKey] = await readTrustedKeys([{ name, ...files }])
  return [await readSigningKey({ name, ...files }), publicKey!] as const
}

/** What comes of an archive that arrives as these bytes. */
async function unpacked(bytes: Uint8Array, changes: Partial<typeof context> = {}) {
  await writeFile(inbox, bytes)
  return unpackRepository(inbox, { ...context, ...changes })
}

const signatureOf = (id: string, kind: 'repository' | 'bundle' = 'repository'): ArchivedFile => ({
  name: 'signature.json',
  bytes: signId(kind, id, signer),
})
const manifestEntry: ArchivedFile = { name: 'manifest.json', bytes: manifestText }
const tensorsEntry: ArchivedFile = { name: 'banks.safetensors', bytes: tensors }
const entries = [signatureOf(repository.id), manifestEntry, tensorsEntry]

/** An archive whose signature and id are right, whatever its manifest says. */
async function forged(edit: (manifest: Record<string, Json>) => Json, banks: Uint8Array = tensors) {
  const manifest = JSON.parse(manifestText.toString('utf8')) as Record<string, Json>
  delete manifest['id']
  const edited = edit(manifest) as Record<string, Json>
  const id = contentId(edited)
  const text = Buffer.from(JSON.stringify({ id, ...edited }))
  return packArchive([
    signatureOf(id),
    { name: 'manifest.json', bytes: text },
    { name: 'banks.safetensors', bytes: banks },
  ])
}

t.test(
  'a repository arrives as it left: the same bytes under the same id, with the name of the key',
  async (t) => {
    const { repository: arrived, keyName, files } = await unpacked(archive)
    t.same(arrived, repository)
    t.equal(keyName, 'lab')
    const folder = path.join(t.testdir(), 'product', 'id')
    await keepRepository(folder, { repository: arrived, files })
    t.same((await readdir(folder)).sort(), ['banks.safetensors', 'manifest.json'])
    for (const file of await readdir(folder)) {
      t.same(await readFile(path.join(folder, file)), await readFile(path.join(whole, file)), file)
    }
    t.equal(archiveName(repository), `widget-${repository.id.slice(0, 12)}.radar-repository`)
  },
)

t.test('packed again it is the same bytes: no time, no owner, no machine is in them', async (t) => {
  t.same((await packRepository(whole, signer)).bytes, archive)
  t.same(await packArchive(entries), archive)
})

t.test('a damaged repository is not sent', async (t) => {
  const folder = path.join(t.testdir(), 'r')
  await saveRepository(folder, repository)
  const flipped = Buffer.from(tensors)
  flipped[flipped.length - 5]! ^= 1
  await writeFile(path.join(folder, 'banks.safetensors'), flipped)
  await t.rejects(packRepository(folder, signer), { code: 'REPOSITORY_UNREADABLE' })
  await t.rejects(packRepository(path.join(folder, 'nowhere'), signer), { code: 'REPOSITORY_UNREADABLE' })
})

t.test('what is not made for this station is refused with the reason', async (t) => {
  type Changes = Parameters<typeof unpacked>[1]
  const cases: [code: string, said: RegExp, bytes: Uint8Array, changes?: Changes][] = [
    ['OTHER_PRODUCT', /of product 'widget', expected 'gadget'/, archive, { product: 'gadget' }],
    [
      'OTHER_BUNDLE',
      /of bundle 'bundle-1', expected 'bundle-2'/,
      archive,
      { bundle: { ...context.bundle, id: 'bundle-2' } },
    ],
    [
      'OTHER_ENGINE',
      /of engine 'tensorrt\/fp16', expected 'onnxruntime-cpu\/fp32'/,
      await forged((it) => ({ ...it, engine: 'tensorrt/fp16' })),
    ],
    [
      'OTHER_PLANE',
      /of plane 'bench-3', expected 'per-frame'/,
      await forged((it) => ({ ...it, plane: 'bench-3' })),
    ],
    [
      'OTHER_UNITS',
      /in "millimetres", expected "metres"/,
      await forged((it) => ({ ...it, units: 'millimetres' })),
    ],
    [
      'OTHER_NORMALISATION',
      /of normalisation 'running', expected 'none'/,
      await forged((it) => ({ ...it, bundle: { ...(it['bundle'] as object), normalisation: 'running' } })),
    ],
    [
      'OTHER_NORMALISATION',
      /of masking 'foreground', expected 'none'/,
      await forged((it) => ({ ...it, bundle: { ...(it['bundle'] as object), masking: 'foreground' } })),
    ],
    [
      'OTHER_SCHEMA',
      /'radar-edge\/repository@2', expected radar-edge\/repository@3/,
      await forged((it) => ({ ...it, schema: 'radar-edge/repository@2' })),
    ],
    ['ARCHIVE_OVERSIZED', /bankMebibytes allows 1000/, archive, { mostRowBytes: 1000 }],
    ['KEY_MISSING', /trusts no key/, archive, { keys: [] }],
  ]
  for (const [code, message, bytes, changes] of cases) {
    await t.rejects(unpacked(bytes, changes), { name: 'ExchangeError', code, message }, `${code} ${message}`)
  }
})

t.test('what is unsigned, signed by a stranger or for something else is refused', async (t) => {
  const other = 'b'.repeat(64)
  const strangers = { name: 'signature.json', bytes: signId('repository', repository.id, stranger) }
  const pretender = {
    name: 'signature.json',
    bytes: signId('repository', repository.id, { ...stranger, name: 'lab' }),
  }
  const cases: [code: string, said: RegExp, files: readonly ArchivedFile[]][] = [
    ['UNSIGNED', /is not signed/, entries.slice(1)],
    ['KEY_UNKNOWN', /signed by 'stranger', this station trusts 'lab'/, [strangers, ...entries.slice(1)]],
    ['SIGNATURE_WRONG', /not that of .* by key 'lab'/, [pretender, ...entries.slice(1)]],
    [
      'SIGNATURE_WRONG',
      /not one of a repository/,
      [signatureOf(repository.id, 'bundle'), ...entries.slice(1)],
    ],
    [
      'ID_WRONG',
      new RegExp(`contents of id ${repository.id}, signed is b{64}`),
      [signatureOf(other), ...entries.slice(1)],
    ],
  ]
  for (const [code, message, files] of cases) {
    await t.rejects(unpacked(await packArchive(files)), { code, message }, code)
  }
})

t.test('contents that are not those that were signed are refused', async (t) => {
  const replaced = (from: string, to: string): ArchivedFile => ({
    name: 'manifest.json',
    bytes: Buffer.from(manifestText.toString('utf8').replace(from, to)),
  })
  const flipped = Buffer.from(tensors)
  flipped[flipped.length - 5]! ^= 1
  const deep = Buffer.from(`{"id":"${repository.id}","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)
  const [signature] = entries
  const cases: [what: string, code: string, files: readonly ArchivedFile[]][] = [
    [
      'another promise',
      'ID_WRONG',
      [signature!, replaced('"falseRejectRate": 0.05', '"falseRejectRate": 0.5'), tensorsEntry],
    ],
    ['other units', 'ID_WRONG', [signature!, replaced('"metres"', '"millimetres"'), tensorsEntry]],
    ['another id', 'ID_WRONG', [signature!, replaced(repository.id, 'b'.repeat(64)), tensorsEntry]],
    [
      'no JSON',
      'ID_WRONG',
      [signature!, { name: 'manifest.json', bytes: Buffer.from('hello') }, tensorsEntry],
    ],
    ['nested without end', 'ID_WRONG', [signature!, { name: 'manifest.json', bytes: deep }, tensorsEntry]],
    [
      'a flipped bit in a bank',
      'HASH_WRONG',
      [signature!, manifestEntry, { name: 'banks.safetensors', bytes: flipped }],
    ],
  ]
  for (const [what, code, files] of cases) await t.rejects(unpacked(await packArchive(files)), { code }, what)
})

t.test('signed and whole, and yet no repository: refused all the same', async (t) => {
  const shorter = Buffer.from('no tensors at all')
  const named = (sha256: string) => (it: Record<string, Json>) => ({
    ...it,
    tensors: { name: 'banks.safetensors', sha256 },
  })
  const cases: [what: string, bytes: Uint8Array][] = [
    ['a key that is none', await forged((it) => ({ ...it, extra: 1 }))],
    ['no heads', await forged((it) => ({ ...it, heads: {} }))],
    [
      'a bank’s rows',
      await forged((it) => ({
        ...it,
        banks: { ...(it['banks'] as object), rgb: { rows: 1, width: 1, candidates: 1, coveringRadius: 0 } },
      })),
    ],
    ['banks that are none', await forged(named(sha256Of(shorter)), shorter)],
  ]
  for (const [what, bytes] of cases) await t.rejects(unpacked(bytes), { code: 'CONTENTS_WRONG' }, what)
})

t.test('an archive larger than it may be is refused before it is read', async (t) => {
  const huge = await tarOf(entries[0]!, { name: 'manifest.json', bytes: Buffer.alloc(5 << 20, ' ') })
  await t.rejects(unpacked(huge), {
    code: 'ARCHIVE_OVERSIZED',
    message: /inbox.* has \d+ bytes, expected at most/,
  })
  await t.rejects(unpacked(huge, { mostRowBytes: 10 << 20 }), {
    code: 'ARCHIVE_OVERSIZED',
    message: /'manifest\.json' has 5242880 bytes, expected at most 4194304/,
  })
  const padded = Buffer.concat([tensors, Buffer.alloc(100_000)])
  const bloated = await packArchive([...entries.slice(0, 2), { name: 'banks.safetensors', bytes: padded }])
  await t.rejects(unpacked(bloated), { code: 'ARCHIVE_OVERSIZED', message: /'banks\.safetensors' has/ })
  const signature = await tarOf({ name: 'signature.json', bytes: Buffer.alloc(5000) })
  await t.rejects(unpacked(signature), { code: 'ARCHIVE_OVERSIZED', message: /'signature\.json' has 5000/ })
  // A header that claims what is not there.
  const claims = Buffer.from(archive)
  const start = claims.indexOf('manifest.json')
  claims.write('00020000000', start + 124)
  claims.write('        ', start + 148)
  const sum = claims.subarray(start, start + 512).reduce((total, byte) => total + byte, 0)
  claims.write(`${sum.toString(8).padStart(6, '0')} `, start + 148)
  await t.rejects(unpacked(claims), { code: 'ARCHIVE_TRUNCATED', message: /should have 4194304 bytes/ })
})

t.test('an archive that is none of ours is refused, whatever else it holds', async (t) => {
  const [signature, manifest, banks] = entries
  const bytes = Buffer.from('x')
  const cases: [what: string, code: string, archive: Uint8Array][] = [
    ['path traversal', 'ARCHIVE_ENTRY', await tarOf({ name: '../../etc/cron.d/x', bytes }, ...entries)],
    [
      'a link',
      'ARCHIVE_ENTRY',
      await tarOf(signature!, { name: 'manifest.json', type: 'symlink', linkname: '/etc/passwd' }),
    ],
    ['a second manifest', 'ARCHIVE_ENTRY', await tarOf(signature!, manifest!, manifest!, banks!)],
    ['no banks', 'ARCHIVE_TRUNCATED', await packArchive(entries.slice(0, 2))],
    ['cut short', 'ARCHIVE_TRUNCATED', archive.subarray(0, archive.length >> 1)],
    ['more behind it', 'ARCHIVE_TRAILING', Buffer.concat([archive, bytes])],
  ]
  for (const [what, code, received] of cases) await t.rejects(unpacked(received), { code }, what)
  const signal = AbortSignal.abort(new Error('stopped'))
  await t.rejects(unpackRepository(inbox, { ...context, signal }), { cause: { message: 'stopped' } })
})

t.test('any flipped byte is refused or leaves the repository as it was; any cut is refused', async (t) => {
  const headers = entries.flatMap(({ name }) => {
    const start = Buffer.from(archive).indexOf(name)
    return Array.from({ length: 512 }, (_, i) => start + i)
  })
  // Most bytes are banks; headers and ends are where a reader goes wrong.
  const position = fc.oneof(fc.nat(archive.length - 1), fc.constantFrom(...headers), fc.nat(6000))
  await fc.assert(
    fc.asyncProperty(position, fc.nat(255), async (at, value) => {
      const changed = Buffer.from(archive)
      changed[at] = value
      try {
        const { repository: arrived, files } = await unpacked(changed)
        t.same(arrived, repository)
        t.equal(sha256Of(files.get('banks.safetensors')!), repository.manifest.tensors.sha256)
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error
      }
    }),
    { numRuns: 300 },
  )
  await fc.assert(
    fc.asyncProperty(fc.nat(archive.length - 1), async (length) => {
      await t.rejects(unpacked(archive.subarray(0, length)), { name: 'ExchangeError' })
    }),
    { numRuns: 50 },
  )
})

t.test('nothing of what is refused is on the disk', async (t) => {
  const before = await readdir(root, { recursive: true })
  await t.rejects(unpacked(archive.subarray(0, -1)))
  t.same(await readdir(root, { recursive: true }), before)
})

t.test(
  'killed at any step, a station holds the whole repository or none, and the next try completes',
  async (t) => {
    const arrived = await unpacked(archive)
    let calls = 0
    for (let finished = false; !finished; calls++) {
      const folder = path.join(t.testdir(), 'widget', repository.id)
      finished = await keepRepository(folder, arrived, powerCutAfter(calls).fileSystem).then(
        () => true,
        () => false,
      )
      const isThere = await stat(folder).then(
        () => true,
        () => false,
      )
      if (isThere) t.equal((await loadRepository(folder, { bundleId: 'bundle-1' })).id, repository.id)
      await keepRepository(folder, arrived)
      t.equal(
        (await loadRepository(folder, { bundleId: 'bundle-1' })).id,
        repository.id,
        `cut after ${calls}`,
      )
      t.same(await readdir(path.dirname(folder)), [repository.id])
    }
    t.ok(calls > 8)
  },
)

t.test('a damaged copy that is there already is healed; a sound one is left as it is', async (t) => {
  const arrived = await unpacked(archive)
  const folder = path.join(t.testdir({ product: {} }), 'product', 'r')
  await keepRepository(folder, arrived)
  const { ino } = await stat(folder)
  const { fileSystem, log } = powerCutAfter(Infinity)
  await keepRepository(folder, arrived, fileSystem)
  t.equal((await stat(folder)).ino, ino)
  t.same(
    log,
    ['open product', 'sync product'],
    'whoever kept it may have been killed before its name was flushed',
  )
  await writeFile(path.join(folder, 'banks.safetensors'), tensors.subarray(0, 100))
  await keepRepository(folder, arrived)
  t.equal((await loadRepository(folder, { bundleId: 'bundle-1' })).id, repository.id)
})
