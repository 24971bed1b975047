import { spawnSync } from 'node:child_process'
import * as files from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { openSearch } from '../../models/nearest.ts'
import { repositoryFolder } from '../../models/repository-folder.ts'
import { loadRepository } from '../../models/repository.ts'
import { loadStoredPart, saveStoredPart } from '../../models/stored-part.ts'
import type { FileSystem } from '../../models/durable-folder.ts'
import { backUp, backupsIn, verifyBackup, type BackupOptions } from '../../runtime/backup.ts'
import { openLedger } from '../../runtime/ledger.ts'
import { powerCutAfter } from '../support/power-cut.ts'
import { putIntoUse } from '../support/put-into-use.ts'
import { onSmallDisk, smallDiskSkip } from '../support/small-disk.ts'
import { storedPart } from '../support/stored-parts.ts'
import { taughtRepository } from '../support/taught-repository.ts'

const search = await openSearch({ threads: 1 })
t.teardown(() => search.release())
const first = await taughtRepository(search)
const second = await taughtRepository(search, { seed: 2 })
const never = new AbortController().signal

/** A station with two repositories of a product and two golden parts. */
async function stationOf(t: Test) {
  const folder = t.testdir({})
  const stateDirectory = path.join(folder, 'state')
  const root = path.join(stateDirectory, 'repositories')
  await putIntoUse(root, 'widget', first)
  await putIntoUse(root, 'widget', second)
  for (const partId of ['dent-1', 'good-1']) {
    await saveStoredPart(path.join(stateDirectory, 'golden/widget', partId), storedPart({ partId }))
  }
  const ledger = openLedger(root, { busyMs: 50 })
  t.teardown(() => ledger.close())
  let nowMs = Date.parse('2026-11-28T02:00:00Z')
  const backups = path.join(folder, 'backups')
  const run = (changes: Partial<BackupOptions> = {}) => {
    nowMs += 86_400_000
    return backUp({
      stateDirectory,
      folder: backups,
      keep: 3,
      ledger,
      wallClock: () => nowMs,
      signal: never,
      ...changes,
    })
  }
  return {
    stateDirectory,
    root,
    ledger,
    backups,
    run,
    setWallClock: (text: string) => (nowMs = Date.parse(text)),
  }
}

const flipByte = async (file: string) => {
  const bytes = await files.readFile(file)
  bytes[bytes.length >> 1]! ^= 1
  await files.writeFile(file, bytes)
}

