import { join } from 'node:path'
import t from 'tap'
import { readWholeFile } from '../../../drivers/formats/read-whole-file.ts'

t.test('reads a regular file within the limit, and nothing else', async (t) => {
  const folder = t.testdir({ 'a.bin': 'four' })
  const path = join(folder, 'a.bin')
  t.same(Buffer.from(await readWholeFile(path, { signal: new AbortController().signal })).toString(), 'four')
  await t.rejects(readWholeFile(path, { limits: { maxFileBytes: 3 } }), {
    code: 'FORMAT_TOO_LARGE',
    message: /4 bytes/,
  })
  await t.rejects(readWholeFile(folder), { code: 'FORMAT_UNREADABLE', message: /regular file/ })
  await t.rejects(readWholeFile(join(folder, 'none')), {
    code: 'FORMAT_UNREADABLE',
    cause: { code: 'ENOENT' },
  })
})

t.test('an abort rejects with the signal’s reason, not as a bad file', async (t) => {
  const folder = t.testdir({ 'a.bin': 'four' })
  const reason = new Error('the line stopped')
  await t.rejects(readWholeFile(join(folder, 'a.bin'), { signal: AbortSignal.abort(reason) }), reason)
})
