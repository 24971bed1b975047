import t from 'tap'
import * as files from 'node:fs/promises'
import path from 'node:path'
import { PartShelf, type ShelfOptions } from '../../models/part-shelf.ts'
import { encodePart, saveStoredPart, type StoredPart } from '../../models/stored-part.ts'
import { powerCutAfter } from '../support/power-cut.ts'
import { onSmallDisk, smallDiskSkip } from '../support/small-disk.ts'
import { storedPart } from '../support/stored-parts.ts'

const { readdir, readFile, rm, writeFile } = files

function shelfIn(folder: string, options: Partial<ShelfOptions> = {}): PartShelf {
  return new PartShelf({ folder, mostParts: 100, mostBytes: 2 ** 30, whenFull: 'drop-oldest', ...options })
}

/** One that is captured `minute` minutes past six. */
function part(partId: string, minute = 0, fields: Partial<StoredPart> = {}): StoredPart {
  return storedPart({
    partId,
    capturedAt: new Date(Date.UTC(2026, 2, 1, 6, minute)).toISOString(),
    ...fields,
  })
}

const idsOf = async (shelf: PartShelf) => (await shelf.list()).parts.map(({ partId }) => partId)

t.test('parts are listed oldest first, loaded and removed', async (t) => {
  const shelf = shelfIn(path.join(t.testdir(), 'good', 'nut'))
  t.same([await shelf.list(), await shelf.has('a')], [{ parts: [], damaged: [] }, false])
  for (const [id, minute] of [
    ['c', 2],
    ['a', 1],
    ['b', 1],
  ] as const) {
    t.match(await shelf.add(part(id, minute)), { record: { partId: id }, victims: [] })
  }
  t.same(await idsOf(shelf), ['a', 'b', 'c'])
  t.same((await shelf.list()).parts[0], (await encodePart(part('a', 1))).record)
  t.same(await shelf.load('c', 'all'), part('c', 2))
  t.same((await shelf.load('c', 'features')).frames, {})
  t.same([await shelf.remove('a'), await shelf.has('a'), await shelf.remove('a')], [true, false, false])
  await t.rejects(shelf.load('a', 'all'), { code: 'PART_UNKNOWN', message: /no part 'a'/ })
  await shelf.clear()
  t.same([await idsOf(shelf), await readdir(path.join(t.testdirName, 'good'))], [[], []])
  await shelf.clear()
})

t.test('a full shelf gives up its oldest parts and says which', async (t) => {
  const shelf = shelfIn(t.testdir(), { mostParts: 3 })
  for (const minute of [1, 2, 3]) await shelf.add(part(`p${minute}`, minute))
  t.same((await shelf.add(part('p4', 4))).victims, ['p1'])
  t.same(await idsOf(shelf), ['p2', 'p3', 'p4'])
  t.same((await shelf.add(part('old', 0))).victims, ['p2'], 'the new one stays, however old it is')
  t.same(await idsOf(shelf), ['old', 'p3', 'p4'])
})

t.test('the bound in bytes holds as well, and what fits no empty shelf is refused', async (t) => {
  const { bytes } = (await encodePart(part('p1'))).record
  const folder = t.testdir()
  const shelf = shelfIn(folder, { mostBytes: bytes * 3 + 10 })
  for (const minute of [1, 2, 3]) await shelf.add(part(`p${minute}`, minute))
  const large = part('p4', 4, { note: { text: 'x'.repeat(bytes) } })
  t.same((await shelf.add(large)).victims, ['p1', 'p2'])
  const huge = part('p5', 5, { note: { text: 'x'.repeat(bytes * 3) } })
  await t.rejects(shelf.add(huge), { code: 'SHELF_FULL', message: /'p5' of \d+ bytes .* at most 100 of \d+/ })
  t.same(await idsOf(shelf), ['p3', 'p4'], 'nothing went for it')
  const small = shelfIn(folder, { mostBytes: 10 })
  await t.rejects(small.add(part('p6')), { code: 'SHELF_FULL' })
})

