import sharp, { type Color } from 'sharp'
import t from 'tap'
import { readPicture } from '../../../drivers/formats/picture.ts'
import { pngFile } from '../../support/point-map-files.ts'

t.test('reads PNG losslessly, with nothing to remark', async (t) => {
  const picture = await readPicture('a.png', await pngFile(9, 5, 3))
  t.match(picture, { width: 9, height: 5, remarks: [] })
  t.same(
    picture.pixels,
    Uint8Array.from({ length: 135 }, (_, i) => (i * 7 + 3) % 256),
  )
})

const flat = (channels: 3 | 4, background: Color) =>
  sharp({ create: { width: 4, height: 3, channels, background } })

t.test('grey is replicated, alpha dropped, 16 bits scaled, and each is said', async (t) => {
  const grey = await readPicture(
    'a.png',
    await flat(3, { r: 90, g: 90, b: 90 }).toColourspace('b-w').png().toBuffer(),
  )
  t.same(grey.remarks, ['grey-replicated'])
  t.same(grey.pixels, new Uint8Array(36).fill(90))

  const alpha = await readPicture(
    'a.png',
    await flat(4, { r: 200, g: 100, b: 50, alpha: 0.5 }).png().toBuffer(),
  )
  t.same(alpha.remarks, ['alpha-dropped'])
  t.same([...alpha.pixels.subarray(0, 3)], [200, 100, 50], 'the colours are those that were stored')

  const deep = Uint16Array.from({ length: 36 }, () => 0xabcd)
  const sixteen = await sharp(deep, { raw: { width: 4, height: 3, channels: 3 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  const scaled = await readPicture('a.png', sixteen)
  t.same(scaled.remarks, ['sixteen-bit-scaled'])
  t.same(scaled.pixels, new Uint8Array(36).fill(0xab))
})

t.test('an EXIF orientation is not applied: it would turn the picture away from its map', async (t) => {
  const picture = await readPicture(
    'a.jpg',
    await flat(3, 'red').jpeg().withMetadata({ orientation: 6 }).toBuffer(),
  )
  t.match(picture, { width: 4, height: 3, remarks: ['orientation-ignored'] })
})

t.test('refuses what is no 8- or 16-bit picture, saying why', async (t) => {
  const png = await pngFile(9, 5)
  await t.rejects(readPicture('a.png', Buffer.from('text')), {
    code: 'FORMAT_UNREADABLE',
    message: /^a.png: expected a PNG/,
  })
  await t.rejects(readPicture('a.png', png.subarray(0, 60)), { code: 'FORMAT_UNREADABLE' })
  await t.rejects(readPicture('a.png', png, { maxPixels: 44 }), {
    code: 'FORMAT_TOO_LARGE',
    message: /9 x 5/,
  })
  const webp = await flat(3, 'red').webp().toBuffer()
  await t.rejects(readPicture('a.png', webp), { code: 'FORMAT_UNSUPPORTED', message: /webp/ })
  const cmyk = await flat(3, 'red').toColourspace('cmyk').jpeg().toBuffer()
  await t.rejects(readPicture('a.jpg', cmyk), { code: 'FORMAT_UNSUPPORTED', message: /cmyk/ })
  const pages = await sharp([png, png], { join: { animated: true } })
    .tiff()
    .toBuffer()
  await t.rejects(readPicture('a.tif', pages), { code: 'FORMAT_UNSUPPORTED', message: /2 pages/ })
})

t.test('grey and alpha in separate planes are refused: libvips would mix up their rows', async (t) => {
  // 2 x 2, rows 10 20 and 30 40, opaque; written by tifffile with planarconfig='separate'.
  const planes =
    'SUkqAAgAAAAOAAABBAABAAAAAgAAAAEBBAABAAAAAgAAAAIBAwACAAAACAAIAAMBAwABAAAAAQAAAAYBAwABAAAAAQAAABEB' +
    'BAACAAAAtgAAABUBAwABAAAAAgAAABYBBAABAAAAAgAAABcBAwACAAAABAAEABoBBQABAAAAvgAAABsBBQABAAAAxgAAABwB' +
    'AwABAAAAAgAAACgBAwABAAAAAQAAAFIBAwABAAAAAgAAAAAAAADQAAAA1AAAAAEAAAABAAAAAQAAAAEAAAAAAAoUHij/////'
  await t.rejects(readPicture('a.tif', Buffer.from(planes, 'base64')), {
    code: 'FORMAT_UNSUPPORTED',
    message: /separate planes/,
  })
})
