import t from 'tap'
import { schemaOf } from '../../models/schema-of.ts'

t.test('a file’s schema is what it claims, and none when it claims nothing', async (t) => {
  t.equal(schemaOf({ schema: 'radar-edge/bundle@1', other: 1 }), 'radar-edge/bundle@1')
  for (const json of [{}, { schema: 3 }, null, 'schema', [], undefined]) t.equal(schemaOf(json), 'none')
})
