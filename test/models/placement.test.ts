import t from 'tap'
import { placeInSquare } from '../../models/placement.ts'

t.test('a frame is padded to whole hundreds, the odd pixel below and right', async (t) => {
  for (const [width, height, side, padLeft, padTop] of [
    [400, 400, 400, 0, 0],
    [401, 400, 500, 49, 50],
    [97, 61, 100, 1, 19],
    [640, 480, 700, 30, 110],
  ] as const) {
    t.same(placeInSquare(width, height), { frameWidth: width, frameHeight: height, side, padTop, padLeft })
  }
})
