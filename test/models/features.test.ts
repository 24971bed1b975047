import t from 'tap'
import { BANK_KEYS, bankKey, byBankKey } from '../../models/features.ts'

t.test(
  'a fused part is asked of its condition’s bank, one modality of the same bank in every condition',
  async (t) => {
    t.equal(bankKey('rgb', 'complete'), bankKey('rgb', 'rgb-only'))
    t.equal(bankKey('xyz', 'xyz-only'), 'xyz')
    const fused = (['complete', 'rgb-only', 'xyz-only'] as const).map((condition) =>
      bankKey('fused', condition),
    )
    t.same(fused, ['fused-complete', 'fused-rgb-only', 'fused-xyz-only'])
    t.same(
      Object.entries(byBankKey((key) => key)),
      BANK_KEYS.map((key) => [key, key]),
      'each key has its own',
    )
  },
)
