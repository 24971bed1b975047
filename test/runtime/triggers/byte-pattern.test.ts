import fc from 'fast-check'
import t from 'tap'
import { delimitedPattern, fixedPattern, MAX_MESSAGE_BYTES } from '../../../runtime/triggers/byte-pattern.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

t.test('a trigger is found however its bytes are cut', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('noise', '\x02T\x03', '\x02', 'T'), { maxLength: 50 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (pieces, lengths) => {
        const text = pieces.join('')
        const pattern = fixedPattern('\x02T\x03')
        let found = 0
        for (let at = 0; at < text.length;) {
          const length = Number(lengths.next().value)
          found += pattern.take(bytes(text.slice(at, at + length))).partIds.length
          at += length
        }
        return found === text.split('\x02T\x03').length - 1
      },
    ),
  )
})

t.test('a message has a prefix and a part', async (t) => {
  const pattern = delimitedPattern('\r\n', 'P:')
  t.same(pattern.take(bytes('P:a-1\r')).partIds, [])
  t.same(pattern.take(bytes('\nQ:other\r\nP: b\r\nP:\r\n')).partIds, ['a-1', 'b', ''])
  t.same(delimitedPattern(';').take(bytes(';x;')).partIds, ['', 'x'])
})

t.test('a message without an end is dropped up to the next one', async (t) => {
  const pattern = delimitedPattern('\n')
  let tooLong = 0
  for (let piece = 0; piece < 1000; piece++) tooLong += pattern.take(bytes('x'.repeat(100))).tooLong
  t.equal(tooLong, 1, 'told once')
  t.same(pattern.take(bytes('rest\ngood\n')), { partIds: ['good'], tooLong: 0 })
  t.same(pattern.take(bytes(`${'y'.repeat(MAX_MESSAGE_BYTES + 1)}\nz\n`)), { partIds: ['z'], tooLong: 1 })
})

t.test('no bytes break it', async () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 })), (pieces) => {
      for (const pattern of [fixedPattern('ab'), delimitedPattern('\r\n', 'T')]) {
        for (const piece of pieces) pattern.take(Buffer.from(piece))
      }
    }),
  )
})
