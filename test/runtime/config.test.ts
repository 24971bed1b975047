import t from 'tap'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { ConfigError, type ConfigProblem } from '../../runtime/config-error.ts'
import { productOf } from '../../runtime/config-schema.ts'
import { parseConfig, readConfig } from '../../runtime/config.ts'

const MINIMAL = `station: { site: plant, name: one }
product: hex-nut
sensors:
  rgb: { kind: synthetic }
`

function problemsOf(text: string): readonly ConfigProblem[] {
  try {
    parseConfig(text, 'radar.yaml')
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('expected the config to be refused')
}

t.test('a minimal config gets every default from the schema', async (t) => {
  const config = parseConfig(MINIMAL, 'radar.yaml')
  t.equal(config.deadlines.verdictMs, 3000)
  t.equal(config.sensors.rgb?.deadlineMs, 800)
  t.equal(config.sensors.xyz, undefined)
  t.same(config.triggers, [{ kind: 'mqtt' }])
  t.equal(config.mqtt.embeddedPort, 1883)
  t.same(config.http, { enabled: true, host: '127.0.0.1', port: 8470 })
})

t.test('a wrong key is named with file, line, column and the nearest valid key', async (t) => {
  const cases: [text: string, line: number, column: number, path: string, nearest: string | undefined][] = [
    [`${MINIMAL}deadline: { verdictMs: 1000 }\n`, 5, 1, 'deadline', 'deadlines'],
    [`${MINIMAL}deadlines: { verdictMS: 1000 }\n`, 5, 14, 'deadlines.verdictMS', 'verdictMs'],
    [`${MINIMAL}  xyz: { kind: synthetic, deadlinMs: 5 }\n`, 5, 27, 'sensors.xyz.deadlinMs', 'deadlineMs'],
    [
      `${MINIMAL}triggers:\n  - kind: timer\n    evryMs: 5\n    everyMs: 50\n`,
      7,
      5,
      'triggers.0.evryMs',
      'everyMs',
    ],
    [`${MINIMAL}recipes:\n  hex-nut:\n    polcy: {}\n`, 7, 5, 'recipes.hex-nut.polcy', 'policy'],
    [`${MINIMAL}zzzzzzzzzz: 1\n`, 5, 1, 'zzzzzzzzzz', undefined],
  ]
  for (const [text, line, column, path, nearest] of cases) {
    const [problem] = problemsOf(text)
    t.match(problem, { line, column, path }, path)
    t.equal(problem?.nearest, nearest, `nearest of ${path}`)
  }
})

t.test('a wrong value is named at its own place, with the nearest choice', async (t) => {
  const [wrongKind] = problemsOf(MINIMAL.replace('synthetic', 'syntetic'))
  t.match(wrongKind, { line: 4, column: 16, path: 'sensors.rgb.kind', nearest: 'synthetic' })
  const [range] = problemsOf(`${MINIMAL}deadlines:\n  verdictMs: 5\n`)
  t.match(range, { line: 6, column: 14, path: 'deadlines.verdictMs' })
})

t.test('a missing key is placed at the section that lacks it', async (t) => {
  const [problem] = problemsOf(
    'product: hex-nut\nstation:\n  site: plant\nsensors: { rgb: { kind: synthetic } }\n',
  )
  t.match(problem, { line: 2, path: 'station.name', message: /^missing/ })
})

t.test('all problems are reported at once', async (t) => {
  t.equal(problemsOf(`${MINIMAL}a1: 1\nb2: 2\nqueue: { triggers: 0 }\n`).length, 3)
})

t.test('rules that span keys are checked', async (t) => {
  t.match(problemsOf(MINIMAL.replace('synthetic', 'replay'))[0], { message: /needs the section 'replay'/ })
  t.match(problemsOf(`${MINIMAL}  xyz: { kind: synthetic, name: rgb }\n`)[0], { path: 'sensors.xyz.name' })
  t.match(problemsOf(`${MINIMAL}deadlines: { verdictMs: 500 }\n`)[0], { path: 'sensors.rgb.deadlineMs' })
  t.match(problemsOf(MINIMAL.replace('  rgb: { kind: synthetic }', '  {}'))[0], {
    message: /rgb, xyz or both/,
  })
})

t.test('broken YAML is reported with its place, never as a stack', async (t) => {
  const [problem] = problemsOf('station: { site: plant\nproduct: x\n')
  t.type(problem?.line, 'number')
  t.match(problemsOf('a: &a [*a, *a]\n')[0]?.message, /.+/)
  t.match(problemsOf('station: 1\nstation: 2\n')[0]?.message, /unique/)
})

t.test('an alias bomb and an oversized file are refused', async (t) => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`
  t.match(problemsOf(bomb)[0]?.message, /alias/i)
  t.match(problemsOf('#'.repeat(2_000_000))[0]?.message, /expected at most/)
})

t.test('no text makes the reader throw anything but a ConfigError', async (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: MINIMAL.length }), { maxLength: 6 }),
      fc.string(),
      (cuts, junk) => {
        let text = MINIMAL
        for (const cut of cuts) text = text.slice(0, cut) + junk + text.slice(cut + 1)
        try {
          parseConfig(text, 'radar.yaml')
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
        }
      },
    ),
    { seed: 20261121, numRuns: 500 },
  )
  t.pass('500 mutated configs')
})

t.test('a broker is an address, its secrets are files, and what belongs together is there together', (t) => {
  for (const [mqtt, problem] of [
    ['url: mqtt://broker.plant:1883', undefined],
    ["url: 'mqtts://[fd00::1]'", undefined],
    ['url: mqtt://', /expected mqtt:\/\/host:port/],
    ['url: mqtt://broker:99999', /expected mqtt:\/\/host:port/],
    ['url: http://broker', /expected mqtt:\/\/host:port/],
    ['url: mqtt://cell:secret@broker', /use username and passwordFile/],
    ['passwordFile: secret', /mqtt\.passwordFile: expected username beside it/],
    ['certFile: a.pem', /mqtt\.certFile: expected keyFile beside it/],
    ['keyFile: a.pem', /mqtt\.keyFile: expected certFile beside it/],
    ['certFile: a.pem, keyFile: b.pem', undefined],
  ] as const) {
    const read = () => parseConfig(`${MINIMAL}mqtt: { ${mqtt} }\n`, 'radar.yaml')
    if (problem === undefined) t.doesNotThrow(read, mqtt)
    else t.throws(read, { code: 'CONFIG_INVALID', message: problem }, mqtt)
  }
  t.end()
})

t.test('a product from the command line has a name that the config could have', (t) => {
  t.equal(productOf('hex-nut'), 'hex-nut')
  for (const text of ['', 'a.b', '../etc', 'hex nut'])
    t.throws(() => productOf(text), { code: 'CONFIG_INVALID' })
  t.end()
})

t.test('a job has a cron expression or is off; a bad one is named with its key', (t) => {
  const { schedule } = parseConfig(`${MINIMAL}schedule: { drift: off, backup: '30 1 * * *' }\n`, 'radar.yaml')
  t.match(schedule, { drift: 'off', backup: '30 1 * * *', selfTest: '0 6,14,22 * * *', update: 'off' })
  const [problem] = problemsOf(`${MINIMAL}schedule:\n  backup: '0 25 * * *'\n`)
  t.match(problem, { line: 6, column: 11, path: 'schedule.backup', message: /'0 25 \* \* \*' 25 is .*hour/ })
  t.match(problemsOf(`${MINIMAL}schedule: { drift: hourly }\n`), [
    { path: 'schedule.drift', message: /expected off or a cron expression: 'hourly' has 1 fields/ },
  ])
  t.end()
})

t.test('paths in the file are relative to the file', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'radar.yaml')
  await writeFile(
    file,
    `${MINIMAL}replay: { root: parts }\nmqtt: { username: cell, passwordFile: secret }\nbackup: { folder: copies }\n`,
  )
  const config = await readConfig(file)
  t.equal(config.stateDirectory, join(folder, 'state'))
  t.equal(config.replay?.root, join(folder, 'parts'))
  t.equal(config.mqtt.passwordFile, join(folder, 'secret'))
  t.same(config.backup, { folder: join(folder, 'copies'), keep: 7 })
  t.equal(config.bundle, 'radar-lite', 'the name of a shipped bundle stays a name')
})

t.test('keys that are trusted: files relative to the config, a name for each', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'radar.yaml')
  const keys =
    '[{ name: lab, publicKeyFile: keys/lab.public.pem }, { name: plant, publicKeyFile: /etc/plant.pem }]'
  const signing = '{ name: cell, privateKeyFile: cell.private.pem }'
  await writeFile(file, `${MINIMAL}trust: { keys: ${keys}, signing: ${signing} }\n`)
  const { trust } = await readConfig(file)
  t.same(trust, {
    keys: [
      { name: 'lab', publicKeyFile: join(folder, 'keys', 'lab.public.pem') },
      { name: 'plant', publicKeyFile: '/etc/plant.pem' },
    ],
    signing: { name: 'cell', privateKeyFile: join(folder, 'cell.private.pem') },
  })
  t.same(parseConfig(MINIMAL, file).trust, { keys: [] })
  const [problem] = problemsOf(`${MINIMAL}trust:\n  keys: ${keys.replace('plant', 'lab')}\n`)
  t.match(problem, { line: 6, path: 'trust.keys.1.name', message: /another name than a key above/ })
})

t.test('an unreadable file is a ConfigError that names it', async (t) => {
  await t.rejects(readConfig(join(t.testdir(), 'absent.yaml')), {
    code: 'CONFIG_UNREADABLE',
    message: /absent\.yaml/,
  })
})
