import fc from 'fast-check'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { indexDataset } from '../../drivers/dataset.ts'
import { readMask } from '../../drivers/formats/mask.ts'
import { readPicture } from '../../drivers/formats/picture.ts'
import { readTiff } from '../../drivers/formats/tiff.ts'
import { double53, mersenneTwister } from '../support/mersenne-twister.ts'
import {
  aupro,
  auproAt,
  auroc,
  bootstrapInterval,
  pixelAuroc,
  type DefectMask,
  type ScoreMap,
} from '../../models/metrics.ts'

const data = join(import.meta.dirname, '../..', process.env.RADAR_EDGE_DATA ?? '../shared/data', 'mvtec3d')
const seed = Number(process.env.FAST_CHECK_SEED ?? 20_260)

t.test('auroc counts pairs, ties half', async (t) => {
  const table: [name: string, scores: number[], labels: number[], area: number | null][] = [
    ['all right', [1, 2, 3, 4], [0, 0, 1, 1], 1],
    ['all wrong', [3, 4, 1, 2], [0, 0, 1, 1], 0],
    ['one pair of four wrong', [1, 3, 2, 4], [0, 0, 1, 1], 0.75],
    ['nothing but ties', [5, 5, 5], [0, 1, 1], 0.5],
    ['a tie with the lower of two', [1, 2, 1], [0, 0, 1], 0.25],
    ['infinities have a rank', [-Infinity, 0, Infinity], [0, 0, 1], 1],
    ['no defective part', [1, 2], [0, 0], null],
    ['no good part', [1, 2], [1, 1], null],
    ['no part', [], [], null],
  ]
  for (const [name, scores, labels, area] of table) t.equal(auroc(scores, labels), area, name)
  t.equal(auroc([1, 2], [false, true]), 1)
  t.throws(() => auroc([1, NaN], [0, 1]), RangeError)
  t.throws(() => auroc([1, 2], [0]), RangeError)
})

t.test(`auroc equals the count over all pairs (seed ${seed})`, async () => {
  const part = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean())
  fc.assert(
    fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
      const good = parts.filter(([, label]) => !label)
      const defective = parts.filter(([, label]) => label)
      let wins = 0
      for (const [d] of defective) for (const [g] of good) wins += d > g ? 1 : d === g ? 0.5 : 0
      const pairs = good.length * defective.length
      const area = auroc(
        parts.map(([score]) => score),
        parts.map(([, label]) => label),
      )
      return pairs === 0 ? area === null : Math.abs((area ?? NaN) - wins / pairs) < 1e-12
    }),
    { seed },
  )
})

t.test(
  'the bootstrap interval repeats with its seed, holds the estimate and narrows with more parts',
  async (t) => {
    const parts = (count: number) => ({
      scores: Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) + (i % 2) * 0.8),
      labels: Array.from({ length: count }, (_, i) => i % 2),
    })
    const width = (count: number) => {
      const interval = bootstrapInterval({ ...parts(count), seed: 7 })
      return (interval?.upper ?? NaN) - (interval?.lower ?? NaN)
    }
    const few = bootstrapInterval({ ...parts(40), seed: 7 })
    t.same(bootstrapInterval({ ...parts(40), seed: 7 }), few)
    t.notSame(bootstrapInterval({ ...parts(40), seed: 8 }), few)
    const area = auroc(parts(40).scores, parts(40).labels) ?? NaN
    t.ok(few && few.lower < area && area < few.upper)
    t.ok(width(640) < width(40) / 2)
    // Hanley and McNeil's normal approximation, an independent oracle: 1.96 standard errors to each side.
    const q1 = area / (2 - area)
    const q2 = (2 * area ** 2) / (1 + area)
    const error = Math.sqrt((area * (1 - area) + 19 * (q1 - area ** 2) + 19 * (q2 - area ** 2)) / 400)
    t.ok(
      Math.abs(width(40) - 2 * 1.96 * error) < 0.25 * 2 * 1.96 * error,
      `${width(40)} against ${3.92 * error}`,
    )
    t.equal(bootstrapInterval({ scores: [1, 2], labels: [1, 1], seed: 7 }), null)
    t.same(bootstrapInterval({ scores: [1, 2], labels: [0, 1], seed: 7 }), { lower: 1, upper: 1 })
  },
)

const map = (width: number, ...scores: number[]): ScoreMap => ({
  width,
  height: scores.length / width,
  scores: Float32Array.from(scores),
})
const mask = (width: number, ...pixels: number[]): DefectMask => ({
  width,
  height: pixels.length / width,
  pixels: Uint8Array.from(pixels),
})