t.test('a shelf whose parts may not go unasked refuses the new one', async (t) => {
  const shelf = shelfIn(t.testdir(), { mostParts: 2, whenFull: 'refuse' })
  await shelf.add(part('p1', 1))
  await shelf.add(part('p2', 2))
  await t.rejects(shelf.add(part('p3', 3)), { code: 'SHELF_FULL', message: /holds 2 other parts/ })
  t.same((await shelf.add(part('p1', 1, { label: 'good' }))).victims, [], 'one that is there may be replaced')
  t.same(await idsOf(shelf), ['p1', 'p2'])
  await shelf.remove('p2')
  await shelf.add(part('p3', 3))
  t.same(await idsOf(shelf), ['p1', 'p3'])
})

t.test('parts that come at the same time keep the bound', async (t) => {
  const shelf = shelfIn(t.testdir(), { mostParts: 3 })
  const added = await Promise.all([1, 2, 3, 4, 5].map((minute) => shelf.add(part(`p${minute}`, minute))))
  t.same(
    added.flatMap(({ victims }) => victims),
    ['p1', 'p2'],
  )
  t.same(await idsOf(shelf), ['p3', 'p4', 'p5'])
})

t.test('a damaged part is named and skipped, and is the first to go', async (t) => {
  const folder = t.testdir()
  const shelf = shelfIn(folder, { mostParts: 3 })
  for (const minute of [1, 2, 3]) await shelf.add(part(`nut ${minute}`, minute))
  await writeFile(path.join(folder, 'nut%202', 'part.json'), '{}')
  await writeFile(path.join(folder, 'stray.txt'), 'of somebody else')
  const { parts, damaged } = await shelf.list()
  t.same(
    parts.map(({ partId }) => partId),
    ['nut 1', 'nut 3'],
  )
  t.match(damaged, [{ partId: 'nut 2', detail: /nut%202\/part\.json is of schema 'none'/ }])
  await t.rejects(shelf.load('nut 2', 'all'), { code: 'PART_UNREADABLE' })
  t.same((await shelf.add(part('nut 4', 4))).victims, ['nut 2'])
  await rm(path.join(folder, 'nut%203', 'frames.safetensors'))
  t.equal((await shelf.load('nut 3', 'features')).partId, 'nut 3', 'what is not asked for is not missed')
  await t.rejects(shelf.load('nut 3', 'all'), { code: 'PART_UNREADABLE', message: /frames\.safetensors/ })
  await rm(path.join(folder, 'nut%203', 'part.json'))
  t.equal(await shelf.remove('nut 3'), true, 'a damaged part can be removed by its id')
})

t.test('a part under the name of another is damaged', async (t) => {
  const folder = t.testdir()
  const shelf = shelfIn(folder)
  await saveStoredPart(path.join(folder, 'a'), part('b'))
  t.match((await shelf.list()).damaged, [{ partId: 'a', detail: /holds part 'b'/ }])
  await t.rejects(shelf.load('a', 'all'), { code: 'PART_UNREADABLE', message: /holds part 'b'/ })
})

t.test('ids with odd characters are parts like any other and lead nowhere', async (t) => {
  const folder = path.join(t.testdir(), 'shelf')
  const shelf = shelfIn(folder)
  const odd = [
    '..',
    '../../x',
    'a/b',
    'ü'.repeat(150),
    '\ud800',
    'a.1',
    'a',
    'a.partial',
    '%2E',
    ' ',
    'C:\\x',
    '\0',
  ]
  for (const id of odd) await shelf.add(part(id))
  t.same((await idsOf(shelf)).sort(), [...odd].sort())
  for (const id of odd) t.equal((await shelf.load(id, 'features')).partId, id)
  t.same(await readdir(t.testdirName), ['shelf'])
  t.equal((await readdir(folder)).length, odd.length)
  const unreadable = (await readdir(folder)).filter((name) => name.startsWith('='))
  for (const name of unreadable) await rm(path.join(folder, name, 'part.json'))
  for (const { partId } of (await shelf.list()).damaged) t.equal(await shelf.remove(partId), true)
  for (const id of await idsOf(shelf)) t.equal(await shelf.remove(id), true)
  t.same(await readdir(folder), [])
})

