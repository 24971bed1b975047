import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { packageFile, packageVersion } from '../../runtime/package-version.ts'

t.test('the version is the one in package.json', async (t) => {
  const file = new URL('../../package.json', import.meta.url)
  t.equal(packageVersion(), (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version)
  t.match(packageVersion(), /^\d+\.\d+\.\d+/)
})

t.test('files of the package are found from its root', async (t) => {
  t.equal(packageFile('package.json').href, new URL('../../package.json', import.meta.url).href)
  t.equal(
    packageFile('models/bundles/no-such').href,
    new URL('../../models/bundles/no-such', import.meta.url).href,
    'what is not there is looked for inside the package',
  )
  t.ok(existsSync(fileURLToPath(packageFile('models/graphs/nearest.onnx'))))
})
