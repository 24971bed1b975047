/**
 * The real files of the shared data. Every one is either read right, against values that tifffile, NumPy or the corpus itself gives
 * (test/fixtures/formats/make_goldens.py), or refused with a code.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { cleanPoints } from '../../drivers/clean-points.ts'
import { FormatError } from '../../drivers/formats/format-error.ts'
import { readNpyArray } from '../../drivers/formats/npy.ts'
import { readPicture } from '../../drivers/formats/picture.ts'
import type { Grid, PointMap, PointMapOptions } from '../../drivers/formats/point-map.ts'
import { readPointMap } from '../../drivers/formats/read-point-map.ts'
import { replayStation } from '../../drivers/replay.ts'

const data = process.env.RADAR_EDGE_DATA ?? join(import.meta.dirname, '../../../shared/data')
const absent = existsSync(data) ? false : `SKIP: no real data at ${data} (RADAR_EDGE_DATA)`

interface Golden extends Grid {
  readonly mean: readonly number[]
  readonly probes: readonly (readonly [row: number, column: number, values: readonly number[]])[]
}
interface Box {
  readonly count: number
  readonly valid: number
  readonly low?: readonly number[]
  readonly high?: readonly number[]
  readonly sum?: readonly number[]
}
const goldens = JSON.parse(
  readFileSync(new URL('../fixtures/formats/goldens.json', import.meta.url), 'utf8'),
) as Record<'ply' | 'pcd', Record<string, Box>> & {
  readonly tiff: Record<string, { readonly map?: Golden; readonly picture?: Golden }>
}

function filesUnder(folder: string, extension: RegExp): string[] {
  return readdirSync(join(data, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extension.test(name))
    .map((name) => join(data, folder, name))
    .sort()
}

/** The result, or the code with which it was refused; anything but a FormatError fails the test. */
async function outcome<T>(t: Test, read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    t.match(error.code, /^FORMAT_/, `refused: ${error.message}`)
    return undefined
  }
}

function equalGolden(t: Test, found: Grid, values: Uint8Array | Float32Array, golden: Golden): void {
  t.match(found, { width: golden.width, height: golden.height })
  for (const [row, column, expected] of golden.probes) {
    const at = (row * found.width + column) * 3
    t.same([...values.subarray(at, at + 3)], expected, `row ${row}, column ${column}`)
  }
  const sums = [0, 0, 0]
  values.forEach((value, i) => (sums[i % 3]! += value))
  sums.forEach((sum, channel) => {
    const mean = sum / (found.width * found.height)
    t.ok(Math.abs(mean - golden.mean[channel]!) < 1e-6, `mean of channel ${channel} is ${mean}`)
  })
}

t.test(
  'the TIFF corpus: maps and pictures are read as tifffile reads them, the rest is refused',
  { skip: absent },
  async (t) => {
    const read = { map: 0, picture: 0 }
    const files = filesUnder('tiff', /\.tiff?$/)
    for (const path of files) {
      const name = relative(data, path)
      await t.test(name, async (t) => {
        const golden = goldens.tiff[name]
        const map = await outcome(t, readPointMap(path))
        t.equal(map !== undefined, golden?.map !== undefined, 'read as a map exactly when it is one')
        if (map && golden?.map) equalGolden(t, map, map.pointsMetres, golden.map)
        const picture = await outcome(t, readPicture(path, readFileSync(path)))
        if (picture && golden?.picture) equalGolden(t, picture, picture.pixels, golden.picture)
        if (map) read.map++
        if (picture && golden?.picture) read.picture++
      })
    }
    // Of 99 files; a reader that began to refuse what it read would show here.
    t.same(read, { map: 2, picture: 45 })
  },
)

function boxOf({ width, height, pointsMetres }: PointMap): Box & { sum: number[] } {
  const low = [Infinity, Infinity, Infinity]
  const high = [-Infinity, -Infinity, -Infinity]
  const sum = [0, 0, 0]
  let valid = 0
  for (let i = 0; i < pointsMetres.length; i += 3) {
    const point = pointsMetres.subarray(i, i + 3)
    if (point.every((value) => value === 0)) continue
    valid++
    point.forEach((value, axis) => {
      low[axis] = Math.min(low[axis]!, value)
      high[axis] = Math.max(high[axis]!, value)
      sum[axis]! += value
    })
  }
  return { count: width * height, valid, low, high, sum }
}