t.test('a part that is stored again is the old or the new one wherever the power is cut', async (t) => {
  const outcomes = new Set<string>()
  let calls = 0
  for (let finished = false; !finished; calls++) {
    const folder = path.join(t.testdir(), 'shelf')
    await shelfIn(folder).add(part('a', 1, { label: 'bad' }))
    await shelfIn(folder).add(part('a', 1, { label: 'unknown' }))
    const { fileSystem } = powerCutAfter(calls)
    finished = await shelfIn(folder, { fileSystem })
      .add(part('a', 2, { label: 'good' }))
      .then(
        () => true,
        () => false,
      )
    const shelf = shelfIn(folder)
    const { parts, damaged } = await shelf.list()
    t.match([parts.length, damaged], [1, []], `cut after ${calls} calls`)
    outcomes.add(parts[0]!.label)
    t.equal((await shelf.load('a', 'all')).label, parts[0]!.label)
    if (finished) t.equal(parts[0]!.label, 'good')
    await shelf.tidy()
    t.match((await shelf.list()).parts, parts, 'tidying changes nothing that counts')
    t.equal((await readdir(folder)).length, 1, 'and leaves nothing else')
    await shelf.add(part('a', 3, { label: 'bad' }))
    t.equal((await shelf.load('a', 'all')).label, 'bad')
  }
  t.same([...outcomes], ['unknown', 'good'])
})

t.test(
  'a full shelf gives up none but its oldest parts, wherever the power is cut and cut again',
  async (t) => {
    const outcomes = new Set<string>()
    for (let calls = 0, isDone = false; !isDone; calls++) {
      const folder = path.join(t.testdir(), 'shelf')
      // What a cut leaves of a shelf of three: p4 is there, and p1, its victim, still is.
      for (const minute of [1, 2, 3, 4]) await shelfIn(folder).add(part(`p${minute}`, minute))
      isDone = await shelfIn(folder, { mostParts: 3, ...powerCutAfter(calls) })
        .add(part('p5', 5))
        .then(
          () => true,
          () => false,
        )
      outcomes.add((await idsOf(shelfIn(folder))).join(' '))
    }
    t.same([...outcomes], ['p1 p2 p3 p4', 'p1 p2 p3 p4 p5', 'p2 p3 p4 p5', 'p3 p4 p5'])
  },
)

t.test('a part that is removed does not come back as its former self', async (t) => {
  const outcomes = new Set<string>()
  let calls = 0
  for (let finished = false; !finished; calls++) {
    const folder = path.join(t.testdir(), 'shelf')
    await saveStoredPart(path.join(folder, 'a'), part('a', 1, { label: 'bad' }))
    await saveStoredPart(path.join(folder, 'a.1'), part('a', 1, { label: 'good' }))
    finished = await shelfIn(folder, powerCutAfter(calls))
      .remove('a')
      .then(
        () => true,
        () => false,
      )
    outcomes.add((await shelfIn(folder).list()).parts[0]?.label ?? 'gone')
  }
  t.same([...outcomes], ['good', 'gone'])
})

t.test('when the newer of two folders is damaged the former counts', async (t) => {
  const folder = t.testdir()
  await saveStoredPart(path.join(folder, 'a'), part('a', 1, { label: 'bad' }))
  await saveStoredPart(path.join(folder, 'a.1'), part('a', 1, { label: 'good' }))
  await rm(path.join(folder, 'a.1', 'part.json'))
  const shelf = shelfIn(folder)
  t.match(await shelf.list(), { parts: [{ label: 'bad' }], damaged: [] })
  t.equal((await shelf.load('a', 'all')).label, 'bad')
  await shelf.add(part('a', 2, { label: 'unknown' }))
  t.equal((await shelf.load('a', 'all')).label, 'unknown')
  t.same(await readdir(folder), ['a.2'])
})

t.test('what cannot be written leaves the shelf as it was', async (t) => {
  const folder = path.join(t.testdir(), 'shelf')
  await shelfIn(folder, { mostParts: 1 }).add(part('a', 1))
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const fileSystem = { ...files, rename: () => Promise.reject(full) }
  const shelf = shelfIn(folder, { mostParts: 1, fileSystem })
  await t.rejects(shelf.add(part('b', 2)), { code: 'ENOSPC' })
  t.same(await idsOf(shelf), ['a'])
  await t.rejects(shelf.add(part('', 2)), { code: 'PART_REFUSED' })
})

