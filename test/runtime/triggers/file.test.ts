import { mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { fileFeed } from '../../../runtime/triggers/file.ts'
import { makeAsk } from '../../support/asked.ts'
import { virtualClock } from '../../support/virtual-clock.ts'

function makeInbox(t: Test, files: Record<string, string | Record<string, string>>) {
  const folder = t.testdir(files)
  const clock = virtualClock()
  const stop = new AbortController()
  const refused: string[] = []
  const asked = makeAsk()
  const feed = fileFeed({ folder, clock, onRefused: ({ detail }) => refused.push(detail) })
  const feeding = feed(asked.ask, stop.signal)
  /** Real file operations need real turns of the event loop; the claim, not a pause, ends the wait. */
  const until = async (claim: () => boolean | Promise<boolean>) => {
    while (!(await claim())) await clock.advance(100)
  }
  const list = async (name: string) => (await readdir(join(folder, name)).catch(() => [])).sort()
  return { folder, clock, stop, refused, feeding, until, list, ...asked }
}

t.test('a file asks once, and moves to done after its verdict', async (t) => {
  const inbox = makeInbox(t, {
    'b.trigger': '',
    'a.trigger': 'p-1\n',
    'c.json': '{"partId":"p-3"}',
    'notes.txt': 'x',
  })
  await inbox.until(() => inbox.requests.length === 3)
  t.same(inbox.requests, [
    { source: 'file', partId: 'p-1' },
    { source: 'file', partId: 'b' },
    { source: 'file', partId: 'p-3' },
  ])
  await inbox.clock.advance(3000)
  t.equal(inbox.requests.length, 3, 'asked once')
  t.same(await inbox.list('done'), [], 'not done before the verdict')
  inbox.answerAll()
  await inbox.until(async () => (await inbox.list('done')).length === 3)
  t.same(await inbox.list(''), ['done', 'failed', 'notes.txt'])
  await rename(join(inbox.folder, 'done/a.trigger'), join(inbox.folder, 'a.trigger'))
  await inbox.until(() => inbox.requests.length === 4)
  t.pass('the same name may come again')
  inbox.answerAll()
  inbox.stop.abort()
  await inbox.feeding
  t.same(inbox.refused, [])
})

t.test('a malformed file is given a moment, then set aside and told', async (t) => {
  const inbox = makeInbox(t, {
    'bad.json': '{"partId":',
    'huge.trigger': 'x'.repeat(70_000),
    'list.json': '[]',
  })
  await inbox.until(async () => (await inbox.list('failed')).length === 3)
  t.same(inbox.requests, [])
  t.match(inbox.refused.sort(), [
    /bad\.json.*not JSON/,
    /huge\.trigger.*70000 bytes/,
    /list\.json.*not a trigger/,
  ])
  inbox.stop.abort()
  await inbox.feeding
})

t.test('a file that is still being written is read when it is complete', async (t) => {
  const inbox = makeInbox(t, { 'slow.json': '{"part' })
  await inbox.clock.advance(1500)
  await writeFile(join(inbox.folder, 'slow.json'), '{"partId":"p-1"}')
  await inbox.until(() => inbox.requests.length === 1)
  t.same(inbox.requests, [{ source: 'file', partId: 'p-1' }])
  t.same(inbox.refused, [])
  inbox.answerAll()
  inbox.stop.abort()
  await inbox.feeding
})

t.test('folders and links are not requests', async (t) => {
  const inbox = makeInbox(t, { 'real.txt': 'secret' })
  await mkdir(join(inbox.folder, 'x.json'))
  await symlink('real.txt', join(inbox.folder, 'link.trigger'))
  await inbox.clock.advance(3000)
  t.same(inbox.requests, [])
  inbox.stop.abort()
  await inbox.feeding
})

t.test('a done folder that cannot be tidied is told, and does not block the names in it', async (t) => {
  const kept = Object.fromEntries(Array.from({ length: 1101 }, (_, index) => [`old-${index}`, '']))
  const inbox = makeInbox(t, { 'a.trigger': '', done: kept })
  await symlink('nowhere', join(inbox.folder, 'done/dangling'))
  await inbox.until(() => inbox.requests.length === 1)
  inbox.answerAll()
  await inbox.until(() => inbox.refused.length === 1)
  t.match(inbox.refused, [/done: old files cannot be removed: ENOENT/])
  await rename(join(inbox.folder, 'done/a.trigger'), join(inbox.folder, 'a.trigger'))
  await inbox.until(() => inbox.requests.length === 2)
  inbox.answerAll()
  inbox.stop.abort()
  await inbox.feeding
})
