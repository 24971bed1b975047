import t from 'tap'
import { makeBank } from '../../models/bank.ts'

t.test('a bank knows its rows and their squared norms', async (t) => {
  const bank = makeBank(2, Float32Array.from([3, 4, 0, 1]))
  t.equal(bank.rows, 2)
  t.same([...bank.squaredNorms], [25, 1])
})

t.test('values that are no whole rows, or not finite, make no bank', async (t) => {
  t.throws(() => makeBank(2, new Float32Array(3)), { code: 'MODEL_MISMATCH' })
  t.throws(() => makeBank(2, new Float32Array(0)), { code: 'MODEL_MISMATCH' })
  t.throws(() => makeBank(2, Float32Array.of(0, 1, NaN, 1)), { code: 'NOT_FINITE', message: /row 1 of 2/ })
  t.throws(
    () => makeBank(1, Float32Array.of(1e30)),
    { code: 'NOT_FINITE' },
    'a norm that overflows is refused too',
  )
})
