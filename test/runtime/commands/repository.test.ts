import t from 'tap'
import { appendFile, cp } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { tinyStation } from '../../support/kept-tiny-repositories.ts'
import { copyTinyBundle, editManifest } from '../../support/tiny-bundle.ts'

const { file, root, first, second } = await tinyStation(t.testdir())
const [one, two] = [first.id.slice(0, 12), second.id.slice(0, 12)]
const repository = async (...args: string[]) => radarEdge(['repository', ...args, '--config', file])

t.test('list, show and history: what is kept, which is in use, who did it and why', async (t) => {
  const list = await repository('list')
  t.equal(list.code, 0, list.stderr)
  t.match(
    list.stdout,
    new RegExp(`^\\*  ${two} .* updated +26 .*\\n   in use since .*, ana: lamps were`, 'm'),
  )
  t.match(
    list.stdout,
    new RegExp(`^   ${one} .* taught +26 .*\\n   was put into use .*, ana: lamps were`, 'm'),
  )
  t.match(jsonLines(await repository('list', '--json')), [
    { repositoryId: second.id, state: 'in-use', parent: first.id, made: 'updated', who: 'ana' },
    { repositoryId: first.id, state: 'was-in-use', made: 'taught', taught: 6, heldOut: 20 },
  ])

  const shown = await repository('show')
  t.match(shown.stdout, `tiny ${second.id}`, 'without an id the one in use')
  t.match(shown.stdout, new RegExp(`made +updated from ${one}`))
  const [about] = jsonLines(await repository('show', first.id.slice(0, 6), '--json'))
  t.match(about, {
    repositoryId: first.id,
    manifest: { byteBudget: 100_000 },
    history: [{ action: 'promote' }, {}],
  })

  t.match((await repository('history')).stdout.trimEnd().split('\n'), { length: 5 })
  t.match((await repository('history', '--limit', '1')).stdout, new RegExp(`promote +${two} +ana +lamps`))
  t.match(jsonLines(await repository('history', one, '--json')), [
    { seq: 2, action: 'promote', repositoryId: first.id },
    { seq: 1, action: 'candidate' },
  ])
})

t.test('diff: parts, rows and thresholds of two', async (t) => {
  const { code, stdout } = await repository('diff', one, two)
  t.equal(code, 0)
  t.match(stdout, `tiny: ${one} -> ${two}`)
  t.match(stdout, /parts in the banks: 6 kept, 0 added, 0 dropped/)
  t.match(jsonLines(await repository('diff', one, two, '--json')), [
    {
      before: first.id,
      after: second.id,
      banks: { rgb: { kept: first.manifest.banks.rgb.rows, added: 0, dropped: 0 } },
    },
  ])
})

t.test(
  'an id that is none, fits none, or of a product without any is refused with what there is',
  async (t) => {
    const cases: [args: string[], said: RegExp][] = [
      [['show', 'xyz'], /expected a repository's id, or its first 6 hex digits/],
      [['show', '123'], /first 6 hex digits/],
      [
        ['show', '0000000'],
        /REPOSITORY_UNKNOWN no repository of tiny begins with '0000000'; there is [0-9a-f]{12}, [0-9a-f]{12}/,
      ],
      [['show', '--product', 'gear'], /REPOSITORY_UNKNOWN gear has no repository in use/],
      [['diff', one], /missing required argument 'after'/],
    ]
    for (const [args, said] of cases) {
      const { code, stdout, stderr } = await repository(...args)
      t.equal(code, 1, args.join(' '))
      t.match(stderr, said)
      t.equal(stdout, '')
    }
    t.match(await repository('list', '--product', 'gear'), { code: 0, stdout: /no repository is kept/ })
    t.match(await repository('list', '--product', '../etc'), { code: 78, stderr: /no name of a product/ })
  },
)

t.test('verify: every hash, and whether the bundle in use takes it', async (t) => {
  const folder = t.testdir({ bundle: {} })
  const state = join(folder, 'state')
  await cp(join(root, '..'), state, { recursive: true })
  const bundle = copyTinyBundle(join(folder, 'bundle'))
  const here = await writeConfig(folder, { product: 'tiny', bundle })
  const verify = async (...args: string[]) => radarEdge(['repository', 'verify', ...args, '--config', here])
  t.match(await verify(), { code: 0, stdout: new RegExp(`^ok +${two} \\(in use\\): every hash holds`) })
  t.equal(jsonLines(await verify('--all', '--json')).length, 2)

  await appendFile(join(state, 'repositories', 'tiny', first.id, 'banks.safetensors'), 'x')
  const damaged = await verify('--all')
  t.equal(damaged.code, 1)
  t.match(damaged.stdout, new RegExp(`^FAILED +${one}: .*has SHA-256`, 'm'))
  t.match(await verify(), { code: 0 }, 'the one in use is whole')

  editManifest(bundle, (manifest) => ({ ...manifest, version: '9.9.9' }))
  const other = await verify()
  t.equal(other.code, 1)
  t.match(other.stdout, /^FAILED .*every hash holds, but .*the bundle in use is/)
  t.match(jsonLines(await verify('--json')), [{ whole: true, usable: false, active: true }])
})
