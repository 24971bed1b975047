import t from 'tap'
import { canNarrow, narrowed } from '../../models/narrow.ts'
import { partFeatures } from '../support/part-features.ts'

const part = partFeatures({ seed: 1 })

t.test(
  'without 3D nothing tells the part from the table; without a picture the points still do',
  async (t) => {
    const rgbOnly = narrowed(part, 'rgb-only')
    t.same(Object.keys(rgbOnly), ['condition', 'rgb', 'foregroundPatches'])
    t.equal(rgbOnly.rgb, part.rgb)
    t.ok(rgbOnly.foregroundPatches.every((flag) => flag === 1))
    const xyzOnly = narrowed(part, 'xyz-only')
    t.same(Object.keys(xyzOnly), ['condition', 'xyz', 'foregroundPatches'])
    t.equal(xyzOnly.foregroundPatches, part.foregroundPatches)
    t.same(narrowed(part, 'complete'), part)
    t.ok(part.foregroundPatches.includes(0), 'the part itself is not changed')
  },
)

t.test('a part can be seen with what it has and with less, never with more', async (t) => {
  for (const condition of ['rgb-only', 'xyz-only'] as const) {
    const some = narrowed(part, condition)
    t.same(narrowed(some, condition), some)
    const other = condition === 'rgb-only' ? 'xyz-only' : 'rgb-only'
    for (const wider of ['complete', other] as const) {
      t.notOk(canNarrow(condition, wider))
      t.throws(() => narrowed(some, wider), { code: 'MODEL_MISMATCH', message: /has no (rgb|xyz) features/ })
    }
    t.ok(canNarrow('complete', condition) && canNarrow(condition, condition))
  }
})
