import t from 'tap'
import { messageOf } from '../../drivers/message-of.ts'

t.test('whatever was thrown has a message', (t) => {
  t.equal(messageOf(new TypeError('no such file')), 'no such file')
  t.equal(messageOf('plain text'), 'plain text')
  t.equal(messageOf(undefined), 'undefined')
  t.end()
})
