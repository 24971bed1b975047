import t from 'tap'
import { parseCoordinate, parseCount, textLines } from '../../../drivers/formats/text-lines.ts'

t.test('lines end with LF or CR LF, the last one at the end of the file', async (t) => {
  const lines = textLines(Buffer.from('one\r\ntwo\n\nlast'))
  t.same([lines.next(), lines.next(), lines.offset, lines.lineNumber], ['one', 'two', 9, 2])
  t.same([lines.next(), lines.next(), lines.next()], ['', 'last', undefined])
})

t.test('text ends at the bound that was given', async (t) => {
  const lines = textLines(Buffer.from('abcdef'), 1, 3)
  t.same([lines.next(), lines.next()], ['bc', undefined])
})

t.test('a coordinate is a number, or some spelling of NaN', async (t) => {
  t.equal(parseCoordinate('here', '-1.5e-3'), -0.0015)
  for (const word of ['nan', '-NaN', 'inf', '1.#QNAN', '1.#INF00'])
    t.ok(Number.isNaN(parseCoordinate('here', word)), word)
  t.equal(parseCoordinate('here', 'Infinity'), Infinity)
  for (const word of ['', 'abc', '1,5', '1.5x']) {
    t.throws(() => parseCoordinate('line 7', word), {
      code: 'FORMAT_UNREADABLE',
      message: /line 7.*expected a number/,
    })
  }
})

t.test('a count is decimal digits', async (t) => {
  t.equal(parseCount('here', '0480'), 480)
  for (const word of [undefined, '', '-1', '1.5', '1e9', '9'.repeat(16)]) {
    t.throws(() => parseCount('here', word), { code: 'FORMAT_UNREADABLE' })
  }
})
