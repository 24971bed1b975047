import fc from 'fast-check'
import t from 'tap'
import { fillForeground } from '../../models/foreground.ts'

const SIZE = 224

function paint(isPart: (y: number, x: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: SIZE * SIZE }, (_, at) =>
    isPart(Math.floor(at / SIZE), at % SIZE) ? 1 : 0,
  )
}

const within = (
  y: number,
  x: number,
  [top, left, bottom, right]: readonly [number, number, number, number],
) => y >= top && y < bottom && x >= left && x < right

t.test('a hole of any size inside the part is part of it', async (t) => {
  const block = paint((y, x) => within(y, x, [40, 50, 160, 170]))
  const holed = paint((y, x) => within(y, x, [40, 50, 160, 170]) && !within(y, x, [60, 70, 130, 140]))
  t.same(fillForeground(holed), block)
})

t.test('a slot of six pixels that opens to the outside is closed, one of seven is not', async (t) => {
  const slotted = (slot: number) =>
    paint((y, x) => within(y, x, [40, 40, 160, 160]) && !within(y, x, [40, 90, 120, 90 + slot]))
  const block = paint((y, x) => within(y, x, [40, 40, 160, 160]))
  t.same(fillForeground(slotted(6)), block)
  t.same(fillForeground(slotted(7)), slotted(7))
})

t.test('a part that touches the border keeps its shape there', async (t) => {
  const corner = paint((y, x) => within(y, x, [0, 0, 30, 50]) || within(y, x, [200, 180, 224, 224]))
  t.same(fillForeground(corner), corner)
})

t.test('nothing stays nothing, everything stays everything', async (t) => {
  t.same(fillForeground(new Uint8Array(SIZE * SIZE)), new Uint8Array(SIZE * SIZE))
  t.same(fillForeground(new Uint8Array(SIZE * SIZE).fill(1)), new Uint8Array(SIZE * SIZE).fill(1))
})

t.test('filling never removes a pixel, and a second time finds nothing left to fill', async () => {
  const square = fc.tuple(fc.nat(200), fc.nat(200), fc.integer({ min: 1, max: 60 }))
  fc.assert(
    fc.property(fc.array(square, { maxLength: 12 }), (squares) => {
      const part = paint((y, x) =>
        squares.some(([top, left, side]) => within(y, x, [top, left, top + side, left + side])),
      )
      const filled = fillForeground(part)
      const again = fillForeground(filled)
      return part.every((is, at) => filled[at]! >= is) && filled.every((is, at) => again[at] === is)
    }),
    { numRuns: 20 },
  )
})
