import t from 'tap'
import { spawn } from 'node:child_process'
import * as files from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { monotonicClock } from '../../drivers/clock.ts'
import type { FileSystem } from '../../models/durable-folder.ts'
import { openDatabase } from '../../runtime/database.ts'
import { openPartArchive, type ArchiveOptions, type PartArchive } from '../../runtime/part-archive.ts'
import type { RuntimeError } from '../../runtime/runtime-error.ts'
import { keptPart } from '../support/kept-part.ts'
import { closureOf, onSmallDisk, smallDiskSkip } from '../support/small-disk.ts'
import { transpiled } from '../support/transpiled.ts'

const { readdir, readFile, rm, writeFile } = files
const never = new AbortController().signal
const BOUNDS = { recentParts: 100, rejectBytes: 2 ** 30, rejectDays: 36_500 }
const REASONS = { as: 'accepted', who: 'eve', why: 'dust' } as const

function open(folder: string, options: Partial<ArchiveOptions> = {}): Promise<PartArchive> {
  return openPartArchive({ folder, role: 'owner', clock: monotonicClock, bounds: BOUNDS, ...options })
}

/** Offers parts one by one, so that none finds the queue full. */
async function keep(
  archive: PartArchive,
  parts: readonly Parameters<PartArchive['offer']>[0][],
): Promise<void> {
  for (const part of parts) {
    archive.offer(part)
    await archive.idle(never)
  }
}

const idsOf = (archive: PartArchive): string =>
  archive
    .search({ limit: 1000 })
    .map(({ triggerId }) => triggerId.replace('run-', ''))
    .join()

const foldersOf = async (folder: string): Promise<string[]> =>
  (await readdir(path.join(folder, 'nut')).catch(() => [])).sort()

const fail = (seq: number, fields = {}) => keptPart(seq, { outcome: 'fail', ...fields })

t.test('parts are kept, found and loaded, also by a guest and after a restart', async (t) => {
  const folder = path.join(t.testdir(), 'archive')
  const archive = await open(folder)
  await keep(archive, [keptPart(1), fail(2, { partId: 'Lot 4/7' })])
  t.match(archive.search({ limit: 9 }), [
    { triggerId: 'run-2', partId: 'Lot 4/7', hasFeatures: true, hasFrames: true, confirmed: 'none' },
    { triggerId: 'run-1', hasFeatures: true, hasFrames: false },
  ])
  const loaded = await archive.load('run-2', 'all')
  t.same(loaded.features, fail(2).features)
  t.same(loaded.frames.xyz?.pointsMetres, fail(2).sample?.frames.xyz?.pointsMetres)
  t.same((await archive.load('run-2', 'features')).frames, {})
  await t.rejects(archive.load('run-3', 'all'), { code: 'PART_UNKNOWN', message: /'run-3'/ })
  const guest = await open(folder, { role: 'guest' })
  t.equal(idsOf(guest), '2,1')
  t.same(await guest.load('run-2', 'all'), loaded)
  await guest.close(never)
  t.match(archive.stats(), { parts: 2, rejects: 1, kept: 2, dropped: 0, failed: 0, givenUp: 0 })
  await archive.close(never)
  await archive.close(never)
  const again = await open(folder)
  t.same(again.healed, { removed: [], takenIn: [], forgotten: [] })
  t.equal(idsOf(again), '2,1')
  await again.close(never)
})

t.test('asking for an archive makes none', async (t) => {
  const folder = path.join(t.testdir(), 'archive')
  await t.rejects(open(folder, { role: 'guest' }), { code: 'ARCHIVE_UNREADABLE', message: /no archive yet/ })
  t.same(await readdir(t.testdirName), [])
})

t.test('a part of which nothing is kept leaves its score', async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  const { facts, absent } = keptPart(1)
  await keep(archive, [{ facts, absent }])
  t.equal(idsOf(archive), '')
  t.match(archive.scores({ product: 'nut', condition: 'complete', limit: 9 }), [
    { triggerId: 'run-1', normality: 0.5 },
  ])
  t.same(await foldersOf(folder), [])
  await archive.close(never)
})