/** All files below a folder, by relative path, with what is in them. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await files.readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    found.set(path.relative(folder, file), await files.readFile(file, 'hex'))
  }
  return found
}

t.test('a back-up has the ledger, the repositories and the golden parts, and is whole', async (t) => {
  const { backups, run, stateDirectory } = await stationOf(t)
  const report = await run()
  t.match(report, {
    removed: [],
    skipped: [],
    damaged: [],
    files: 13,
    folder: /000001-2026-11-29T02-00-00Z$/,
  })
  const copied = await contentsOf(report.folder)
  const expected = await contentsOf(stateDirectory)
  expected.delete('repositories/ledger.sqlite')
  for (const [name, bytes] of expected) t.equal(copied.get(name), bytes, name)
  t.same([...copied.keys()].filter((name) => !expected.has(name)).sort(), [
    'RESTORE.txt',
    'SHA256SUMS',
    'repositories/ledger.sqlite',
  ])
  t.same(await verifyBackup(report.folder, never), [])
  t.same(await files.readdir(backups), [path.basename(report.folder)], 'nothing else is left')
})

t.test('restored by copying back as RESTORE.txt says, the station is as it was', async (t) => {
  const { run, root, ledger, stateDirectory } = await stationOf(t)
  const history = ledger.history({ limit: 10 })
  const { folder } = await run()
  ledger.close()
  t.equal(spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: folder }).status, 0)
  await files.rm(stateDirectory, { recursive: true })
  t.match(await files.readFile(path.join(folder, 'RESTORE.txt'), 'utf8'), /cp -r repositories golden/)
  for (const name of ['repositories', 'golden']) {
    await files.cp(path.join(folder, name), path.join(stateDirectory, name), { recursive: true })
  }
  t.equal(ledger.active('widget'), second.id)
  t.same(ledger.history({ limit: 10 }), history)
  for (const repository of [first, second]) {
    const loaded = await loadRepository(repositoryFolder(root, 'widget', repository.id), {
      bundleId: repository.manifest.bundle.id,
    })
    t.same(loaded, repository)
  }
  const part = await loadStoredPart(path.join(stateDirectory, 'golden/widget/dent-1'), 'all')
  t.equal(part.defect, 'scratch')
  ledger.record({ product: 'widget', action: 'golden', who: 'ada', why: 'it goes on' })
})

t.test('the newest few are kept, by their number and not by a clock that was wrong', async (t) => {
  const { backups, run, setWallClock } = await stationOf(t)
  setWallClock('2041-01-01T00:00:00Z')
  await run()
  setWallClock('1970-01-01T00:00:00Z')
  await run()
  setWallClock('2026-11-28T02:00:00Z')
  await run()
  t.same((await run()).removed, ['000001-2041-01-02T00-00-00Z'])
  t.same(await backupsIn(backups), [
    '000004-2026-11-30T02-00-00Z',
    '000003-2026-11-29T02-00-00Z',
    '000002-1970-01-02T00-00-00Z',
  ])
  await files.mkdir(path.join(backups, 'mine'))
  await files.writeFile(path.join(backups, '000001-note.txt'), 'not a back-up')
  t.same((await run({ keep: 1 })).removed.length, 3)
  t.same((await files.readdir(backups)).sort(), ['000001-note.txt', '000005-2026-12-01T02-00-00Z', 'mine'])
})

t.test(
  'killed at any call there is the old or the new one, whole, and the next run clears the rest',
  async (t) => {
    const { backups, run, stateDirectory } = await stationOf(t)
    await files.rm(repositoryFolder(path.join(stateDirectory, 'repositories'), 'widget', first.id), {
      recursive: true,
    })
    const whole = powerCutAfter(Infinity)
    await run({ keep: 1 })
    await run({ fileSystem: whole.fileSystem, keep: 1 })
    const most = whole.log.length
    // Every third call of the copying, every one of the end.
    for (let calls = 0; calls <= most + 2; calls += calls < most - 15 ? 3 : 1) {
      const { fileSystem } = powerCutAfter(calls)
      const code = await run({ fileSystem, keep: 1 }).then(
        () => undefined,
        (error: { code?: string }) => error.code,
      )
      t.equal(code, calls < most ? 'BACKUP_FAILED' : undefined, `cut after ${calls} of ${most} calls`)
      const names = await backupsIn(backups)
      t.ok(names.length >= 1)
      for (const name of names) t.same(await verifyBackup(path.join(backups, name), never), [])
      const { folder } = await run({ keep: 1 })
      t.same(await files.readdir(backups), [path.basename(folder)])
    }
    t.ok(most > 50, `${most} calls`)
  },
)

t.test('a full disk leaves the older back-ups as they were, and no half a one', async (t) => {
  const { backups, run } = await stationOf(t)
  const { folder } = await run()
  let room = 50_000
  const full = {
    ...files,
    async open(...args: Parameters<typeof files.open>) {
      const handle = await files.open(...args)
      return {
        async writeFile(bytes: Uint8Array) {
          room -= bytes.length
          if (room < 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
          await handle.writeFile(bytes)
        },
        sync: () => handle.sync(),
        close: () => handle.close(),
      }
    },
  } as unknown as FileSystem
  await t.rejects(run({ fileSystem: full, keep: 1 }), { code: 'BACKUP_FAILED', message: /no space left/ })
  t.same(await files.readdir(backups), [path.basename(folder)])
  t.same(await verifyBackup(folder, never), [])
})

t.test('on a disk that is really full, too', { skip: smallDiskSkip }, async (t) => {
  const said = await onSmallDisk({
    folder: t.testdir({}),
    mebibytes: 4,
    imports: {
      'runtime/backup.ts': ['backUp', 'backupsIn', 'verifyBackup'],
      'runtime/ledger.ts': ['openLedger'],
    },
    script: `
      import { readdirSync } from 'node:fs'
      const state = disk + '/state', folder = disk + '/backups'
      const ledger = openLedger(state + '/repositories')
      for (let i = 0; i < 50; i++) ledger.record({ product: 'nut', action: 'alarm', who: 'x', why: 'y'.repeat(1500) })
      const signal = new AbortController().signal
      const run = () => backUp({ stateDirectory: state, folder, keep: 2, ledger, wallClock: () => 0, signal })
      await run()
      fillDisk()
      say(await run().catch((error) => error.code))
      say(readdirSync(folder).length)
      const [name] = await backupsIn(folder)
      say(await verifyBackup(folder + '/' + name, signal))
      say(ledger.history({ limit: 100 }).length)
    `,
  })
  t.same(said, ['BACKUP_FAILED', 1, [], 50])
})

t.test('what is damaged here is taken from the newest back-up that has it whole, and said', async (t) => {
  const { root, run, stateDirectory } = await stationOf(t)
  await run()
  const whole = await run()
  const banks = path.join(repositoryFolder(root, 'widget', second.id), 'banks.safetensors')
  await flipByte(banks)
  const dent = path.join(stateDirectory, 'golden/widget/dent-1')
  await flipByte(path.join(dent, 'frames.safetensors'))
  const report = await run()
  const takenFrom = path.basename(whole.folder)
  t.match(report.damaged, [
    { path: 'golden/widget/dent-1', detail: /frames\.safetensors/, takenFrom },
    { path: `repositories/widget/${second.id}`, detail: /banks\.safetensors has SHA-256/, takenFrom },
  ])
  t.same(
    await contentsOf(path.join(report.folder, 'golden')),
    await contentsOf(path.join(whole.folder, 'golden')),
  )
  for (let night = 0; night < 5; night++) await run()
  const last = await run()
  const copy = path.join(last.folder, 'repositories/widget', second.id)
  t.same(await loadRepository(copy, { bundleId: 'bundle-1' }), second, 'however many nights later')
})

t.test('what is damaged and in no back-up is said, and the rest is backed up', async (t) => {
  const { root, run } = await stationOf(t)
  await files.rm(repositoryFolder(root, 'widget', second.id), { recursive: true })
  await flipByte(path.join(repositoryFolder(root, 'widget', first.id), 'manifest.json'))
  const report = await run()
  t.same(
    report.damaged.map(({ path, takenFrom }) => ({ path, takenFrom })),
    [first, second]
      .map(({ id }) => ({ path: `repositories/widget/${id}`, takenFrom: undefined }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    'one is damaged; the one in use is not there at all',
  )
  t.same(await files.readdir(path.join(report.folder, 'repositories/widget')), [])
  t.same(await verifyBackup(report.folder, never), [])
})

t.test(
  'a damaged ledger does not keep the rest from being backed up, nor push out its last copy',
  async (t) => {
    const { ledger, root, run } = await stationOf(t)
    const whole = await run()
    ledger.close()
    await files.writeFile(path.join(root, 'ledger.sqlite'), 'no ledger at all '.repeat(100))
    for (let night = 0; night < 4; night++) {
      const report = await run({ keep: 2 })
      t.match(report.damaged, [{ path: 'repositories/ledger.sqlite', takenFrom: /^00000\d/ }])
      const copy = openLedger(path.join(report.folder, 'repositories'))
      t.equal(copy.active('widget'), second.id)
      copy.close()
    }
    await t.rejects(files.stat(whole.folder), { code: 'ENOENT' })
  },
)

t.test('links are not followed and what is half written is left out', async (t) => {
  const { root, run, stateDirectory } = await stationOf(t)
  const secret = path.join(t.testdirName, 'secret')
  await files.mkdir(secret)
  await files.writeFile(path.join(secret, 'key'), 'secret')
  await files.symlink(secret, path.join(stateDirectory, 'golden/linked-product'))
  await files.symlink(secret, path.join(stateDirectory, 'golden/widget/linked-part'))
  await files.symlink(path.join(secret, 'key'), path.join(stateDirectory, 'golden/widget/dent-1/link'))
  await files.symlink(secret, path.join(root, 'widget/partial-id'))
  await files.mkdir(path.join(root, 'widget', `${'a'.repeat(64)}.partial`))
  await files.mkdir(path.join(root, 'widget', `${'b'.repeat(64)}.removed`))
  const report = await run()
  t.same([...report.skipped].sort(), [
    'golden/linked-product',
    'golden/widget/dent-1/link',
    'golden/widget/linked-part',
    'repositories/widget/partial-id',
  ])
  t.same(report.damaged, [])
  const copied = await contentsOf(report.folder)
  t.equal(report.files, 13)
  t.notOk([...copied.values()].includes(Buffer.from('secret').toString('hex')))
  t.notOk([...copied.keys()].some((name) => /link|partial|removed/.test(name)))
})

t.test('a repository that is pruned meanwhile is not missed', async (t) => {
  const { root, run } = await stationOf(t)
  const pruned = repositoryFolder(root, 'widget', first.id)
  const prune = {
    ...files,
    async mkdir(...args: Parameters<typeof files.mkdir>) {
      if (String(args[0]).endsWith(first.id)) await files.rm(pruned, { recursive: true, force: true })
      return files.mkdir(...args)
    },
  } as unknown as FileSystem
  const report = await run({ fileSystem: prune })
  t.same(report.damaged, [])
  t.same(await files.readdir(path.join(report.folder, 'repositories/widget')), [second.id])
})

t.test('a station that was never taught has an empty back-up', async (t) => {
  const stateDirectory = path.join(t.testdir({}), 'state')
  await files.mkdir(stateDirectory)
  const ledger = openLedger(path.join(stateDirectory, 'repositories'))
  t.teardown(() => ledger.close())
  const folder = path.join(stateDirectory, 'backup')
  const report = await backUp({ stateDirectory, folder, keep: 1, ledger, wallClock: Date.now, signal: never })
  t.match(report, { files: 0, bytes: 0, damaged: [] })
  t.same(await files.readdir(stateDirectory), ['backup'], 'looking leaves nothing behind')
})

t.test('a folder inside what is copied is refused', async (t) => {
  const { run, stateDirectory } = await stationOf(t)
  for (const inside of ['golden', 'repositories/widget', 'golden/widget/dent-1/x']) {
    await t.rejects(run({ folder: path.join(stateDirectory, inside) }), {
      code: 'BACKUP_FAILED',
      message: /choose another folder/,
    })
  }
  await run({ folder: path.join(stateDirectory, 'golden-copies') })
})

t.test('it can be told to stop, and leaves nothing half', async (t) => {
  const { backups, run } = await stationOf(t)
  const stop = new AbortController()
  const stopping = {
    ...files,
    async mkdir(...args: Parameters<typeof files.mkdir>) {
      if (String(args[0]).endsWith('good-1')) stop.abort(new Error('stop'))
      return files.mkdir(...args)
    },
  } as unknown as FileSystem
  await t.rejects(run({ fileSystem: stopping, signal: stop.signal }), { message: 'stop' })
  t.same(await files.readdir(backups), [])
})

t.test('a changed, missing or foreign file of a back-up is found', async (t) => {
  const { run } = await stationOf(t)
  const { folder } = await run()
  const sums = await files.readFile(path.join(folder, 'SHA256SUMS'), 'utf8')
  await flipByte(path.join(folder, 'golden/widget/good-1/part.json'))
  await files.rm(path.join(folder, 'golden/widget/dent-1/part.json'))
  const problems = await verifyBackup(folder, never)
  t.equal(problems.length, 2)
  t.match(problems.join(), /dent-1\/part\.json.*ENOENT.*good-1\/part\.json: expected SHA-256/s)
  await files.writeFile(
    path.join(folder, 'SHA256SUMS'),
    `${'0'.repeat(64)}  ../../etc/passwd\nrubbish\n${sums}`,
  )
  t.equal((await verifyBackup(folder, never)).length, 4)
  await files.rm(path.join(folder, 'SHA256SUMS'))
  t.equal((await verifyBackup(folder, never)).length, 1)
})
