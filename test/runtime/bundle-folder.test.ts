import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readBundleManifest } from '../../models/bundle.ts'
import { signBundle } from '../../models/bundle-signature.ts'
import { createKeys, readSigningKey } from '../../models/signature.ts'
import { bundleFolder, trustedBundleFolder } from '../../runtime/bundle-folder.ts'
import { copyTinyBundle } from '../support/tiny-bundle.ts'

t.test('a name is a shipped bundle, anything with a slash is a path', async (t) => {
  const shipped = bundleFolder('radar-lite')
  t.ok(existsSync(join(shipped, 'manifest.json')), shipped)
  for (const path of ['/opt/bundles/mine', './mine', 'bundles/mine']) t.equal(bundleFolder(path), path)
})

t.test(
  'a bundle that is not shipped has a folder all the same: who opens it says what is missing',
  async (t) => {
    t.match(bundleFolder('no-such'), /models\/bundles\/no-such$/)
  },
)

t.test(
  'a bundle from elsewhere must be signed by a trusted key, where any is; the shipped one need not',
  async (t) => {
    const folder = copyTinyBundle(t.testdir())
    const { privateKeyFile, publicKeyFile } = await createKeys(join(folder, 'keys'), 'lab')
    const trust = { keys: [{ name: 'lab', publicKeyFile }] }
    t.equal(await trustedBundleFolder({ bundle: 'radar-lite', trust }), bundleFolder('radar-lite'))
    t.equal(await trustedBundleFolder({ bundle: folder, trust: { keys: [] } }), folder)
    await t.rejects(trustedBundleFolder({ bundle: folder, trust }), { code: 'UNSIGNED' })

    const { id } = await readBundleManifest(folder)
    await signBundle({ id, folder }, await readSigningKey({ name: 'lab', privateKeyFile }))
    t.equal(await trustedBundleFolder({ bundle: folder, trust }), folder)
    const others = { keys: [{ name: 'plant', publicKeyFile }] }
    await t.rejects(trustedBundleFolder({ bundle: folder, trust: others }), { code: 'KEY_UNKNOWN' })
  },
)
