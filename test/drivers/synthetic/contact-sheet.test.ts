import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { CATEGORIES } from '../../../drivers/synthetic/catalogue.ts'
import { contactSheet, writeSheet } from '../../../drivers/synthetic/contact-sheet.ts'

t.test('a sheet has a row per category and a column per good part, depth and defect', async (t) => {
  const tile = 24
  const sheet = contactSheet({ categories: ['gear', 'tomato'], tile, seed: 1, good: 2 })
  const columns = 3 + Math.max(CATEGORIES.gear.defects.length, CATEGORIES.tomato.defects.length)
  t.equal(sheet.width, columns * tile)
  t.equal(sheet.height, 2 * tile)
  t.equal(sheet.pixels.length, sheet.width * sheet.height * 3)
  for (const row of [0, 1]) {
    for (const column of [0, 1, 2, 3]) {
      const values = new Set<number>()
      for (let y = 0; y < tile; y++) {
        const start = ((row * tile + y) * sheet.width + column * tile) * 3
        for (const value of sheet.pixels.subarray(start, start + tile * 3)) values.add(value)
      }
      t.ok(values.size > 20, `tile ${row}, ${column} shows something`)
    }
  }
  const file = join(t.testdir(), 'sheet.png')
  await writeSheet(sheet, file)
  const read = await sharp(file).raw().toBuffer()
  t.same(new Uint8Array(read), sheet.pixels)
})
