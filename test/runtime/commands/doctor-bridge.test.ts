import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { BridgeFigures } from '../../../runtime/bridge-trial.ts'
import type { Check } from '../../../runtime/checks.ts'
import {
  bridgePeer,
  PYTHON,
  REFERENCE_BRIDGE,
  skipWithoutNumpy as skip,
  type BridgeFault,
} from '../../support/bridge-peer.ts'
import { jsonLines, radarEdge } from '../../support/command-line.ts'

t.test('the reference passes every check, and shows its figures and a picture', { skip }, async (t) => {
  const picture = join(t.testdir(), 'frame.png')
  const bridge = [PYTHON, REFERENCE_BRIDGE, '64x48', 'C16']
  const ended = await radarEdge(['doctor', 'bridge', '--json', '--picture', picture, '--', ...bridge])
  t.equal(ended.code, 0, ended.stderr)
  const [report] = jsonLines(ended) as unknown as [{ checks: Check[]; figures: BridgeFigures }]
  const names = report.checks.map(({ name }) => name)
  t.same(names, [
    'hello',
    'waits for triggers',
    'answers triggers',
    'format',
    'sequence',
    'time stamps',
    'content',
    'ends on stop',
    'ends with its stdin',
    'ends on SIGTERM',
  ])
  t.ok(report.checks.every(({ state }) => state === 'ok'))
  t.match(report.figures, { format: 'C16', width: 64, height: 48, framesPerSecond: Number })
  t.ok(statSync(picture).size > 100)
})

t.test('what is wrong is told, with the fix', { skip }, async (t) => {
  const folder = t.testdir()
  const checked = async (fault: BridgeFault) => {
    const peer = bridgePeer(join(folder, fault), ['64x48', 'ABC32f', '20'])
    peer.install()
    peer.setFault(fault)
    const options = ['--frame-limit-ms', '3000', '--frames', '3', '--json']
    const ended = await radarEdge(['doctor', 'bridge', ...options, '--', ...peer.command])
    t.equal(ended.code, 1, `${fault}: ${ended.stderr}`)
    const [report] = jsonLines(ended) as unknown as [{ checks: Check[] }]
    return report.checks.find(({ state }) => state !== 'ok')
  }
  t.match(await checked('printing'), {
    name: 'answers triggers',
    found: /INFO: exposure/,
    fix: /dup2\(2, 1\)/,
  })
  t.match(await checked('half'), {
    name: 'answers triggers',
    fix: /answer each trigger line once|payloads whole/,
  })
  t.match(await checked('silent'), {
    name: 'answers triggers',
    found: 'no frame within 3000 ms after trigger 1',
  })
  t.match(await checked('late'), { name: 'answers triggers', found: /the last one for trigger 0/ })
  t.match(await checked('repeat'), { name: 'sequence', state: 'failed', fix: /count every exposure/ })
  t.match(await checked('epoch'), { name: 'time stamps', state: 'failed' })
})

t.test('no bridge at all: for people', async (t) => {
  const ended = await radarEdge(['doctor', 'bridge', '--', '/no/such/bridge'])
  t.equal(ended.code, 1)
  t.match(ended.stdout, /FAILED {2}hello: it could not be started.*\n +fix: name a program that is there/)
  const unnamed = await radarEdge(['doctor', 'bridge'])
  t.match(unnamed.stderr, /missing required argument 'command'/)
})
