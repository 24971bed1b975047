import sharp from 'sharp'
import t from 'tap'
import { readDepthPicture } from '../../../drivers/formats/depth-picture.ts'
import { deepPngFile, greyPngFile, pngFile } from '../../support/point-map-files.ts'

t.test('all 16 bits arrive as they were stored', async (t) => {
  const depths = Uint16Array.of(0, 1, 255, 256, 13107, 65535)
  t.same(await readDepthPicture('d.png', await deepPngFile(3, 2, depths)), { width: 3, height: 2, depths })
})

t.test('a picture of 8 bits or of colours, a large one and no picture at all are refused', async (t) => {
  const shallow = await greyPngFile(2, 1, Uint8Array.of(1, 2))
  const refused = (bytes: Uint8Array, code: string, message: RegExp) =>
    t.rejects(readDepthPicture('d.png', bytes), { code, message })
  await refused(shallow, 'FORMAT_UNSUPPORTED', /d\.png: 1 channels of uchar, expected one of 16 bits/)
  await refused(await pngFile(2, 1), 'FORMAT_UNSUPPORTED', /3 channels/)
  const deep = await sharp(new Uint16Array(12), { raw: { width: 2, height: 2, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  await refused(deep, 'FORMAT_UNSUPPORTED', /3 channels of ushort/)
  await refused(Buffer.from('no picture'), 'FORMAT_UNREADABLE', /expected a 16-bit grey picture/)
  await t.rejects(readDepthPicture('d.png', await deepPngFile(3, 2, new Uint16Array(6)), { maxPixels: 5 }), {
    code: 'FORMAT_TOO_LARGE',
    message: /3 x 2 pixels, the limit is 5/,
  })
})
