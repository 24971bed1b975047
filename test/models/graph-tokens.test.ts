import t from 'tap'
import { finite, tokensOf } from '../../models/graph-tokens.ts'
import type { Graph, Tensor } from '../../models/session.ts'

const graph = (run: Graph['run']): Graph => ({
  inputNames: [],
  outputNames: ['tokens'],
  shapeOf: () => [],
  run,
  release: async () => undefined,
})
const answering = (tokens: Record<string, Tensor>) => graph(async () => tokens)
const expected = { who: 'the oracle', length: 2 }

t.test('what a graph answers is held against what is expected of it', async (t) => {
  const data = Float32Array.of(1, 2)
  t.equal(await tokensOf(answering({ tokens: { type: 'float32', dims: [2], data } }), {}, expected), data)
  for (const tokens of [
    {},
    { tokens: { type: 'int32', dims: [2], data: Int32Array.of(1, 2) } },
    { tokens: { type: 'float32', dims: [3], data: new Float32Array(3) } },
  ] as const) {
    await t.rejects(tokensOf(answering(tokens), {}, expected), {
      code: 'MODEL_MISMATCH',
      message: /the oracle gave .*expected/,
    })
  }
  const broken = graph(() => Promise.reject(new Error('out of memory')))
  await t.rejects(tokensOf(broken, {}, expected), {
    code: 'MODEL_FAILED',
    message: /the oracle/,
    cause: { message: 'out of memory' },
  })
})

t.test('one value that is not finite is found among many; large ones are no infinity', async (t) => {
  const large = new Float32Array(1000).fill(3e38)
  t.equal(finite('it', large), large)
  for (const poison of [NaN, Infinity, -Infinity]) {
    const values = large.slice()
    values[700] = poison
    t.throws(() => finite('it', values), { code: 'NOT_FINITE' }, String(poison))
  }
})
