import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Check } from '../../../runtime/checks.ts'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'
import { copyTinyBundle, flipBit, TINY_BUNDLE } from '../../support/tiny-bundle.ts'

const checksOf = (ended: Awaited<ReturnType<typeof radarEdge>>): Map<string, Check> => {
  const [report] = jsonLines(ended) as unknown as [{ checks: Check[] }]
  return new Map(report.checks.map((check) => [check.name, check]))
}

t.test(
  'a healthy station passes every check; what was never taught is a warning with its command',
  async (t) => {
    const file = await writeConfig(t.testdir(), { bundle: TINY_BUNDLE })
    const ended = await radarEdge(['doctor', '--config', file, '--json'])
    t.equal(ended.code, 0, ended.stderr)
    const checks = checksOf(ended)
    t.same(
      [...checks.values()].filter(({ state }) => state === 'failed'),
      [],
    )
    t.match(checks.get('bundle'), { state: 'ok', found: /^tiny .*golden vectors off by/ })
    t.match(checks.get('repository of cookie'), {
      state: 'warning',
      fix: 'radar-edge teach --product cookie',
    })
    for (const name of ['camera', 'scanner']) t.match(checks.get(`sensor ${name}`), { found: /60 x 60/ })
    t.notOk(checks.has('broker'), 'the embedded one is not looked for')
    t.notOk(
      existsSync(join(dirname(file), 'state', 'repositories')),
      'who only looks, maybe as root, makes nothing',
    )
  },
)

t.test('everything that is wrong is found in one go, each with its fix', async (t) => {
  const folder = t.testdir({ broken: {} })
  const bundle = copyTinyBundle(join(folder, 'broken'))
  flipBit(bundle, 'rgb.onnx', -9)
  const file = await writeConfig(folder, {
    bundle,
    sensors: {
      rgb: { kind: 'synthetic', name: 'camera', deadlineMs: 15_000, openDeadlineMs: 60_000 },
      xyz: {
        kind: 'synthetic',
        name: 'scanner',
        openDeadlineMs: 60_000,
        faults: [{ from: 1, to: 9, kind: 'unplugged' }],
      },
    },
    links: [{ kind: 'serial', name: 'io', path: join(folder, 'ttyUSB9') }],
    mqtt: { url: 'mqtt://broker.invalid' },
  })
  const ended = await radarEdge(['doctor', '--config', file, '--json'])
  t.equal(ended.code, 1, ended.stderr)
  const checks = checksOf(ended)
  t.match(checks.get('bundle'), { state: 'failed', found: /rgb\.onnx.*SHA-256/, fix: /bundle/ })
  t.match(checks.get('sensor scanner'), { state: 'failed', found: /^lost/, fix: /scanner/ })
  t.match(checks.get('sensor camera'), { state: 'ok' })
  t.match(checks.get(`serial port ${join(folder, 'ttyUSB9')}`), {
    state: 'failed',
    found: /ENOENT/,
    fix: /plug the adapter in|set path to one of/,
  })
  t.match(checks.get('broker'), { state: 'failed', fix: /broker\.invalid:1883/ })
})

t.test('a damaged ledger is named, with the way out', async (t) => {
  const folder = t.testdir()
  const file = await writeConfig(folder, { bundle: TINY_BUNDLE })
  const ledger = join(folder, 'state', 'repositories', 'ledger.sqlite')
  await mkdir(dirname(ledger), { recursive: true })
  await writeFile(ledger, 'this is not a ledger, it is a text '.repeat(200))
  const ended = await radarEdge(['doctor', '--config', file, '--json'])
  t.equal(ended.code, 1, ended.stderr)
  t.match(checksOf(ended).get('repository of cookie'), {
    state: 'failed',
    found: /ledger\.sqlite cannot be used/,
    fix: /^move .*ledger\.sqlite away, then teach it again: radar-edge teach --product cookie$/,
  })
})

t.test('a config that cannot be used is a failed check among the others, and exit code 78', async (t) => {
  const file = join(t.testdir(), 'bad.yaml')
  await writeFile(file, 'product: 7\n')
  const person = await radarEdge(['doctor', '--config', file])
  t.equal(person.code, 78)
  t.match(person.stdout, /^ok {6}node: Node\.js/m)
  t.match(person.stdout, /^FAILED {2}config: .*bad\.yaml:1:1: station: missing/m)
  t.match(person.stdout, /bad\.yaml:1:10: product/)
  t.match(person.stdout, /fix: correct .*bad\.yaml/)
})
