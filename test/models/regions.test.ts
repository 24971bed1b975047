import t from 'tap'
import { hotRegions } from '../../models/regions.ts'

const SIZE = 224
const whole = { frameWidth: SIZE, frameHeight: SIZE, side: SIZE, padTop: 0, padLeft: 0 }

function mapWith(
  boxes: readonly (readonly [x: number, y: number, width: number, height: number, value: number])[],
) {
  const map = new Float32Array(SIZE * SIZE).fill(0.2)
  for (const [left, top, width, height, value] of boxes) {
    for (let y = top; y < top + height; y++) map.fill(value, y * SIZE + left, y * SIZE + left + width)
  }
  return map
}

t.test('each connected patch above the threshold is one box, hottest first', async (t) => {
  const map = mapWith([
    [10, 20, 5, 4, 1.5],
    [100, 100, 10, 10, 3],
  ])
  t.same(hotRegions(map, whole), [
    { x: 100, y: 100, width: 10, height: 10, peak: 3 },
    { x: 10, y: 20, width: 5, height: 4, peak: 1.5 },
  ])
})

t.test('pixels that touch at a corner belong together; the threshold itself is hot', async (t) => {
  const map = mapWith([
    [10, 10, 2, 2, 1],
    [12, 12, 2, 2, 1],
  ])
  t.same(hotRegions(map, whole), [{ x: 10, y: 10, width: 4, height: 4, peak: 1 }])
})

t.test('nothing hot, or nothing but NaN: no region', async (t) => {
  t.same(hotRegions(mapWith([]), whole), [])
  t.same(hotRegions(new Float32Array(SIZE * SIZE).fill(Number.NaN), whole), [])
})

t.test('the whole map hot is one region and no stack overflow', async (t) => {
  t.same(hotRegions(mapWith([[0, 0, SIZE, SIZE, 2]]), whole), [
    { x: 0, y: 0, width: SIZE, height: SIZE, peak: 2 },
  ])
})

t.test('the five hottest are kept', async (t) => {
  const boxes = [1, 2, 3, 4, 5, 6, 7].map((n) => [n * 20, 50, 4, 4, n] as const)
  t.same(
    hotRegions(mapWith(boxes), whole).map(({ peak }) => peak),
    [7, 6, 5, 4, 3],
  )
})

t.test('boxes are in frame pixels: scaled, moved by the padding, cut at the frame', async (t) => {
  // A 400 x 300 frame in a 448 square: two frame pixels per map pixel.
  const placement = { frameWidth: 400, frameHeight: 300, side: 448, padTop: 74, padLeft: 24 }
  const map = mapWith([
    [50, 60, 10, 10, 2],
    [8, 100, 10, 4, 1.5],
    [0, 0, 5, 5, 9],
  ])
  t.same(hotRegions(map, placement), [
    { x: 76, y: 46, width: 20, height: 20, peak: 2 },
    { x: 0, y: 126, width: 12, height: 8, peak: 1.5 },
  ])
})