t.test('aupro by hand: regions count the same whatever their size, thresholds are strict', async (t) => {
  const exact = (limit: number, maps: ScoreMap[], masks: DefectMask[]) =>
    aupro({ maps, masks, limit, mode: 'exact' })
  // Good pixels 1 2 3 4; one region of one pixel scores 5, one of two pixels scores 0 and 5.
  const maps = [map(5, 1, 2, 5, 3, 4), map(5, 0, 5, 1, 1, 1)]
  const masks = [mask(5, 0, 0, 252, 0, 0), mask(5, 255, 255, 0, 0, 0)]
  // At rate 0 the overlap is (1 + 1/2) / 2 and stays there until the region's 0.
  t.equal(exact(0.3, maps, masks), 0.75)
  t.equal(exact(1, maps, masks), 0.75, 'the rest of the region comes at rate 1')
  t.equal(exact(0.3, [map(4, 0, 0, 0, 0)], [mask(4, 1, 0, 0, 0)]), 0.15, 'all tied: the diagonal')
  t.equal(exact(0.5, [map(4, 1, 2, 3, 0)], [mask(4, 0, 0, 0, 9)]), 0, 'below every good pixel')
  // Touching by a corner is one region; then it weighs as much as the lone pixel, and not twice.
  const corner = mask(4, 1, 0, 0, 1, 0, 1, 0, 0)
  t.equal(exact(0.5, [map(4, 9, 0, 0, 0, 0, 9, 0, 0)], [corner]), 0.5 + 0.5 * 0.25)
  // A good part's pixels count as false positives.
  t.equal(exact(0.5, [map(2, 1, 0), map(2, 2, 2)], [mask(2, 1, 0), undefined]), 0)
})

t.test('aupro is undefined without a defect, or with nothing else', async (t) => {
  for (const mode of ['exact', { ranks: 100 }] as const) {
    t.equal(aupro({ maps: [map(2, 1, 2)], masks: [undefined], limit: 0.3, mode }), null)
    t.equal(aupro({ maps: [map(2, 1, 2)], masks: [mask(2, 0, 0)], limit: 0.3, mode }), null)
    t.equal(aupro({ maps: [map(2, 1, 2)], masks: [mask(2, 1, 1)], limit: 0.3, mode }), null)
    t.equal(aupro({ maps: [], masks: [], limit: 0.3, mode }), null)
  }
  t.equal(pixelAuroc([map(2, 1, 2)], [undefined]), null)
})

t.test('what does not fit together is an error, not a figure', async (t) => {
  const fits = { maps: [map(2, 1, 2)], masks: [mask(2, 0, 1)], limit: 0.3, mode: 'exact' as const }
  t.throws(() => aupro({ ...fits, masks: [] }), /1 maps for 0 masks/)
  t.throws(() => aupro({ ...fits, masks: [mask(1, 0, 1)] }), /map 0 is 2x1, its mask 1x2/)
  t.throws(() => aupro({ ...fits, maps: [{ ...map(2, 1, 2), width: 3 }] }), /2 scores, expected 3x1/)
  t.throws(() => aupro({ ...fits, maps: [map(2, 1, NaN)] }), /NaN at pixel 1/)
  for (const limit of [0, 1.1, NaN]) t.throws(() => aupro({ ...fits, limit }), /expected above 0/)
})

/** The definition, threshold by threshold, for one region per mask. */
function overlapCurve(maps: number[][], masks: number[][]) {
  const thresholds = [...new Set(maps.flat()), -Infinity].sort((a, b) => b - a)
  const goodOf = (index: number) => maps[index]!.filter((_, i) => masks[index]![i] === 0)
  const goods = maps.flatMap((_, index) => goodOf(index))
  return thresholds.map((threshold) => {
    const overlaps = maps.flatMap((scores, index) => {
      const region = scores.filter((_, i) => masks[index]![i] !== 0)
      return region.length === 0 ? [] : [region.filter((score) => score > threshold).length / region.length]
    })
    return [
      goods.filter((score) => score > threshold).length / goods.length,
      overlaps.reduce((sum, overlap) => sum + overlap, 0) / overlaps.length,
    ] as const
  })
}

t.test(`exact aupro equals its definition (seed ${seed})`, async () => {
  // Maps of one row whose first pixels are the region: one component each, none for length 0.
  const part = fc.tuple(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 8, maxLength: 8 }), fc.nat(6))
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (parts, limit) => {
        const scores = parts.map(([row]) => row)
        const pixels = parts.map(([row, length]) => row.map((_, i) => (i < length ? 1 : 0)))
        const got = aupro({
          maps: scores.map((row) => map(8, ...row)),
          masks: pixels.map((row) => mask(8, ...row)),
          limit,
          mode: 'exact',
        })
        if (parts.every(([, length]) => length === 0)) return got === null
        let area = 0
        overlapCurve(scores, pixels).reduce(([x0, y0], [x1, y1]) => {
          // The integral of the line between two points over what of it lies below the limit.
          const right = Math.min(x1, limit)
          if (right > x0) area += (right - x0) * (y0 + ((y1 - y0) * (right - x0)) / (x1 - x0) / 2)
          return [x1, y1] as const
        })
        return Math.abs((got ?? NaN) - area / limit) < 1e-9
      },
    ),
    { seed, numRuns: 300 },
  )
})

