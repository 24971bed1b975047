import t from 'tap'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openArchive, packArchive } from '../../models/archive.ts'
import { sha256Of } from '../../models/content-id.ts'
import { tarOf, type RawEntry } from '../support/tar-of.ts'

const first = { name: 'first', bytes: Buffer.alloc(700, 'a') }
const second = { name: 'second', bytes: Buffer.alloc(100_000, 'b') }
const names = ['first', 'second']
const archive = await packArchive([first, second])
const inbox = path.join(t.testdir(), 'inbox')

async function taken(bytes: Uint8Array, signal?: AbortSignal): Promise<Uint8Array[]> {
  await writeFile(inbox, bytes)
  const reader = await openArchive(inbox, { names, mostBytes: 1 << 20, ...(signal && { signal }) })
  try {
    const files = [await reader.take('first', 1000), await reader.take('second', 200_000)]
    await reader.end()
    return files
  } finally {
    await reader.close()
  }
}

t.test('what was packed is taken, and the bytes depend on nothing but names and contents', async (t) => {
  t.same(await taken(archive), [first.bytes, second.bytes])
  t.same(await packArchive([first, second]), archive)
  const pinned = sha256Of(await packArchive([{ name: 'a', bytes: Buffer.from('b') }]))
  const known = '12b02ab61dfca1ad3b25e72571187f481cf98ed9b511eceb994ad36264dbcadc'
  t.equal(pinned, known, 'as every version wrote them: stations that run another one compare each byte')
})

t.test('an empty file is a file', async (t) => {
  await writeFile(inbox, await packArchive([{ name: 'first', bytes: new Uint8Array() }]))
  const reader = await openArchive(inbox, { names, mostBytes: 1 << 20 })
  t.same(await reader.take('first', 0), new Uint8Array())
  await reader.end()
  await reader.close()
})

