import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { schemaFiles, writeSchemas } from '../../runtime/schema-files.ts'

const committed = join(import.meta.dirname, '../../docs/schemas')

t.test('docs/schemas is what messages.ts says (otherwise: npm run docs)', async (t) => {
  const expected = schemaFiles()
  t.same((await readdir(committed)).sort(), [...expected.keys()].sort())
  for (const [name, text] of expected) t.equal(await readFile(join(committed, name), 'utf8'), text, name)
})

t.test('the files are written as they are compared', async (t) => {
  const folder = join(t.testdir(), 'new')
  await writeSchemas(folder)
  t.equal(await readFile(join(folder, 'verdict.json'), 'utf8'), schemaFiles().get('verdict.json'))
})