t.test('an offer never waits: a disk that hangs costs the newest parts, and they are counted', async (t) => {
  let release = (): void => undefined
  const hung = new Promise<void>((resolve) => (release = resolve))
  const fileSystem: FileSystem = {
    ...files,
    mkdir: (async (...args: Parameters<typeof files.mkdir>) => {
      await hung
      return files.mkdir(...args)
    }) as FileSystem['mkdir'],
  }
  const archive = await open(t.testdir(), { fileSystem })
  for (let seq = 1; seq <= 20; seq++) archive.offer(keptPart(seq))
  t.equal(archive.stats().dropped, 12)
  t.equal(idsOf(archive), '', 'searching waits for nothing either')
  await t.rejects(archive.idle(AbortSignal.abort(new Error('enough'))), { message: 'enough' })
  release()
  await archive.idle(never)
  t.equal(idsOf(archive), '8,7,6,5,4,3,2,1')
  await keep(archive, [keptPart(21)])
  t.match(archive.stats(), { kept: 9, dropped: 12 })
  await archive.close(never)
})

t.test('the queue is bounded in bytes as well, but one part of any size may wait', async (t) => {
  const archive = await open(t.testdir())
  const huge = (seq: number) => {
    const { facts, absent } = keptPart(seq)
    const values = new Float32Array(2 ** 24)
    return { facts, absent, map: { values, placement: {} as never } }
  }
  archive.offer(huge(1))
  archive.offer(huge(2))
  archive.offer(keptPart(3))
  t.equal(archive.stats().dropped, 2)
  await archive.idle(never)
  await archive.close(never)
})

t.test('closing keeps what waits, or drops it when patience ends', async (t) => {
  const folder = path.join(t.testdir(), 'a')
  const archive = await open(folder)
  for (let seq = 1; seq <= 5; seq++) archive.offer(keptPart(seq))
  await archive.close(never)
  archive.offer(keptPart(6))
  const again = await open(folder)
  t.equal(idsOf(again), '5,4,3,2,1')
  for (let seq = 6; seq <= 9; seq++) again.offer(keptPart(seq))
  await again.close(AbortSignal.abort())
  await again.idle(never)
  const third = await open(folder)
  const known = idsOf(third)
  t.ok(known === '5,4,3,2,1' || known === '6,5,4,3,2,1', known)
  t.same((await foldersOf(folder)).length, known.split(',').length, 'no files without a row')
  await third.close(never)
})

t.test('features are bounded by parts of each product, images by bytes and by days', async (t) => {
  const folder = t.testdir()
  let archive = await open(folder, { bounds: { ...BOUNDS, recentParts: 3 } })
  await keep(
    archive,
    [1, 2, 3, 4, 5].map((seq) => keptPart(seq)),
  )
  await keep(
    archive,
    [6, 7].map((seq) => keptPart(seq, { product: 'bolt' })),
  )
  t.equal(idsOf(archive), '7,6,5,4,3')
  t.same(await foldersOf(folder), ['run-3', 'run-4', 'run-5'])
  await keep(archive, [fail(8)])
  const { bytes } = archive.find('run-8')!
  await archive.close(never)

  archive = await open(folder, { bounds: { ...BOUNDS, rejectBytes: bytes * 2.5 } })
  await keep(archive, [fail(9), fail(10)])
  t.equal(idsOf(archive), '10,9,7,6,5,4,3', 'images take no features with them')
  await archive.close(never)

  const nowMs = () => Date.UTC(2026, 2, 3, 6, 10)
  archive = await open(folder, { bounds: { ...BOUNDS, rejectDays: 2 }, nowMs })
  t.equal(idsOf(archive), '10,7,6,5,4,3', 'when it is opened it is cleaned')
  await keep(archive, [fail(11)])
  await archive.close(never)
  archive = await open(folder, { bounds: { recentParts: 1, rejectBytes: 1, rejectDays: 1 } })
  t.equal(idsOf(archive), '7,5')
  t.same(await foldersOf(folder), ['run-5'])
  await archive.close(never)
})

