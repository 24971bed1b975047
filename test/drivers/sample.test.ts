import t from 'tap'
import { conditionOf, modalitiesOf, withoutDegraded } from '../../drivers/sample.ts'
import { makeSample } from '../support/inspected.ts'

t.test('the condition says which modalities a sample has', async (t) => {
  t.equal(conditionOf({ rgb: 1, xyz: 1 }), 'complete')
  t.equal(conditionOf({ rgb: 1 }), 'rgb-only')
  t.equal(conditionOf({ xyz: 1 }), 'xyz-only')
  t.equal(conditionOf({}), 'none')
})

t.test('each condition names its modalities', async (t) => {
  t.same(modalitiesOf('complete'), ['rgb', 'xyz'])
  t.same(modalitiesOf('rgb-only'), ['rgb'])
  t.same(modalitiesOf('xyz-only'), ['xyz'])
  t.same(modalitiesOf('none'), [])
})

t.test('degraded frames are taken out of what teaches', async (t) => {
  const sample = makeSample()
  t.equal(withoutDegraded(sample), sample)
  const marked = (degrades: boolean) => {
    const xyz = {
      ...sample.frames.xyz!,
      remarks: [{ code: 'few-returns', detail: 'has few points', degrades }],
    }
    return { ...sample, frames: { ...sample.frames, xyz } }
  }
  const told = marked(false)
  t.equal(withoutDegraded(told), told)
  const left = withoutDegraded(marked(true))
  t.match(left, {
    condition: 'rgb-only',
    absent: { xyz: { reason: 'rejected', detail: /: the frame has few points/ } },
  })
  t.same(Object.keys(left.frames), ['rgb'])
  const rgb = { ...sample.frames.rgb!, remarks: [{ code: 'dark', detail: 'is dark', degrades: true }] }
  const neither = withoutDegraded({ ...left, frames: { rgb } })
  t.match(neither, { condition: 'none', frames: {}, absent: { rgb: { detail: /is dark/ }, xyz: {} } })
})
