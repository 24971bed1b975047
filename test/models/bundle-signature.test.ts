import t from 'tap'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openBundle, readBundleManifest } from '../../models/bundle.ts'
import { requireSignedBundle, signBundle } from '../../models/bundle-signature.ts'
import { createKeys, readSigningKey, readTrustedKeys } from '../../models/signature.ts'
import { copyTinyBundle, editManifest } from '../support/tiny-bundle.ts'

t.test('a bundle is believed with the signature beside its manifest, and with no other', async (t) => {
  const folder = copyTinyBundle(t.testdir())
  const name = 'lab'
  const files = await createKeys(path.join(folder, 'keys'), name)
  const signer = await readSigningKey({ name, ...files })
  const keys = await readTrustedKeys([{ name, ...files }])
  const { id } = await readBundleManifest(folder)
  await t.rejects(requireSignedBundle(folder, id, keys), {
    code: 'UNSIGNED',
    message: /signature\.json cannot be read/,
  })

  await signBundle({ id, folder }, signer)
  t.equal(await requireSignedBundle(folder, id, keys), 'lab')
  const bundle = await openBundle(folder, { threads: 1 })
  t.equal(bundle.id, id, 'a signature is no part of it')
  await bundle.release()
  await t.rejects(requireSignedBundle(folder, id, []), { code: 'KEY_MISSING' })

  editManifest(folder, (manifest) => ({ ...manifest, version: '9.9.9' }))
  const changed = await readBundleManifest(folder)
  await t.rejects(requireSignedBundle(folder, changed.id, keys), {
    code: 'SIGNATURE_WRONG',
    message: new RegExp(`has id ${changed.id}, its signature is that of ${id}`),
  })

  const file = path.join(folder, 'signature.json')
  await writeFile(file, 'x'.repeat(5000))
  await t.rejects(requireSignedBundle(folder, id, keys), { code: 'SIGNATURE_WRONG', message: /too large/ })
  await rm(file)
})