t.test('cleaning says what went and why', async (t) => {
  const folder = t.testdir()
  let nowMs = Date.UTC(2026, 2, 1, 7)
  const archive = await open(folder, { bounds: { ...BOUNDS, rejectDays: 1 }, nowMs: () => nowMs })
  await keep(archive, [fail(1), fail(2), fail(3), keptPart(4)])
  await archive.confirm(['run-2'], REASONS)
  t.same(await archive.clean(), { removed: [], bytes: 0 })
  nowMs += 2 * 86_400_000
  const cleaned = await archive.clean()
  t.match(cleaned.removed, [
    { triggerId: 'run-1', why: 'reject-days' },
    { triggerId: 'run-3', why: 'reject-days' },
  ])
  t.equal(cleaned.bytes, cleaned.removed[0]!.bytes + cleaned.removed[1]!.bytes)
  t.equal(idsOf(archive), '4,2', 'a part that is confirmed waits for a repository to learn from it')
  await archive.markUsed(['run-2'], 'candidate-1')
  t.match((await archive.clean()).removed, [{ triggerId: 'run-2', why: 'reject-days' }])
  await archive.close(never)
})

t.test('a confirmation is on the disk when it resolves, by whoever made it', async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  await keep(archive, [fail(1), keptPart(2), keptPart(3)])
  t.same(await archive.confirm(['run-1', 'run-9'], REASONS), {
    confirmed: ['run-1'],
    refused: [{ triggerId: 'run-9', why: 'unknown' }],
  })
  const guest = await open(folder, { role: 'guest' })
  t.equal(guest.find('run-1')?.confirmed, 'accepted', 'another process sees it')
  await guest.confirm(['run-2'], { as: 'lot', who: 'line', why: 'lot 7' })
  await guest.close(never)
  t.match(archive.find('run-2'), { confirmed: 'lot', confirmedBy: 'line', confirmedWhy: 'lot 7' })
  await archive.markUsed(['run-1'], 'candidate-1')
  t.same((await archive.confirm(['run-1'], REASONS)).refused, [{ triggerId: 'run-1', why: 'used' }])
  t.equal(archive.stats().confirmedUnused, 1)
  await archive.close(never)
})

t.test('what was refused or withdrawn may be confirmed again, what was learned may not', async (t) => {
  const archive = await open(t.testdir())
  await keep(archive, [fail(1), fail(2), fail(3), fail(4, { product: 'bolt' })])
  await archive.confirm(['run-1', 'run-2', 'run-3'], { ...REASONS, as: 'lot' })
  await archive.markUsed(['run-1'], 'refused:anomalous')
  await archive.markUsed(['run-2'], 'withdrawn')
  await archive.markUsed(['run-3'], 'candidate-1')
  t.same(
    await archive.confirm(['run-1', 'run-2', 'run-3', 'run-4', 'run-1'], { ...REASONS, product: 'nut' }),
    {
      confirmed: ['run-1', 'run-2'],
      refused: [
        { triggerId: 'run-3', why: 'used' },
        { triggerId: 'run-4', why: 'unknown' },
      ],
    },
  )
  t.equal(
    archive.search({ confirmed: 'accepted', used: 'no', limit: 9 }).length,
    2,
    'they wait to be learned',
  )
  t.equal(archive.find('run-4')?.confirmed, 'none', 'of another product')
  await archive.close(never)
})

t.test("another process's write is waited for without the thread standing still", async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  await keep(archive, [keptPart(1)])
  const other = openDatabase(path.join(folder, 'index.sqlite'), {
    applicationId: 0x72646172,
    tables: '',
    journal: 'wal',
    exclusive: false,
    busyMs: 0,
  })
  other.all('BEGIN IMMEDIATE')
  archive.offer(keptPart(2))
  const confirming = archive.confirm(['run-1'], REASONS)
  let longestMs = 0
  let lastMs = performance.now()
  for (let turn = 0; turn < 15; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    longestMs = Math.max(longestMs, performance.now() - lastMs)
    lastMs = performance.now()
  }
  t.equal(archive.find('run-1')?.confirmed, 'none', 'reading goes on meanwhile')
  other.all('COMMIT')
  other.close()
  t.same((await confirming).confirmed, ['run-1'])
  await archive.idle(never)
  t.equal(idsOf(archive), '2,1')
  t.ok(longestMs < 2500, `the longest pause was ${longestMs.toFixed(0)} ms`)
  await archive.close(never)
})

