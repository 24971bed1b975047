import t from 'tap'
import { fusedOnce } from '../../../models/bench/fused-once.ts'
import { narrowed } from '../../../models/narrow.ts'
import { fuseSideBySide, partFeatures } from '../../support/part-features.ts'

t.test('each condition of each part is fused once, and as the fusion does it', async (t) => {
  let asked = 0
  const fuse = fusedOnce((features) => {
    asked++
    return fuseSideBySide(features)
  })
  const parts = [partFeatures({ seed: 1 }), partFeatures({ seed: 2 })]
  for (let turn = 0; turn < 2; turn++) {
    for (const part of parts) {
      for (const condition of ['complete', 'rgb-only', 'xyz-only'] as const) {
        const seen = narrowed(part, condition)
        t.same(await fuse(seen), await fuseSideBySide(seen))
      }
    }
  }
  t.equal(asked, 6)
})
