import t from 'tap'
import { cp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { contentId } from '../../models/content-id.ts'
import { GRID_PATCHES } from '../../models/features.ts'
import {
  encodePart,
  loadStoredPart,
  PartError,
  readPartRecord,
  sampleOfStored,
  saveStoredPart,
  type StoredPart,
} from '../../models/stored-part.ts'
import { powerCutAfter } from '../support/power-cut.ts'
import { rgbFrame, xyzFrame } from '../support/samples.ts'
import { storedFeatures, storedPart, without } from '../support/stored-parts.ts'

const part = storedPart()
const FILES = ['features.safetensors', 'frames.safetensors', 'marks.safetensors', 'part.json']

t.test('what was saved is loaded, all of it or only what an update needs', async (t) => {
  const folder = path.join(t.testdir(), 'part')
  const record = await saveStoredPart(folder, part)
  t.same((await readdir(folder)).sort(), FILES)
  t.same(await loadStoredPart(folder, 'all'), part)
  t.same(await loadStoredPart(folder, 'features'), { ...without(part, 'mask', 'map'), frames: {} })
  t.same(await readPartRecord(folder), record)
  const sizes = await Promise.all(FILES.map((name) => readFile(path.join(folder, name))))
  t.equal(
    record.bytes,
    sizes.reduce((sum, { length }) => sum + length, 0),
  )
})

t.test('a part that has less has fewer files', async (t) => {
  const bare: StoredPart = {
    partId: 'nut-8',
    product: 'hex-nut',
    capturedAt: '2026-03-01T06:00:00Z',
    label: 'unknown',
    condition: 'none',
    absent: { rgb: { reason: 'lost', detail: 'gone' }, xyz: { reason: 'timeout', detail: 'late' } },
    flags: [],
    frames: {},
  }
  const { rgb } = part.frames
  const rgbFeatures = without(storedFeatures(), 'xyz')
  const variants: [string, StoredPart, string[]][] = [
    ['nothing', bare, ['part.json']],
    ['features', { ...bare, features: storedFeatures() }, ['features.safetensors', 'part.json']],
    [
      'rgb',
      {
        ...bare,
        condition: 'rgb-only',
        frames: { ...(rgb && { rgb }) },
        features: { ...rgbFeatures, condition: 'rgb-only' },
      },
      ['features.safetensors', 'frames.safetensors', 'part.json'],
    ],
    ['map', { ...bare, ...(part.map && { map: part.map }) }, ['marks.safetensors', 'part.json']],
  ]
  for (const [name, variant, files] of variants) {
    const folder = path.join(t.testdir(), name)
    await saveStoredPart(folder, variant)
    t.same((await readdir(folder)).sort(), files, name)
    t.same(await loadStoredPart(folder, 'all'), variant, name)
  }
})

t.test('equal frames are known by their hash, whatever else is said of the part', async (t) => {
  const hashOf = async (fields: Partial<StoredPart>, of = part) =>
    (await encodePart({ ...of, ...fields })).record.framesSha256
  const size = { width: 6, height: 4 }
  const same = { rgb: { ...rgbFrame(size), sensor: 'other', sequence: 9 }, xyz: xyzFrame(size) }
  const other = { rgb: rgbFrame({ ...size, seed: 2 }), xyz: xyzFrame(size) }
  t.equal(await hashOf({ frames: same, partId: 'nut-9', label: 'good' }), await hashOf({}))
  t.equal(await hashOf({}, without(part, 'mask')), await hashOf({}))
  t.not(await hashOf({ frames: other }), await hashOf({}))
  t.equal(await hashOf({ frames: {} }), undefined)
})

t.test('a stored part becomes a sample as if it were captured now', async (t) => {
  const atMs = 5000
  const sample = sampleOfStored(part, atMs)
  t.match(sample, {
    trigger: { id: 'nut-7', partId: 'nut-7', source: 'bench', atMs },
    condition: 'complete',
    frames: { rgb: { exposedAtMs: atMs }, xyz: { exposedAtMs: atMs } },
    absent: {},
  })
  const lost = { reason: 'lost', detail: 'cable' } as const
  const rejected = { reason: 'rejected', detail: 'no part in it' } as const
  const { rgb } = part.frames
  const alone = storedPart({ condition: 'rgb-only', absent: { xyz: lost }, frames: { ...(rgb && { rgb }) } })
  t.match(sampleOfStored(alone), { condition: 'rgb-only', absent: { xyz: lost } })
  const narrowed = sampleOfStored(storedPart({ condition: 'rgb-only', absent: { xyz: rejected } }))
  t.same([narrowed.condition, narrowed.absent], ['complete', {}], 'a frame that is there is not absent')
})

t.test('what contradicts itself is refused before anything is written', async (t) => {
  const { rgb, xyz } = part.frames
  const features = storedFeatures()
  const rgbFeatures = without(features, 'xyz')
  const wide = { width: 3, values: new Float32Array(GRID_PATCHES * 2) }
  const cases: [Partial<StoredPart>, RegExp][] = [
    [
      { frames: { ...(rgb && { rgb: { ...rgb, width: 7 } }) } },
      /rgb frame has 72 values, expected 4 x 7 x 3/,
    ],
    [
      { frames: { ...(xyz && { xyz: { ...xyz, height: 1 } }) } },
      /xyz frame has 72 values, expected 1 x 6 x 3/,
    ],
    [{ features: { ...features, rgb: wide } }, /rgb features has 1568 values, expected 784 x 3/],
    [{ features: { ...features, foregroundPatches: new Uint8Array(3) } }, /foreground .* 3 .* expected 784/],
    [{ features: { ...rgbFeatures, condition: 'complete' } }, /of condition complete and have no xyz/],
    [{ features: { ...features, condition: 'rgb-only' } }, /of condition rgb-only and have also xyz/],
    [{ mask: { width: 2, height: 2, pixels: new Uint8Array(3) } }, /mask has 3 values, expected 2 x 2/],
    [{ map: { ...part.map!, values: new Float32Array(9) } }, /map has 9 values, expected 224 x 224/],
    [{ frames: { ...(rgb && { rgb: { ...rgb, width: 0, height: 0, pixels: new Uint8Array() } }) } }, /width/],
    [{ partId: '' }, /partId/],
    [{ capturedAt: 'yesterday' }, /capturedAt/],
    [{ note: { normality: NaN } }, /note/],
  ]
  const folder = path.join(t.testdir(), 'part')
  for (const [fields, message] of cases) {
    await t.rejects(saveStoredPart(folder, storedPart(fields)), { code: 'PART_REFUSED', message })
  }
  t.same(await readdir(t.testdirName), [])
})

t.test('a part is whole or absent wherever the power is cut', async (t) => {
  let calls = 0
  for (let finished = false; !finished; calls++) {
    const folder = path.join(t.testdir(), 'shelf', 'part')
    finished = await saveStoredPart(folder, part, powerCutAfter(calls).fileSystem).then(
      () => true,
      () => false,
    )
    const found = await readdir(path.dirname(folder)).catch((): string[] => [])
    if (found.includes('part')) t.same(await loadStoredPart(folder, 'all'), part, `cut after ${calls} calls`)
    else {
      await t.rejects(readPartRecord(folder), { code: 'PART_UNREADABLE' }, `cut after ${calls} calls`)
      await saveStoredPart(folder, part)
    }
  }
  t.ok(calls > 15)
})

t.test('every damage is named with the file and what was expected', async (t) => {
  const whole = path.join(t.testdir(), 'whole')
  await saveStoredPart(whole, part)
  const json = await readFile(path.join(whole, 'part.json'), 'utf8')
  const damages: [string, string, (file: string) => Promise<void>, RegExp][] = []
  for (const name of FILES.slice(0, 3)) {
    damages.push(
      [`${name} gone`, name, rm, /cannot be read: ENOENT/],
      [`${name} cut short`, name, (file) => truncate(file, 100), /it has 100 bytes, expected \d+/],
      [
        `${name} grown to a terabyte`,
        name,
        (file) => truncate(file, 2 ** 40),
        /1099511627776 bytes, expected \d+/,
      ],
      [`${name} with a flipped bit`, name, flipBit, /has SHA-256 [0-9a-f]{64}, part.json says [0-9a-f]{64}/],
      [`${name} a folder`, name, replaceByFolder, /it is no file/],
    )
  }
  const rewrite = (from: string | RegExp, to: string) => (file: string) =>
    writeFile(file, json.replace(from, to))
  damages.push(
    ['no part.json', 'part.json', rm, /cannot be read: ENOENT/],
    ['part.json cut short', 'part.json', (file) => truncate(file, 300), /is not JSON/],
    ['part.json of a gigabyte', 'part.json', (file) => truncate(file, 2 ** 30), /expected 1048576 at most/],
    [
      'another label',
      'part.json',
      rewrite('"bad"', '"good"'),
      /was changed: .* those of its id [0-9a-f]{64}/,
    ],
    [
      'another version',
      'part.json',
      rewrite('part@1', 'part@2'),
      /'radar-edge\/part@2'.* needs radar-edge\/part@1/,
    ],
    ['no object', 'part.json', rewrite(/[^]*/, '[]'), /of schema 'none'/],
    ['an unknown key', 'part.json', rewrite('{', '{ "extra": 1,'), /describes no part: .*extra/],
    ['no UTF-8', 'part.json', (file) => writeFile(file, Buffer.from([0x7b, 0xff, 0x7d])), /is not JSON/],
  )
  for (const [what, name, damage, message] of damages) {
    const folder = path.join(t.testdirName, 'damaged')
    await cp(whole, folder, { recursive: true })
    await damage(path.join(folder, name))
    const error = await loadStoredPart(folder, 'all').then(
      () => undefined,
      (reason: unknown) => reason,
    )
    t.ok(error instanceof PartError && error.code === 'PART_UNREADABLE', what)
    t.match(error, { message }, what)
    t.ok(String(error).includes(path.join(folder, name)), `${what} names ${name}`)
    await rm(folder, { recursive: true })
  }
})

async function flipBit(file: string): Promise<void> {
  const bytes = await readFile(file)
  bytes[bytes.length - 2]! ^= 1
  await writeFile(file, bytes)
}

async function replaceByFolder(file: string): Promise<void> {
  await rm(file)
  await symlink(path.dirname(file), file)
}

t.test('a part.json that names itself rightly is still believed only as far as its files go', async (t) => {
  const whole = path.join(t.testdir(), 'whole')
  await saveStoredPart(whole, part)
  const text = await readFile(path.join(whole, 'part.json'), 'utf8')
  const named = (change: (json: Record<string, Record<string, unknown>>) => void): string => {
    const json = JSON.parse(text)
    delete json.id
    change(json)
    return JSON.stringify({ id: contentId(json), ...json })
  }
  const cases: [string, string, RegExp][] = [
    ['another width', named((json) => (json.features!.rgbWidth = 5)), /'rgb' is not F32 \[784, 5\]/],
    ['fewer features', named((json) => delete json.features!.xyzWidth), /not those of condition complete/],
    [
      'a huge frame',
      named((json) => Object.assign(json.frames!.rgb!, { width: 65_536 })),
      /not U8 \[4, 65536, 3\]/,
    ],
    [
      'a huge mask',
      named((json) => (json.marks!.mask = { width: 9, height: 9 })),
      /'mask' is not U8 \[9, 9\]/,
    ],
    ['a hash of nothing', named((json) => (json.frames!.sha256 = 'x')), /lower-case hex/],
    ['a file elsewhere', named((json) => (json.frames!.name = '../../secret')), /Unrecognized key: "name"/],
    [
      'a size of everything',
      named((json) => (json.frames!.bytes = 2 ** 40)),
      /expected number to be <=1073741824/,
    ],
  ]
  for (const [what, changed, message] of cases) {
    await writeFile(path.join(whole, 'part.json'), changed)
    await t.rejects(loadStoredPart(whole, 'all'), { code: 'PART_UNREADABLE', message }, what)
  }
})

t.test('names that would climb out of a folder are only text', async (t) => {
  const folder = path.join(t.testdir(), 'part')
  const odd = storedPart({ partId: '../../etc/passwd', product: '..', defect: '/dev/null' })
  await saveStoredPart(folder, odd)
  t.same(await readdir(t.testdirName), ['part'])
  t.same(await loadStoredPart(folder, 'all'), odd)
})

t.test('flipped bytes of part.json end in the same part or in a PartError', async (t) => {
  const folder = path.join(t.testdir(), 'part')
  const record = await saveStoredPart(folder, part)
  const file = path.join(folder, 'part.json')
  const json = await readFile(file)
  await fc.assert(
    fc.asyncProperty(fc.nat(json.length - 1), fc.nat(255), async (position, value) => {
      const changed = Buffer.from(json)
      changed[position] = value
      await writeFile(file, changed)
      try {
        t.same(await readPartRecord(folder), record)
      } catch (error) {
        if (!(error instanceof PartError)) throw error
      }
    }),
    { numRuns: 100 },
  )
  t.pass()
})
