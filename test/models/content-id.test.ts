import { createHash } from 'node:crypto'
import t from 'tap'
import { contentId, sha256Of } from '../../models/content-id.ts'

t.test('the order of keys and an absent value change nothing; any other change does', async (t) => {
  const id = contentId({ a: 1, b: [true, null, 'x'], c: { d: 0.5 } })
  t.equal(contentId({ c: { d: 0.5 }, b: [true, null, 'x'], a: 1, e: undefined }), id)
  for (const other of [{ a: 2 }, { a: 1, b: [null, true, 'x'], c: { d: 0.5 } }, { a: '1' }, [], 'a']) {
    t.not(contentId(other), id)
  }
})

t.test('the name is SHA-256 over plain JSON, so that another language can make it too', async (t) => {
  const json = '{"a":[1,"é"],"b":null}'
  t.equal(contentId({ b: null, a: [1, 'é'] }), createHash('sha256').update(json, 'utf8').digest('hex'))
  t.equal(sha256Of(Buffer.from(json)), createHash('sha256').update(json).digest('hex'))
})
