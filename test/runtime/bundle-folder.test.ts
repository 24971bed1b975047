import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bundleFolder } from '../../runtime/bundle-folder.ts'

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
