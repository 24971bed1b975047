import t from 'tap'
import {
  ablationMethod,
  inOrder,
  isMethod,
  METHOD_MEANINGS,
  METHODS,
} from '../../../models/bench/miiad-methods.ts'

t.test('methods come in the order of the tables, ablations after them, each once', async (t) => {
  const found = inOrder([ablationMethod('b'), 'radar', 'rgb-only', 'radar:a', 'radar'])
  t.same(found, ['rgb-only', 'radar', 'radar:b', 'radar:a'])
  t.same(inOrder([...METHODS].reverse()), METHODS)
})

t.test('every method says what it is', async (t) => {
  t.same(Object.keys(METHOD_MEANINGS), METHODS)
  t.ok(isMethod('radar') && !isMethod('radar:a'))
})