t.test('trouble is told once, and its end as well', async (t) => {
  let isBroken = true
  const fileSystem: FileSystem = {
    ...files,
    rename: (...args) =>
      isBroken
        ? Promise.reject(Object.assign(new Error('input/output error'), { code: 'EIO' }))
        : files.rename(...args),
  }
  const troubles: (RuntimeError | undefined)[] = []
  const archive = await open(t.testdir(), { fileSystem, onTrouble: (trouble) => troubles.push(trouble) })
  await keep(archive, [keptPart(1), keptPart(2)])
  isBroken = false
  await keep(archive, [keptPart(3), keptPart(4)])
  t.match(troubles, [{ code: 'ARCHIVE_UNWRITABLE', message: /input\/output error/ }, undefined])
  t.match(archive.stats(), { kept: 2, failed: 2 })
  t.equal(idsOf(archive), '4,3')
  await archive.close(never)
})

t.test('a part that is offered again under the same trigger replaces the former', async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  await keep(archive, [fail(1), keptPart(1)])
  t.match(archive.search({ limit: 9 }), [{ triggerId: 'run-1', outcome: 'pass', hasFrames: false }])
  t.same((await archive.load('run-1', 'all')).frames, {})
  await archive.close(never)
})

t.test('names that would climb out of the archive are folders like any other', async (t) => {
  const folder = path.join(t.testdir(), 'archive')
  const archive = await open(folder)
  await keep(archive, [fail(1, { triggerId: '../../x', product: '..', partId: '/etc/passwd' })])
  t.equal((await archive.load('../../x', 'features')).note?.linePartId, '/etc/passwd')
  t.same(await readdir(t.testdirName), ['archive'])
  await archive.close(never)
  const again = await open(folder)
  t.same(again.healed, { removed: [], takenIn: [], forgotten: [] })
  await again.close(never)
})

t.test('files without a row are taken in, rows without files forgotten, the rest removed', async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  await keep(archive, [keptPart(1), fail(2, { partId: 'Lot 4' }), keptPart(3), fail(4)])
  const expected = archive.find('run-2')
  await archive.close(never)
  const index = openDatabase(path.join(folder, 'index.sqlite'), {
    applicationId: 0x72646172,
    tables: '',
    journal: 'wal',
    exclusive: false,
    busyMs: 0,
  })
  index.all("DELETE FROM parts WHERE trigger_id IN ('run-2', 'run-4')")
  index.close()
  await rm(path.join(folder, 'nut', 'run-1'), { recursive: true })
  await writeFile(path.join(folder, 'nut', 'run-4', 'part.json'), 'torn')
  await files.mkdir(path.join(folder, 'nut', 'run-5.partial'))
  await files.mkdir(path.join(folder, 'bolt', 'run-6'), { recursive: true })
  const again = await open(folder)
  t.same(
    { ...again.healed, removed: [...again.healed.removed].sort() },
    { removed: ['bolt/run-6', 'nut/run-4', 'nut/run-5.partial'], takenIn: ['run-2'], forgotten: ['run-1'] },
  )
  t.same(again.find('run-2'), expected)
  t.equal(idsOf(again), '2,3')
  t.same(await foldersOf(folder), ['run-2', 'run-3'])
  await again.close(never)
})

