import sharp from 'sharp'
import t from 'tap'
import { pngWithText } from '../../runtime/png-text.ts'

t.test('the text can be read by another reader, and the picture is the same', async (t) => {
  const pixels = Uint8Array.from([1, 2, 3, 4])
  const png = await sharp(pixels, { raw: { width: 2, height: 2, channels: 1 } })
    .png()
    .toBuffer()
  const marked = pngWithText(png, 'key', 'wörds')
  t.match((await sharp(marked).metadata()).comments, [{ text: 'wörds' }])
  t.same(await sharp(marked).raw().toBuffer(), await sharp(png).raw().toBuffer())
})
