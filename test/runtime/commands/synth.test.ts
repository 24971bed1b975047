import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { indexDataset } from '../../../drivers/dataset.ts'
import { jsonLines, radarEdge } from '../../support/command-line.ts'

const size = [
  '--size',
  '40',
  '--train',
  '2',
  '--validation',
  '1',
  '--test-good',
  '1',
  '--test-per-defect',
  '1',
]

t.test('synth writes a data set that the product reads, and goes on where it was interrupted', async (t) => {
  const out = t.testdir()
  const args = ['synth', '--out', out, '--categories', 'cookie,gear', ...size, '--json']
  const first = await radarEdge(args)
  t.equal(first.code, 0, first.stderr)
  const [summary] = jsonLines(first)
  const { items } = await indexDataset(out)
  t.same(new Set(items.map(({ category }) => category)), new Set(['cookie', 'gear']))
  t.match(summary, { categories: ['cookie', 'gear'], written: items.length, kept: 0, seed: 1 })
  t.match(first.stderr, /rendering parts .*100 %/)

  const [again] = jsonLines(await radarEdge(args))
  t.match(again, { written: 0, kept: items.length })
})

t.test('an unknown category writes nothing', async (t) => {
  const out = join(t.testdir(), 'out')
  const { code, stderr } = await radarEdge(['synth', '--out', out, '--categories', 'cookie,teapot', ...size])
  t.equal(code, 78)
  t.match(stderr, /teapot/)
  await t.rejects(readdir(out), { code: 'ENOENT' })
})

t.test('Ctrl-C ends it with the code of the signal; what is written is whole', async (t) => {
  const out = t.testdir()
  const many = ['--size', '40', '--train', '100000']
  const { code, signal, stderr } = await radarEdge(
    ['synth', '--out', out, '--categories', 'cookie', ...many],
    (child) => child.stderr?.once('data', () => child.kill('SIGINT')),
  )
  t.same({ code, signal }, { code: 130, signal: null })
  t.notMatch(stderr, /\n\s+at /)
  t.ok((await indexDataset(out)).items.every(({ rgbPath, xyzPath }) => rgbPath && xyzPath))
})