t.test('an index that is damaged is put aside and made anew from the files', async (t) => {
  const folder = t.testdir()
  const archive = await open(folder)
  await keep(archive, [keptPart(1), fail(2), keptPart(3)])
  await archive.close(never)
  const file = path.join(folder, 'index.sqlite')
  for (const damage of [Buffer.alloc(8192, 0x5a), Buffer.from('not a database at all')]) {
    await writeFile(file, damage)
    await writeFile(`${file}-wal`, damage)
    await t.rejects(
      open(folder, { role: 'guest' }),
      { code: 'ARCHIVE_UNREADABLE' },
      'a guest leaves it alone',
    )
    const again = await open(folder)
    t.match(again.healed, { takenIn: ['run-1', 'run-2', 'run-3'], damagedIndex: `${file}.damaged` })
    t.same(await readFile(`${file}.damaged`), damage)
    t.equal(idsOf(again), '3,2,1')
    t.equal(again.scores({ product: 'nut', condition: 'complete', limit: 9 }).length, 2)
    await again.close(never)
  }
})

t.test('an archive that cannot be opened says why', async (t) => {
  const file = path.join(t.testdir({ archive: 'a file' }), 'archive')
  await t.rejects(open(file), { code: 'ARCHIVE_UNREADABLE' })
})

t.test(
  'kill -9 at any moment: what was said to be kept or confirmed is there, and files and rows agree',
  async (t) => {
    const folder = t.testdir()
    const roots = ['runtime/part-archive.ts', 'test/support/kept-part.ts']
    const built = await transpiled(folder, await closureOf(roots))
    const modules = roots.map((file) => path.join(built, file.replace(/\.ts$/, '.js')))
    const writer = path.join(import.meta.dirname, '../fixtures/archive-writer.js')
    const state = path.join(folder, 'archive')
    let healings = 0
    let kept = 0
    for (let kill = 0; kill < 16; kill++) {
      const child = spawn(process.execPath, [writer, ...modules, state, `r${kill}`], {
        env: { ...process.env, NODE_OPTIONS: '' },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const lines: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line)
        // Now and then in the midst of the next part.
        if (lines.length === 2 + ((kill * 5) % 23)) setTimeout(() => child.kill('SIGKILL'), (kill * 3) % 17)
      }
      t.notMatch(lines.join('\n'), /trouble/)
      if (lines[0] !== 'healed 0 0 0') healings += 1
      const archive = await open(state, { bounds: { recentParts: 6, rejectBytes: 60_000, rejectDays: 9000 } })
      const { removed, takenIn, forgotten } = archive.healed
      if (removed.length + takenIn.length + forgotten.length > 0) healings += 1
      const records = archive.search({ limit: 1000 })
      const ids = records.map(({ triggerId }) => triggerId)
      const last = (word: string) =>
        lines
          .filter((line) => line.startsWith(`${word} `))
          .at(-1)
          ?.split(' ')[1]
      const lastKept = last('kept')
      if (lastKept !== undefined && !ids.includes(lastKept)) t.fail(`${lastKept} was kept and is gone`)
      const lastConfirmed = last('confirmed')
      const confirmed = lastConfirmed !== undefined ? archive.find(lastConfirmed) : undefined
      if (confirmed && confirmed.confirmed !== 'accepted') t.fail(`${lastConfirmed} was confirmed and is not`)
      for (const id of ids) await archive.load(id, 'all')
      t.same((await foldersOf(state)).sort(), [...ids].sort(), 'every folder has its row')
      kept += lines.length
      await archive.close(never)
    }
    t.comment(`${kept} lines over 16 kills, healed after ${healings} of them`)
  },
)

