import t from 'tap'
import { letter } from '../../../drivers/synthetic/glyphs.ts'

t.test('letters read as letters', async (t) => {
  const { inkAt, widthUnits } = letter('L1')
  t.equal(widthUnits, 11)
  const picture = Array.from({ length: 7 }, (_, row) =>
    Array.from({ length: 11 }, (_, column) => (inkAt(column + 0.5, row + 0.5) > 0.5 ? '#' : '.')).join(''),
  )
  t.same(picture, [
    '#.......#..',
    '#......##..',
    '#.......#..',
    '#.......#..',
    '#.......#..',
    '#.......#..',
    '#####..###.',
  ])
})

t.test('unknown characters and the space around the text are blank', async (t) => {
  const { inkAt } = letter('~')
  for (const [x, y] of [
    [2.5, 3.5],
    [-9, 3],
    [2, 40],
  ] as const) {
    t.equal(inkAt(x, y), 0)
  }
})