t.test(
  'on a disk without one free byte parts can be read and removed',
  { skip: smallDiskSkip },
  async (t) => {
    const [report] = await onSmallDisk({
      folder: t.testdir(),
      mebibytes: 4,
      imports: { 'models/part-shelf.ts': ['PartShelf'], 'test/support/stored-parts.ts': ['storedPart'] },
      script: `
      const shelf = new PartShelf({ folder: disk + '/shelf', mostParts: 99, mostBytes: 2 ** 30, whenFull: 'drop-oldest' })
      let added = 0, code
      try { for (;;) { await shelf.add(storedPart({ partId: 'p' + added })); added += 1 } } catch (error) { code = error.code }
      fillDisk()
      const free = freeBlocks()
      const listed = (await shelf.list()).parts.length
      await shelf.remove('p0')
      const freed = freeBlocks()
      await shelf.add(storedPart({ partId: 'q' }))
      await shelf.clear()
      say({ added, code, free, listed, freed, left: (await shelf.list()).parts.length })`,
    })
    const { added, listed, freed, ...rest } = report as Record<string, number>
    t.same(rest, { code: 'ENOSPC', free: 0, left: 0 })
    t.equal(listed, added)
    t.ok(freed! > 0)
  },
)

t.test('the bytes on the disk are those of the list', async (t) => {
  const folder = t.testdir()
  const shelf = shelfIn(folder)
  await shelf.add(part('a'))
  const names = await readdir(path.join(folder, 'a'))
  const sizes = await Promise.all(
    names.map(async (name) => (await readFile(path.join(folder, 'a', name))).length),
  )
  t.equal(
    (await shelf.list()).parts[0]?.bytes,
    sizes.reduce((sum, size) => sum + size, 0),
  )
})

t.test('parts move from one shelf to another, and a part that is damaged or absent stays away', async (t) => {
  const folder = t.testdir()
  const from = shelfIn(path.join(folder, 'teaching', 'nut'))
  const to = shelfIn(path.join(folder, 'good', 'nut'), { mostParts: 3 })
  for (const minute of [1, 2, 3, 4]) await from.add(part(`p${minute}`, minute))
  await to.add(part('old', 0))
  await to.add(part('p2', 9))
  await rm(path.join(folder, 'teaching', 'nut', 'p4', 'part.json'))
  t.same(await to.takeFrom(from, ['p1', 'p2', 'p4', 'p5', 'p3']), {
    taken: ['p1', 'p2', 'p3'],
    victims: ['old'],
  })
  t.same([await idsOf(to), await idsOf(from)], [['p1', 'p2', 'p3'], []])
  t.same(await to.load('p2', 'all'), part('p2', 2), 'the one of the same id was replaced')
  t.same((await readdir(path.join(folder, 'good', 'nut'))).sort(), ['p1', 'p2.1', 'p3'])
})

t.test('wherever the power is cut while parts move, each is whole on one of the shelves', async (t) => {
  const folder = t.testdir()
  for (let calls = 0; ; calls++) {
    const root = path.join(folder, String(calls))
    const from = shelfIn(path.join(root, 'teaching'))
    for (const minute of [1, 2]) await from.add(part(`p${minute}`, minute))
    await shelfIn(path.join(root, 'good')).add(part('p1', 7))
    const { fileSystem } = powerCutAfter(calls)
    const to = shelfIn(path.join(root, 'good'), { fileSystem })
    const isDone = await to.takeFrom(from, ['p1', 'p2']).then(
      () => true,
      () => false,
    )
    const after = shelfIn(path.join(root, 'good'))
    for (const id of ['p1', 'p2']) {
      t.ok(
        (await from.has(id)) !== (await after.has(id)) || (id === 'p1' && (await from.has(id))),
        `${calls} calls: ${id}`,
      )
      await t.resolves(after.load(id, 'all').catch(() => from.load(id, 'all')))
    }
    // What a new process does.
    await after.tidy()
    t.match(await after.takeFrom(from, ['p1', 'p2']), { victims: [] })
    t.same(await idsOf(after), ['p1', 'p2'])
    t.same(await after.load('p1', 'all'), part('p1', 1))
    if (isDone) break
  }
})
