import t from 'tap'
import { conditionOf, modalitiesOf } from '../../drivers/sample.ts'

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
