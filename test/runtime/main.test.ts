import t from 'tap'
import { radarEdge } from '../support/command-line.ts'
import { packageVersion } from '../../runtime/package-version.ts'

t.test('--version and --help are answered on standard output', async (t) => {
  t.match(await radarEdge(['--version']), { code: 0, stdout: `${packageVersion()}\n`, stderr: '' })
  const { code, stdout } = await radarEdge(['--help'])
  t.equal(code, 0)
  const stations = ['run', 'demo', 'teach', 'replay', 'synth', 'doctor', 'config', 'bench']
  for (const command of [...stations, 'repository', 'keys', 'bundle']) {
    t.match(stdout, new RegExp(`^  ${command} `, 'm'), command)
  }
})

t.test('a wrong command line is refused with the option and what it takes, before any work', async (t) => {
  const cases: [args: string[], said: RegExp][] = [
    [['inspect'], /unknown command 'inspect'/],
    [['demo', '--parts', '0'], /whole number from 1 to 1000000/],
    [['demo', '--parts', ''], /whole number/],
    [['demo', '--size', '12.5'], /whole number from 64 to 2048/],
    [['replay'], /required option '--data <folder>'/],
    [['bench', 'anomaly', '--data', 'x', '--false-reject-rate', 'many'], /number from 0\.0001 to 0\.5/],
    [['bench', 'anomaly', '--data', 'x', '--bank-mebibytes', '-1'], /number from 0.5 to 2048/],
  ]
  for (const [args, said] of cases) {
    const { code, stdout, stderr } = await radarEdge(args)
    t.equal(code, 1, args.join(' '))
    t.match(stderr, said)
    t.equal(stdout, '')
  }
})

t.test('an unknown product is answered with those there are, and no stack', async (t) => {
  const { code, stderr } = await radarEdge(['demo', '--category', 'teapot'])
  t.equal(code, 78)
  t.match(stderr, /unknown product 'teapot', expected one of: hex-nut, gear/)
  t.notMatch(stderr, /\n\s+at /)
})

t.test('a known failure is one line with its code', async (t) => {
  const { code, stderr } = await radarEdge(['bench', 'anomaly', '--data', '/no/such/folder'])
  t.equal(code, 1)
  t.match(stderr, /^radar-edge: [A-Z_]+ .*\/no\/such\/folder.*\n$/)
})