t.test('an entry that no archive of ours has is refused before a byte of it is read', async (t) => {
  const bytes = Buffer.from('x')
  const cases: [what: string, said: RegExp, ...entries: RawEntry[]][] = [
    ['path traversal', /"\.\.\/\.\.\/etc\/passwd" leads out/, first, { name: '../../etc/passwd', bytes }],
    ['traversal in the middle', /leads out/, { name: 'a/../../b', bytes }],
    ['traversal with backslashes', /leads out/, { name: '..\\second', bytes }],
    ['an absolute name', /"\/etc\/passwd" leads out/, { name: '/etc/passwd', bytes }],
    ['a name in a folder', /expected nothing but first, second/, { name: './first', bytes }],
    ['another name', /"third", expected nothing but/, first, { name: 'third', bytes }],
    ['control characters', /"\\u001b\[2Jx"/, { name: '\u001b[2Jx', bytes }],
    ['a name without end', /"x{80}"\.\.\./, { name: 'x'.repeat(3000), bytes }],
    ['a symbolic link', /is a symlink/, first, { name: 'second', type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', /is a link/, first, { name: 'second', type: 'link', linkname: 'first' }],
    ['a folder', /is a directory/, { name: 'first', type: 'directory' }],
    ['a device', /is a character-device/, { name: 'first', type: 'character-device' }],
    ['a pipe', /is a fifo/, { name: 'first', type: 'fifo' }],
    ['a second one of a name', /a second 'first'/, first, first, second],
    ['another order', /expected 'first', found "second"/, second, first],
    ['an extended header', /extended header/, { ...first, pax: { comment: 'x' } }, second],
    ['a file that claims to be a link', /is a link/, { ...first, linkname: 'second' }, second],
  ]
  for (const [what, message, ...entries] of cases) {
    await t.rejects(taken(await tarOf(...entries)), { code: 'ARCHIVE_ENTRY', message }, what)
  }
})

t.test('what packing the contents would not give is refused, though the contents are right', async (t) => {
  const cases: [what: string, code: string, archive: Uint8Array][] = [
    ['an owner', 'ARCHIVE_UNREADABLE', await tarOf({ ...first, uid: 1000 }, second)],
    ['a time', 'ARCHIVE_UNREADABLE', await tarOf({ ...first, mtime: new Date(1000) }, second)],
    ['a mode', 'ARCHIVE_UNREADABLE', await tarOf({ ...first, mode: 0o777 }, second)],
    [
      'one more at the end',
      'ARCHIVE_TRAILING',
      await tarOf(first, second, { name: 'third', bytes: Buffer.from('x') }),
    ],
    [
      'one more instead of the end',
      'ARCHIVE_ENTRY',
      endingIn(await tarOf({ name: 'third', bytes: Buffer.alloc(0) })),
    ],
    ['something in the padding', 'ARCHIVE_UNREADABLE', withByte(512 + 700)],
    ['something in the end', 'ARCHIVE_UNREADABLE', withByte(archive.length - 1)],
  ]
  for (const [what, code, bytes] of cases) await t.rejects(taken(bytes), { code }, what)
})

function endingIn(tar: Buffer): Buffer {
  return Buffer.concat([archive.subarray(0, -1024), tar.subarray(0, 1024)])
}

function withByte(at: number): Buffer {
  const changed = Buffer.from(archive)
  changed[at] = 1
  return changed
}

t.test('what is cut short, goes on, or is no archive is refused', async (t) => {
  const cases: [what: string, code: string, bytes: Uint8Array][] = [
    ['nothing', 'ARCHIVE_TRUNCATED', Buffer.alloc(0)],
    ['half a header', 'ARCHIVE_TRUNCATED', archive.subarray(0, 300)],
    ['half the first', 'ARCHIVE_TRUNCATED', archive.subarray(0, 600)],
    ['only the first', 'ARCHIVE_TRUNCATED', archive.subarray(0, 1536)],
    ['half the second', 'ARCHIVE_TRUNCATED', archive.subarray(0, archive.length >> 1)],
    ['no end', 'ARCHIVE_TRUNCATED', archive.subarray(0, -1024)],
    ['half an end', 'ARCHIVE_TRUNCATED', archive.subarray(0, -512)],
    ['one byte less', 'ARCHIVE_TRUNCATED', archive.subarray(0, -1)],
    ['one byte more', 'ARCHIVE_TRAILING', Buffer.concat([archive, Buffer.from('x')])],
    ['zeros behind it', 'ARCHIVE_TRAILING', Buffer.concat([archive, Buffer.alloc(9216)])],
    ['another archive behind it', 'ARCHIVE_TRAILING', Buffer.concat([archive, archive])],
    ['text', 'ARCHIVE_UNREADABLE', Buffer.from('hello '.repeat(1000))],
    ['zeros', 'ARCHIVE_TRUNCATED', Buffer.alloc(10_240)],
  ]
  for (const [what, code, bytes] of cases) await t.rejects(taken(bytes), { code }, what)
})

t.test(
  'a size is held against its bound, and against what the file has, before memory is taken for it',
  async (t) => {
    const large = await packArchive([{ name: 'first', bytes: Buffer.alloc(1001) }, second])
    await t.rejects(taken(large), {
      code: 'ARCHIVE_OVERSIZED',
      message: /'first' has 1001 bytes, expected at most 1000/,
    })
    await t.rejects(taken(Buffer.alloc((1 << 20) + 1)), {
      code: 'ARCHIVE_OVERSIZED',
      message: /at most 1048576/,
    })
    const claims = Buffer.from(archive)
    const header = claims.subarray(1536, 2048)
    header.write('00000600000', 124)
    header.write('        ', 148)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')} `, 148)
    await t.rejects(taken(claims), {
      code: 'ARCHIVE_TRUNCATED',
      message: /'second' should have 196608 bytes, 101\d{3} are left/,
    })
  },
)

t.test('no file, a folder, or no permission to wait any longer', async (t) => {
  const options = { names, mostBytes: 1 << 20 }
  await t.rejects(openArchive(path.dirname(inbox), options), {
    code: 'ARCHIVE_UNREADABLE',
    message: /is no file/,
  })
  await t.rejects(openArchive(`${inbox}.absent`, options), { code: 'ARCHIVE_UNREADABLE' })
  await t.rejects(taken(archive, AbortSignal.abort(new Error('stopped'))), { cause: { message: 'stopped' } })
})
