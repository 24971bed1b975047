import t from 'tap'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { tinyStation } from '../../support/kept-tiny-repositories.ts'
import { TINY_BUNDLE, copyTinyBundle } from '../../support/tiny-bundle.ts'

const folder = t.testdir({ bundle: {} })
// From elsewhere, as the station asks for as soon as it trusts any key.
const bundle = copyTinyBundle(join(folder, 'bundle'))
const keys = join(folder, 'keys')
const trust = {
  signing: { name: 'lab', privateKeyFile: 'keys/lab.private.pem' },
  keys: [{ name: 'lab', publicKeyFile: join(keys, 'lab.public.pem') }],
}
const { file, second } = await tinyStation(folder, { bundle, trust })
const short = second.id.slice(0, 12)
const archive = join(folder, `tiny-${short}.radar-repository`)

t.test('a pair of keys is made, and how to use it is said', async (t) => {
  const made = await radarEdge(['keys', 'create', '--out', keys, '--name', 'lab'])
  t.equal(made.code, 0, made.stderr)
  t.match(made.stdout, /trust: \{ keys: \[\{ name: lab, publicKeyFile: lab\.public\.pem \}\] \}/)
  t.equal((await stat(join(keys, 'lab.private.pem'))).mode & 0o777, 0o600)
  t.match(await radarEdge(['keys', 'create', '--out', keys, '--name', 'lab']), { code: 1, stderr: /EEXIST/ })
  t.match(await radarEdge(['keys', 'create', '--out', keys, '--name', '../lab']), {
    code: 1,
    stderr: /expected letters/,
  })
  const [report] = jsonLines(await radarEdge(['keys', 'create', '--out', keys, '--name', 'other', '--json']))
  t.match(report, { name: 'other', privateKeyFile: join(keys, 'other.private.pem') })
})

t.test('a bundle from elsewhere is not believed until it is signed', async (t) => {
  const verify = ['repository', 'verify', '--config', file]
  t.match(await radarEdge(verify), { code: 1, stderr: /UNSIGNED bundle .*radar-edge bundle sign/ })
  const doctor = await radarEdge(['doctor', '--config', file])
  t.match(doctor.stdout, /FAILED +bundle: .*is not signed/)
  const signed = await radarEdge(['bundle', 'sign', bundle, '--config', file])
  t.match(signed, { code: 0, stdout: /^tiny [0-9a-f]{12} in .* is signed by 'lab'\n$/ })
  t.match(await radarEdge(verify), { code: 0 })
})

t.test('a repository goes out signed, under its own name, the same bytes each time', async (t) => {
  const { code, stdout, stderr } = await radarEdge([
    'repository',
    'export',
    '--config',
    file,
    '--out',
    folder,
  ])
  t.equal(code, 0, stderr)
  t.equal(stdout, `tiny ${short} is in ${archive}, signed by 'lab'\n`)
  const again = join(folder, 'again')
  const [report] = jsonLines(
    await radarEdge(['repository', 'export', short, '--config', file, '--out', again, '--json']),
  )
  t.match(report, { product: 'tiny', repositoryId: second.id, file: again, keyName: 'lab' })
  t.same(await readFile(again), await readFile(archive))

  const unsigned = await writeConfig(t.testdir(), {
    product: 'tiny',
    bundle: TINY_BUNDLE,
    stateDirectory: join(folder, 'state'),
  })
  const refused = await radarEdge(['repository', 'export', '--config', unsigned, '--out', t.testdirName])
  t.match(refused, { code: 1, stderr: /KEY_MISSING .*radar-edge keys create/ })
})

t.test('it comes in as a candidate that nobody uses, with who, why and whose key', async (t) => {
  const other = t.testdir()
  const station = join(other, 'radar-edge.yaml')
  const recipes = { tiny: { bankMebibytes: 1 } }
  const take = async (...args: string[]) => radarEdge(['repository', 'import', '--config', station, ...args])
  const here = { product: 'tiny', trust: { keys: trust.keys }, recipes }
  await writeConfig(other, { ...here, bundle: TINY_BUNDLE })
  t.match(
    await take(archive),
    { code: 1, stderr: /UNSIGNED bundle/ },
    'nor is an unsigned bundle believed here',
  )
  await writeConfig(other, { ...here, bundle })
  const imported = await take(archive, '--who', 'ana', '--why', 'cell 2 gets what cell 1 has')
  t.equal(imported.code, 0, imported.stderr)
  t.match(imported.stdout, `radar-edge repository promote ${short} --product tiny`)
  const list = jsonLines(await radarEdge(['repository', 'list', '--config', station, '--json']))
  t.match(list, [
    { repositoryId: second.id, state: 'imported', who: 'ana', why: 'cell 2 gets what cell 1 has' },
  ])
  const history = jsonLines(await radarEdge(['repository', 'history', '--config', station, '--json']))
  t.match(history, [
    { action: 'import', figures: { keyName: 'lab', file: `tiny-${short}.radar-repository` } },
  ])
  t.match(await radarEdge(['repository', 'show', '--config', station]), {
    code: 1,
    stderr: /no repository in use/,
  })

  const [report] = jsonLines(await take(archive, '--json'))
  t.match(report, { repositoryId: second.id, keyName: 'lab' }, 'once more is fine')

  const refused: [what: string, bytes: Uint8Array, code: RegExp][] = [
    ['cut', (await readFile(archive)).subarray(0, 5000), /ARCHIVE_TRUNCATED .*cut: /],
    ['text', Buffer.from('hello '.repeat(200)), /ARCHIVE_UNREADABLE .*text: it is no tar archive/],
  ]
  const before = await readdir(join(other, 'state'), { recursive: true })
  for (const [name, bytes, stderr] of refused) {
    await writeFile(join(other, name), bytes)
    t.match(await take(join(other, name)), { code: 1, stdout: '', stderr }, name)
  }
  t.match(await take(archive, '--product', 'gear'), {
    code: 1,
    stderr: /OTHER_PRODUCT .*'tiny', expected 'gear'/,
  })
  t.match(await take(join(other, 'absent')), { code: 1, stderr: /ARCHIVE_UNREADABLE/ })
  t.same(await readdir(join(other, 'state'), { recursive: true }), before, 'nothing of them is kept')
})
