import t from 'tap'
import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { folderNameOf } from '../../models/folder-name.ts'

t.test('plain names are themselves, odd ones stay one folder', async (t) => {
  t.equal(folderNameOf('nut_7-a'), 'nut_7-a')
  t.equal(folderNameOf('Lot 4/7'), 'Lot%204%2F7')
  t.equal(folderNameOf('..'), '%2E%2E')
  t.equal(folderNameOf('a.partial'), 'a%2Epartial')
  t.match(folderNameOf(''), /^=[0-9a-f]{64}$/)
  t.match(folderNameOf('\ud800'), /^=[0-9a-f]{64}$/)
  t.match(folderNameOf('ü'.repeat(200)), /^=[0-9a-f]{64}$/)
})

t.test('any two names have two folders, below the one they are put in', async (t) => {
  const root = t.testdir()
  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.constantFrom('', '.', '..', '/', '../x', '=', '\ud800', '\ud801', '\ufffd', 'a\0b', '%2E', 'con', '~'),
    fc
      .array(fc.integer({ min: 0xd700, max: 0xe000 }), { maxLength: 4 })
      .map((units) => String.fromCharCode(...units)),
  )
  const made = new Map<string, string>()
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      const folder = folderNameOf(text)
      const other = made.get(folder)
      if (other !== undefined && other !== text) return false
      made.set(folder, text)
      await mkdir(path.join(root, folder), { recursive: true })
      await mkdir(path.join(root, `${folder}.99.partial`), { recursive: true })
      return !folder.includes('.') && path.dirname(path.join(root, folder)) === root
    }),
    { numRuns: 500 },
  )
  t.equal((await readdir(root)).length, made.size * 2)
})
