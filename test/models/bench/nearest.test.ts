import t from 'tap'
import { benchNearest } from '../../../models/bench/nearest.ts'

t.test('the bench reports both times and their ratio, and can be stopped', async (t) => {
  const { search, matmul, ratio, ...size } = await benchNearest({ threads: 1, repeats: 2 })
  t.same(size, { queries: 784, width: 768, rows: 10_000, repeats: 2 })
  for (const { medianMs, worstMs } of [search, matmul]) t.ok(medianMs > 0 && worstMs >= medianMs)
  t.equal(ratio, search.medianMs / matmul.medianMs)
  const signal = AbortSignal.abort(new Error('enough'))
  await t.rejects(benchNearest({ threads: 1, repeats: 2, signal }), { message: 'enough' })
})