t.test('100 ranks come close to the exact curve, and are what M3DM counts', async (t) => {
  const noise = (i: number) => (Math.sin(i * 12.9898) * 43758.5453) % 1
  const width = 100
  const maps = [0, 1].map((part) => ({
    width,
    height: width,
    scores: Float64Array.from(
      { length: width * width },
      (_, i) => noise(i + part * 1e4) + (i % width < 10 ? 0.7 : 0),
    ),
  }))
  const masks = [
    mask(width, ...Array.from({ length: width * width }, (_, i) => (i % width < 10 ? 1 : 0))),
    undefined,
  ]
  const [exact, ranked] = (['exact', { ranks: 100 }] as const).map((mode) =>
    aupro({ maps, masks, limit: 0.3, mode }),
  )
  t.ok(Math.abs((exact ?? NaN) - (ranked ?? NaN)) < 0.01, `${exact} and ${ranked}`)
  // Good pixels 0..9, the region 4.5 and 7.5; ranks 0, 4, 9 are the thresholds 0, 4, 9.
  const ten = map(12, 4.5, 7.5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
  const region = mask(12, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  const three = aupro({ maps: [ten], masks: [region], limit: 0.5, mode: { ranks: 3 } })
  // (0, 0), (0.5, 1), (0.9, 1), (1, 1): half of the first trapezoid's height, over half of the axis.
  t.ok(Math.abs((three ?? NaN) - 0.5) < 1e-12, `${three}`)
  t.equal(aupro({ maps: [ten], masks: [region], limit: 1, mode: { ranks: 3 } }), 0.75, 'up to (1, 1)')
})

type MapName = 'z' | 'red' | 'zgrad'

interface Expected {
  readonly [figure: string]: number
}

const expectedFile = join(data, 'official-eval-expected.json')
const skip = existsSync(expectedFile) ? false : `SKIP: no ${expectedFile} (RADAR_EDGE_DATA)`

/**
 * The official code's own toy set: maps of noise from NumPy's seed 1338, labels from seed 42. Its toy set for AUPRO
 * (30 million pixels, 15 s) was compared once by hand: 0.1510192662, official 0.1510192660.
 */
t.test('the figure of MVTec’s official code on its toy set', { skip }, async (t) => {
  const expected = JSON.parse(await readFile(expectedFile, 'utf8')) as { toy_auroc: number }
  const noise = mersenneTwister(1338)
  const scores = Array.from({ length: 10_000 }, () => {
    let highest = 0
    for (let pixel = 0; pixel < 30 * 30; pixel++) highest = Math.max(highest, double53(noise))
    return highest
  })
  const coin = mersenneTwister(42)
  const area = auroc(
    scores,
    Array.from(scores, () => coin() & 1),
  )
  t.ok(Math.abs((area ?? NaN) - expected.toy_auroc) < 1e-12, `${area}, official ${expected.toy_auroc}`)
})

t.test('the figures of MVTec’s official code on 40 real parts', { skip }, async (t) => {
  const expected = JSON.parse(await readFile(expectedFile, 'utf8')) as Record<MapName, Expected>
  const { items } = await indexDataset(join(data, 'cable_gland'))
  const maps: Record<MapName, ScoreMap[]> = { z: [], red: [], zgrad: [] }
  const masks: DefectMask[] = []
  for (const { split, rgbPath, xyzPath, maskPath } of items) {
    if (split !== 'test' || !rgbPath || !xyzPath) continue
    const { width, height, pointsMetres } = await readTiff(xyzPath, await readFile(xyzPath))
    const { pixels } = await readPicture(rgbPath, await readFile(rgbPath))
    const z = Float32Array.from({ length: width * height }, (_, i) => pointsMetres[3 * i + 2]!)
    const red = Float32Array.from({ length: width * height }, (_, i) => pixels[3 * i]!)
    const zgrad = Float64Array.from(z, (value, i) =>
      i % width === 0 || value === 0 || z[i - 1] === 0 ? 0 : Math.abs(value - z[i - 1]!),
    )
    for (const [name, scores] of Object.entries({ z, red, zgrad }))
      maps[name as 'z'].push({ width, height, scores })
    masks.push(maskPath ? await readMask(maskPath, await readFile(maskPath)) : undefined)
  }
  t.equal(masks.length, 40)
  const labels = masks.map((mask) => mask?.pixels.some((value) => value !== 0) ?? false)
  const close = (name: string, got: number | null, figure: number | undefined) =>
    t.ok(Math.abs((got ?? NaN) - (figure ?? NaN)) < 1e-6, `${name}: ${got}, official ${figure}`)

  for (const name of ['z', 'red', 'zgrad'] as const) {
    const limits = [0.01, 0.05, 0.1, 0.3]
    const areas = auproAt(limits, { maps: maps[name], masks, mode: 'exact' }) ?? []
    limits.forEach((limit, i) =>
      close(`${name} aupro ${limit}`, areas[i] ?? null, expected[name][`aupro_${limit}`]),
    )
    const highest = maps[name].map(({ scores }) =>
      Array.from(scores).reduce((most, score) => Math.max(most, score)),
    )
    close(`${name} image auroc`, auroc(highest, labels), expected[name].image_auroc_max)
    close(`${name} pixel auroc`, pixelAuroc(maps[name], masks), expected[name].pixel_auroc_rank)
  }
})