/** A grid that the points just fill, as a person would give it; none for a prime number of points. */
function gridFor(count: number): Grid | undefined {
  for (let width = 2; width * width <= count; width++) {
    if (count % width === 0) return { width, height: count / width }
  }
  return undefined
}

const organised = /office1|mosd/

t.test(
  'the point clouds: organised ones are read, lists of points only with a grid',
  { skip: absent },
  async (t) => {
    let read = 0
    const boxes = { ...goldens.ply, ...goldens.pcd }
    const files = filesUnder('pointcloud', /\.(ply|pcd)$/)
    t.equal(files.length, Object.keys(boxes).length, 'each file has its golden')
    for (const path of files) {
      const name = relative(data, path)
      await t.test(name, async (t) => {
        const golden = boxes[name]!
        const check = async (options: PointMapOptions) => {
          const map = await readPointMap(path, options)
          const box = boxOf(map)
          t.match(
            { ...box, sum: undefined },
            { ...golden, sum: undefined },
            'as many points, in the same box',
          )
          box.sum.forEach((sum, axis) =>
            t.ok(Math.abs(sum - golden.sum![axis]!) <= 1e-6 * Math.max(1, Math.abs(sum)), 'sum'),
          )
          read++
        }
        if (organised.test(name)) return check({})
        await t.rejects(readPointMap(path), { code: 'FORMAT_UNSUPPORTED' }, 'unorganised: refused')
        const grid = gridFor(golden.count)
        if (grid === undefined) return
        // octants.pcd, car6.pcd, fuze_ascii.ply and other models are not in metres; their size is not ours to judge here.
        const depth = Math.max(Math.abs(golden.low?.[2] ?? 0), Math.abs(golden.high?.[2] ?? 0))
        if (depth <= 20) await check({ grid })
        else await outcome(t, readPointMap(path, { grid }))
      })
    }
    t.ok(read >= 12, `${read} of ${files.length} clouds were read`)
  },
)

t.test(
  'the NPY corpus: real numbers have the values of records.json, and no file is a map',
  { skip: absent },
  async (t) => {
    const records = JSON.parse(readFileSync(join(data, 'npy/records.json'), 'utf8')) as Record<
      string,
      unknown[]
    >
    let compared = 0
    for (const path of filesUnder('npy', /\.npy$/)) {
      const name = relative(join(data, 'npy'), path)
      await t.test(name, async (t) => {
        await t.rejects(readPointMap(path), { code: 'FORMAT_UNSUPPORTED' })
        if (/complex|bool|unicode/.test(name)) return
        const array = readNpyArray(name, readFileSync(path))
        const last = records[`./data/${name.replace('.npy', '')}`]!
        t.same(
          Array.from({ length: last.length }, (_, i) => array.at(array.count - last.length + i)),
          last,
        )
        compared++
      })
    }
    t.equal(compared, 6)
  },
)

t.test(
  'MVTec 3D-AD: xyz files of a real class are read, invalid points are zero',
  { skip: absent },
  async (t) => {
    const files = filesUnder('mvtec3d/cable_gland/test', /\.tiff$/)
    t.equal(files.length, 40)
    for (const path of files.filter((_, i) => i % 4 === 0)) {
      const map = await readPointMap(path)
      const missing = cleanPoints(map.pointsMetres).missing / (map.width * map.height)
      // SOURCES.md: 34 to 46 % of the pixels have no point.
      if (map.width !== 400 || map.height !== 400 || missing < 0.3 || missing > 0.5)
        t.fail(`${path}: ${missing} missing`)
    }
  },
)

t.test(
  'a real part is replayed: picture, map and mask of one size, the mask not empty',
  { skip: absent },
  async (t) => {
    const { rgb, xyz, truthOf } = replayStation({ root: join(data, 'mvtec3d/cable_gland'), labels: ['bent'] })
    const never = new AbortController().signal
    const trigger = { id: 'first', atMs: 0, source: 'bench' } as const
    await rgb.open(never)
    await xyz.open(never)
    const size = { width: 400, height: 400 }
    t.match(await rgb.capture(trigger, never), size)
    t.match(await xyz.capture(trigger, never), size)
    const { partId, label, mask } = await truthOf(trigger)
    t.match({ partId, label, mask }, { partId: 'test/bent/000', label: 'bent', mask: size })
    // NumPy on the same file: (gt > 0).sum().
    t.equal(
      mask?.pixels.reduce((count, pixel) => count + (pixel > 0 ? 1 : 0), 0),
      450,
    )
  },
)
