import t from 'tap'
import * as files from 'node:fs/promises'
import path from 'node:path'
import { removeFolder, removePartials, replaceFile, writeFolder } from '../../models/durable-folder.ts'
import { powerCutAfter } from '../support/power-cut.ts'

const contents = new Map([
  ['a', Buffer.from('first')],
  ['b', Buffer.from('second')],
])

t.test('a folder is whole or absent wherever the power is cut, and the next attempt succeeds', async (t) => {
  let calls = 0
  for (let finished = false; !finished; calls++) {
    const folder = path.join(t.testdir(), 'product', 'id')
    const { fileSystem } = powerCutAfter(calls)
    finished = await writeFolder(folder, contents, fileSystem).then(
      () => true,
      () => false,
    )
    const found = await files.readdir(folder).catch(() => undefined)
    if (found !== undefined) {
      t.same(found.sort(), ['a', 'b'], `cut after ${calls} calls`)
      t.equal(await files.readFile(path.join(folder, 'b'), 'utf8'), 'second')
    } else {
      await writeFolder(folder, contents)
      t.same((await files.readdir(folder)).sort(), ['a', 'b'])
      t.same(await files.readdir(path.dirname(folder)), ['id'], 'nothing partial is left')
    }
  }
  t.ok(calls > 10)
})

t.test('a disk that is full keeps no half of a folder, and what is in the way is told', async (t) => {
  const folder = path.join(t.testdir(), 'id')
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const open: typeof files.open = (...args) =>
    path.basename(String(args[0])) === 'b' ? Promise.reject(full) : files.open(...args)
  await t.rejects(writeFolder(folder, contents, { ...files, open }), { code: 'ENOSPC' })
  t.same(await files.readdir(path.dirname(folder)), [])
})

t.test('every file is flushed before the rename, and every folder above after it', async (t) => {
  const { fileSystem, log } = powerCutAfter(Infinity)
  await writeFolder(path.join(t.testdir(), 'product', 'id'), contents, fileSystem)
  const rename = log.indexOf('rename id')
  for (const file of ['sync a', 'sync b', 'sync id.partial'])
    t.ok(log.indexOf(file) < rename && log.includes(file), file)
  t.ok(log.indexOf('sync product') > rename)
  t.same(log.at(-1), `sync ${path.basename(t.testdirName)}`, 'up to the folder that was there before')
})

t.test('a file is the old or the new one wherever the power is cut', async (t) => {
  const file = path.join(t.testdir(), 'active')
  let calls = 0
  for (let finished = false; !finished; calls++) {
    await files.writeFile(file, 'old')
    finished = await replaceFile(file, Buffer.from('new'), powerCutAfter(calls).fileSystem).then(
      () => true,
      () => false,
    )
    t.match(
      await files.readFile(file, 'utf8'),
      finished ? /^new$/ : /^(old|new)$/,
      `cut after ${calls} calls`,
    )
  }
  t.ok(calls > 4)
})

t.test(
  'a folder that is removed is whole or gone wherever the power is cut, and no later one finds the rest',
  async (t) => {
    const outcomes = new Set<string>()
    let calls = 0
    for (let finished = false; !finished; calls++) {
      const folder = path.join(t.testdir(), 'product', 'id')
      await writeFolder(folder, contents)
      finished = await removeFolder(folder, powerCutAfter(calls).fileSystem).then(
        () => true,
        () => false,
      )
      const found = await files.readdir(folder).catch(() => undefined)
      outcomes.add(found === undefined ? 'gone' : found.sort().join())
      await removePartials(path.dirname(folder))
      t.same(
        await files.readdir(path.dirname(folder)),
        found === undefined ? [] : ['id'],
        `cut after ${calls} calls`,
      )
      await removeFolder(folder)
      await writeFolder(folder, contents)
    }
    t.same([...outcomes], ['a,b', 'gone'])
    await removeFolder(path.join(t.testdirName, 'nowhere'))
    t.same(await removePartials(path.join(t.testdirName, 'nowhere')), [])
  },
)

t.test('where even a rename needs room the files go from where they are', async (t) => {
  const folder = path.join(t.testdir(), 'id')
  await writeFolder(folder, contents)
  const rename = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
  await removeFolder(folder, { ...files, rename })
  t.same(await files.readdir(t.testdirName), [])
  const denied = () => Promise.reject(Object.assign(new Error('not yours'), { code: 'EACCES' }))
  await writeFolder(folder, contents)
  await t.rejects(removeFolder(folder, { ...files, rename: denied }), { code: 'EACCES' })
})
