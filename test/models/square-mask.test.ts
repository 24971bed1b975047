import t from 'tap'
import { maskedPatches, squareMask } from '../../models/square-mask.ts'

t.test('a mask is padded and picked like the points', async (t) => {
  // A 200 x 100 frame in a 200 square, so 50 rows of padding above; the mask covers the frame.
  const mask = { width: 200, height: 100, pixels: new Uint8Array(20_000).fill(9) }
  const square = squareMask(mask, { frameWidth: 200, frameHeight: 100, side: 200, padTop: 50, padLeft: 0 })
  const rowIs = (row: number) => square.pixels[row * 224 + 100]
  t.same([rowIs(55), rowIs(57), rowIs(166), rowIs(168)], [0, 9, 9, 0])
  t.equal(
    square.pixels.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0),
    112 * 224,
  )
})

t.test('the patches of a defect are those that it covers a quarter of', async (t) => {
  const mask = { width: 224, height: 224, pixels: new Uint8Array(224 * 224) }
  for (let y = 80; y < 96; y++) mask.pixels.fill(255, y * 224 + 80, y * 224 + 96)
  const patches = maskedPatches(mask)
  const covered = patches.reduce((sum, patch) => sum + patch, 0)
  t.ok(covered >= 4 && covered <= 9, `${covered} patches`)
  t.equal(maskedPatches({ ...mask, pixels: new Uint8Array(224 * 224) }).includes(1), false)
})
