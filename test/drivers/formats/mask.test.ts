import sharp from 'sharp'
import t from 'tap'
import { readMask } from '../../../drivers/formats/mask.ts'
import { greyPngFile } from '../../support/point-map-files.ts'

t.test('anything above zero is a defect: MVTec writes class ids from 252 up', async (t) => {
  const mask = await readMask('000.png', await greyPngFile(3, 2, Uint8Array.of(0, 1, 252, 253, 254, 255)))
  t.same(mask, { width: 3, height: 2, pixels: Uint8Array.of(0, 255, 255, 255, 255, 255) })
})

t.test('a 16-bit mask is refused: small ids would be scaled away', async (t) => {
  const deep = await sharp(new Uint16Array(12), { raw: { width: 2, height: 2, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  await t.rejects(readMask('000.png', deep), { code: 'FORMAT_UNSUPPORTED', message: /16-bit/ })
})
