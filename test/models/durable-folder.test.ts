import t from 'tap'
import * as files from 'node:fs/promises'
import path from 'node:path'
import { replaceFile, writeFolder, type FileSystem } from '../../models/durable-folder.ts'

/** A file system whose power is cut before its n-th call; every later call fails too. Calls are logged. */
function cutAfter(calls: number): { fileSystem: FileSystem; log: string[] } {
  const log: string[] = []
  const step = (name: string, target: unknown): void => {
    if (log.length >= calls) throw new Error('power cut')
    log.push(`${name} ${path.basename(String(target))}`)
  }
  const fileSystem = {
    async mkdir(...args: Parameters<typeof files.mkdir>) {
      step('mkdir', args[0])
      return files.mkdir(...args)
    },
    async rename(...args: Parameters<typeof files.rename>) {
      step('rename', args[1])
      return files.rename(...args)
    },
    async rm(...args: Parameters<typeof files.rm>) {
      step('rm', args[0])
      return files.rm(...args)
    },
    async open(...args: Parameters<typeof files.open>) {
      step('open', args[0])
      const handle = await files.open(...args)
      return {
        async writeFile(bytes: Uint8Array) {
          try {
            step('write', args[0])
          } catch (error) {
            await handle.writeFile(bytes.subarray(0, bytes.length >> 1))
            throw error
          }
          await handle.writeFile(bytes)
        },
        async sync() {
          step('sync', args[0])
          await handle.sync()
        },
        close: () => handle.close(),
      }
    },
  }
  return { fileSystem: fileSystem as unknown as FileSystem, log }
}

const contents = new Map([
  ['a', Buffer.from('first')],
  ['b', Buffer.from('second')],
])

t.test('a folder is whole or absent wherever the power is cut, and the next attempt succeeds', async (t) => {
  let calls = 0
  for (let finished = false; !finished; calls++) {
    const folder = path.join(t.testdir(), 'product', 'id')
    const { fileSystem } = cutAfter(calls)
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

t.test('every file is flushed before the rename, and every folder above after it', async (t) => {
  const { fileSystem, log } = cutAfter(Infinity)
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
    finished = await replaceFile(file, Buffer.from('new'), cutAfter(calls).fileSystem).then(
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