t.test(
  'on a full disk new parts take the place of the oldest, and what is confirmed stays',
  { skip: smallDiskSkip },
  async (t) => {
    const [report] = await onSmallDisk({
      folder: t.testdir(),
      mebibytes: 6,
      imports: {
        'runtime/part-archive.ts': ['openPartArchive'],
        'drivers/clock.ts': ['monotonicClock'],
        'test/support/kept-part.ts': ['keptPart'],
      },
      script: `
      const never = new AbortController().signal
      const troubles = []
      const options = { folder: disk + '/archive', role: 'owner', clock: monotonicClock,
        bounds: { recentParts: 1e6, rejectBytes: 1e12, rejectDays: 36500 }, onTrouble: (trouble) => troubles.push(trouble?.code) }
      let archive = await openPartArchive(options)
      const keep = async (from, to) => {
        for (let seq = from; seq <= to; seq++) {
          archive.offer(keptPart(seq, { outcome: seq % 2 ? 'fail' : 'pass' }))
          await archive.idle(never)
        }
      }
      await keep(1, 20)
      await archive.confirm(['run-3', 'run-4'], { as: 'lot', who: 'line', why: 'lot' })
      fillDisk()
      const full = freeBlocks()
      await keep(21, 140)
      const after = archive.search({ limit: 1000 }).map(({ triggerId }) => triggerId)
      const stats = archive.stats()
      fillDisk()
      const confirmed = await archive.confirm(['run-140'], { as: 'accepted', who: 'eve', why: 'dust' })
      await archive.close(never)
      fillDisk()
      const fullAgain = freeBlocks()
      archive = await openPartArchive({ ...options, bounds: { ...options.bounds, recentParts: 3 } })
      const reopened = archive.search({ limit: 1000 }).map(({ triggerId, hasFrames }) => [triggerId, hasFrames])
      const cleaned = await archive.clean()
      await archive.close(never)
      say({ full, after, stats, troubles, confirmed, fullAgain, reopened, cleaned })`,
    })
    const said = report as {
      full: number
      fullAgain: number
      troubles: string[]
      stats: object
      after: string[]
      confirmed: { confirmed: string[] }
      reopened: [string, boolean][]
    }
    t.equal(said.full, 0)
    t.equal(said.fullAgain, 0)
    t.same(said.troubles, [], 'nothing failed')
    t.match(said.stats, { kept: 140, failed: 0, dropped: 0 })
    const { after, reopened } = said
    t.equal(after[0], 'run-140')
    t.ok(after.includes('run-3') && after.includes('run-4'), after.join())
    t.notOk(after.includes('run-5'))
    t.same(said.confirmed.confirmed, ['run-140'])
    t.equal(reopened.filter(([, hasFrames]) => !hasFrames).length, 3)
  },
)

t.test(
  'an archive whose process was killed or stopped is opened and cleaned on a full disk',
  { skip: smallDiskSkip },
  async (t) => {
    const reports = await onSmallDisk({
      folder: t.testdir(),
      mebibytes: 6,
      imports: {
        'runtime/part-archive.ts': ['openPartArchive'],
        'drivers/clock.ts': ['monotonicClock'],
        'test/support/kept-part.ts': ['keptPart'],
      },
      script: `
      import { spawnSync } from 'node:child_process'
      import { readdirSync, rmSync } from 'node:fs'
      const never = new AbortController().signal
      const bounds = { recentParts: 1e6, rejectBytes: 1e12, rejectDays: 36500 }
      const options = { folder: disk + '/archive', role: 'owner', clock: monotonicClock, bounds }
      const [, file, role, how] = process.argv
      // A process each: what one has left open would serve the next.
      const run = (...args) => spawnSync(process.execPath, [file, ...args], { stdio: 'inherit' })
      if (role === 'keep') {
        const archive = await openPartArchive(options)
        for (let seq = 1; seq <= 30; seq++) {
          archive.offer(keptPart(seq, { outcome: 'fail' }))
          await archive.idle(never)
        }
        if (how === 'stop') await archive.close(never)
        else {
          archive.offer(keptPart(31, { outcome: 'fail' }))
          setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(how))
        }
      } else if (role === 'open') {
        const archive = await openPartArchive({ ...options, bounds: { ...bounds, rejectBytes: 100_000 } })
        const { bytes } = archive.stats()
        await archive.close(never)
        say({ fits: bytes > 0 && bytes <= 100_000 })
      } else {
        for (const how of ['0', '3', '7', 'stop']) {
          const { signal } = run('keep', how)
          fillDisk()
          say({ signal, free: freeBlocks() })
          run('open')
          for (const name of readdirSync(disk)) if (name !== 'archive') rmSync(disk + '/' + name)
        }
      }`,
    })
    const killed = [{ signal: 'SIGKILL', free: 0 }, { fits: true }]
    // Stopped, it has left no log and no shared memory: the room for them is the reserve.
    t.same(reports, [...killed, ...killed, ...killed, { signal: null, free: 0 }, { fits: true }])
  },
)
