import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { jsonLines, radarEdge, writeConfig } from '../../support/command-line.ts'

t.test('a good config is said to be good, and --json shows it with every default', async (t) => {
  const file = await writeConfig(t.testdir())
  t.match(await radarEdge(['config', 'check', file]), { code: 0, stdout: `${file}: ok\n`, stderr: '' })
  const machine = await radarEdge(['config', 'check', file, '--json'])
  t.equal(machine.code, 0)
  t.match(jsonLines(machine), [{ ok: true, config: { product: 'cookie', queue: { triggers: 16 } } }])
})

t.test('every problem is named with its place and the nearest key, and the exit code is 78', async (t) => {
  const file = join(t.testdir(), 'bad.yaml')
  const lines = [
    'station: { site: plant, name: one }',
    'product: cookie',
    'sensors:',
    '  rgb: { kind: synthetic, deadlinMs: 100 }',
    'synthetic: { category: cookies }',
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const person = await radarEdge(['config', 'check', file])
  t.equal(person.code, 78)
  t.equal(person.stdout, '')
  t.match(person.stderr, `${file}:4:27: sensors.rgb.deadlinMs: unknown key`)
  t.match(person.stderr, "did you mean 'deadlineMs'?")
  t.match(person.stderr, `${file}:5:24: synthetic.category`)
  t.match(person.stderr, "did you mean 'cookie'?")

  const machine = await radarEdge(['config', 'check', file, '--json'])
  t.equal(machine.code, 78)
  t.equal(machine.stderr, '')
  t.match(jsonLines(machine), [
    { ok: false, code: 'CONFIG_INVALID', problems: [{ line: 4, nearest: 'deadlineMs' }, { line: 5 }] },
  ])
})

t.test('a config that is not there is the same failure for every command that needs one', async (t) => {
  const file = join(t.testdir(), 'none.yaml')
  for (const args of [
    ['config', 'check', file],
    ['run', '--config', file],
  ]) {
    const { code, stdout, stderr } = await radarEdge(args)
    t.equal(code, 78, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, `${file}: cannot be read: ENOENT`)
  }
})
