import t from 'tap'
import { oneLine, textTable } from '../../runtime/text-table.ts'

t.test(
  'columns are as wide as their widest cell, numbers end where they end, lines have no trailing blanks',
  async (t) => {
    const rows = [
      ['bank', 'rows', ''],
      ['rgb', '7', 'x'],
    ]
    t.equal(textTable(rows, { right: [1], indent: '  ' }), '  bank  rows\n  rgb      7  x\n')
    t.equal(textTable([]), '')
  },
)

t.test('what somebody else wrote stays on its line and leaves the terminal alone', async (t) => {
  t.equal(oneLine('a\n\u001b[31mred\u202e\tb ', 50), 'a [31mred b')
  t.equal(oneLine('a long reason', 6), 'a lon…')
  t.equal(oneLine('fits', 4), 'fits')
})
