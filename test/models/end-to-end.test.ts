/**
 * The product's way from two frames to a verdict, held against models/training/radar_training/reference.py, which was written from
 * the method's formulas and shares no code with it (test/fixtures/end-to-end/make.py).
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import t from 'tap'
import type { Modality } from '../../drivers/frame.ts'
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../../drivers/sample.ts'
import { openBundle } from '../../models/bundle.ts'
import { calibrate } from '../../models/calibrate.ts'
import { BANKS_OF } from '../../models/comparison.ts'
import { extractFeatures } from '../../models/extract.ts'
import { BANK_KEYS, type BankKey, type Features } from '../../models/features.ts'
import { fuseWith } from '../../models/fusion.ts'
import { judge } from '../../models/judge.ts'
import { mahalanobis } from '../../models/mahalanobis.ts'
import { normalityOf } from '../../models/normality.ts'
import type { DecisionHead } from '../../models/repository-manifest.ts'
import { narrowed } from '../../models/narrow.ts'
import { openSearch } from '../../models/nearest.ts'
import { preprocess } from '../../models/preprocess.ts'
import type { Repository } from '../../models/repository.ts'
import { readSafetensors } from '../../models/safetensors.ts'
import { teach, type TaughtPart } from '../../models/teach.ts'
import { sceneSample } from '../support/scenes.ts'
import { TINY_BUNDLE } from '../support/tiny-bundle.ts'

interface Verdict {
  readonly scores: readonly number[]
  readonly distance: number
  readonly normality: number
  readonly fails: boolean
  readonly mapPeak: number
  readonly twoSided: { readonly distance: number; readonly normality: number }
}

interface KnownHead {
  /** Of every held-out part that can be narrowed to the condition, per bank. */
  readonly scores: readonly (readonly number[])[]
  readonly origin: readonly number[]
  readonly covariance: readonly (readonly number[])[]
  readonly shrinkage: number
  readonly distances: readonly number[]
  readonly normalities: readonly number[]
  readonly upperTail: number
  readonly lowerTail: number
}

interface Expected {
  readonly falseRejectRate: number
  readonly taught: readonly { readonly seed: number; readonly modalities: readonly Modality[] }[]
  readonly heldOut: Expected['taught']
  readonly judged: readonly { readonly name: string; readonly seed: number; readonly defect: boolean }[]
  readonly maps: Record<DecidableCondition, DecisionHead['map']>
  readonly frames: Record<
    string,
    {
      readonly pixels: string
      readonly points: string
      readonly partPoints: number
      readonly partRaster: string
      readonly image: string
      readonly foreground: string
    }
  >
  readonly banks: Record<BankKey, number>
  readonly scales: Record<BankKey, { readonly mean: number; readonly std: number }>
  readonly heads: Record<DecidableCondition, KnownHead>
  readonly verdicts: Record<string, Record<DecidableCondition, Verdict>>
}

const folder = new URL('../fixtures/end-to-end/', import.meta.url)
const expected = JSON.parse(await readFile(new URL('expected.json', folder), 'utf8')) as Expected
const tensors = readSafetensors(await readFile(new URL('expected.safetensors', folder)))
const bundle = await openBundle(TINY_BUNDLE, { threads: 1 })
const search = await openSearch({ threads: 1 })
const fuse = fuseWith(bundle)
t.teardown(async () => {
  await search.release()
  await bundle.release()
})

/*
 * Tolerances. On the machine that made the fixture the graphs answer to the bit, and the largest differences are: features 0, scores
 * 5e-8, maps 2e-7, distances 1e-7, normalities 3e-7. Another CPU adds its matrix products up in another order, which is allowed for here.
 */

/** 1e-6 is expected of float32 features up to 7; the issue asks for 1e-4. */
const FEATURE_TOLERANCE = 1e-4
/** Relative, of scores from 0.03 on: features that differ by 1e-6 make 3e-5. The issue asks for 1e-4. */
const SCORE_TOLERANCE = 1e-4
/** Of maps up to 2; the issue asks for 1e-4. */
const MAP_TOLERANCE = 1e-4
/**
 * A distance is in deviations of good parts' scores, which are down to 0.01: scores that differ by 1e-6 make 1e-4. Of distances beyond 1,
 * and of normalities, which fall exponentially with them, relative. From equal scores ARITHMETIC_TOLERANCE holds.
 */
const DISTANCE_TOLERANCE = 5e-4
/** Relative, float64 on both sides; the least squares of the reference's one-sided distance are the less exact. */
const ARITHMETIC_TOLERANCE = 1e-9

const WIDTH = 147
const HEIGHT = 141

/** Up from 0 to `period` and down again. */
function wave(number: number, period: number): number {
  const rest = number % (2 * period)
  return rest < period ? rest : 2 * period - rest
}

/** The frames of make.py, line by line. */
function frames(seed: number, defect = false) {
  let state = seed * 7919
  const draw = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return (state >>> 12) % below
  }
  const [shift, slope, bright] = [draw(40), draw(5), draw(40)]
  const pixels = new Uint8Array(HEIGHT * WIDTH * 3)
  const pointsMetres = new Float32Array(HEIGHT * WIDTH * 3)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [v, u] = [y - 15, x - 15]
      let colours: readonly [number, number, number] = [70, 66, 60]
      let z = 65536 + 5 * x - 3 * y + draw(32)
      if (v >= 0 && v < 111 && u >= 0 && u < 114 && u + v >= 12) {
        colours = [
          90 + bright + wave(3 * u + 2 * v + shift, 40),
          60 + bright + wave(u + 4 * v, 60),
          50 + bright + wave(2 * u - v + 500 + shift, 30),
        ]
        z -= 2621 + 4 * wave((3 + slope) * u + 2 * v + shift, 60)
        if (defect && v >= 40 && v < 60 && u >= 30 && u < 52) {
          colours = [colours[0] - 40, colours[1] + 50, colours[2]]
        }
        if (defect && v >= 62 && v < 98 && u >= 62 && u < 98) {
          z -= 40 * (18 - Math.abs(v - 80)) * (18 - Math.abs(u - 80))
        }
      }
      const at = (y * WIDTH + x) * 3
      for (const channel of [0, 1, 2] as const) pixels[at + channel] = colours[channel] + draw(12)
      const place = [(x - 73) * 131 + draw(24), (y - 70) * 131 + draw(24), z] as const
      const isInSlot = v >= 50 && v < 54 && u < 30
      if (draw(50) > 0 && !isInSlot) {
        for (const axis of [0, 1, 2] as const) pointsMetres[at + axis] = place[axis] / 131072
      }
    }
  }
  const header = { sequence: 0, exposedAtMs: 0, width: WIDTH, height: HEIGHT }
  return {
    rgb: { ...header, modality: 'rgb', sensor: 'camera', pixels },
    xyz: { ...header, modality: 'xyz', sensor: 'profiler', pointsMetres },
  } as const
}

/** As the station sees it: no calibrated plane, the seed only draws RANSAC's samples. */
async function see(seed: number, modalities: readonly Modality[], defect = false): Promise<Features> {
  const { rgb, xyz } = frames(seed, defect)
  const sample = sceneSample({
    ...(modalities.includes('rgb') && { rgb }),
    ...(modalities.includes('xyz') && { xyz }),
  })
  const extracted = await extractFeatures(sample, { bundle, seed: 1 })
  if (extracted.condition === 'none') throw new Error(`part ${seed} shows nothing`)
  return extracted.features
}

function sha256(array: Uint8Array | Uint32Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex')
}

function tensor(name: string): ArrayLike<number> {
  const found = tensors.get(name)
  if (!found) throw new Error(`expected.safetensors has no '${name}'`)
  return Array.from(found.data, Number)
}

/** The largest |a - b|; infinite when lengths differ or something is not finite. */
function worstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity
  let worst = 0
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!)
    if (!(difference <= worst)) worst = Number.isFinite(difference) ? difference : Infinity
  }
  return worst
}

/** The largest |a - b|, of |b| where that is more than 1. */
function worstError(a: readonly number[], b: readonly number[]): number {
  const scaled = (values: readonly number[]) => values.map((value, i) => value / Math.max(1, Math.abs(b[i]!)))
  return worstDifference(scaled(a), scaled(b))
}

/** The largest |a - b| / |b|. */
function worstRatio(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return worstDifference(
    Array.from(a, (value, i) => value / b[i]!),
    Array.from(b, () => 1),
  )
}

const parts = new Map<string, Features>()
for (const { name, seed, defect } of expected.judged) parts.set(name, await see(seed, ['rgb', 'xyz'], defect))
const taughtParts = async (list: Expected['taught']): Promise<TaughtPart[]> => {
  const taught: TaughtPart[] = []
  for (const { seed, modalities } of list) {
    taught.push({ partId: `part-${seed}`, features: await see(seed, modalities) })
  }
  return taught
}
const request = {
  product: 'block',
  bundle,
  parts: await taughtParts(expected.taught),
  heldOut: await taughtParts(expected.heldOut),
  search,
  fuse,
  // Room for every candidate.
  byteBudget: 100_000_000,
  falseRejectRate: expected.falseRejectRate,
  seed: 1,
}
const repository = await teach(request)

/** With the fixture's weights of the maps: the product's own come from a seeded stochastic descent. */
const withGivenMaps = ({ manifest, ...rest }: Repository): Repository => {
  const headOf = (condition: DecidableCondition): DecisionHead => ({
    ...manifest.heads[condition],
    map: expected.maps[condition],
  })
  const heads = {
    complete: headOf('complete'),
    'rgb-only': headOf('rgb-only'),
    'xyz-only': headOf('xyz-only'),
  }
  return { ...rest, manifest: { ...manifest, heads } }
}

t.test('of the same frames the part is found to the pixel and the image made to the bit', async (t) => {
  const defects = new Map(expected.judged.map(({ seed, defect }) => [seed, defect]))
  for (const [name, known] of Object.entries(expected.frames)) {
    const seed = Number(name)
    const { rgb, xyz } = frames(seed, defects.get(seed))
    t.equal(sha256(rgb.pixels), known.pixels, `${name}: make.py's picture`)
    t.equal(sha256(xyz.pointsMetres), known.points, `${name}: make.py's points`)
    const ready = preprocess(sceneSample({ rgb, xyz }), { input: bundle.manifest.input, seed: 1 })
    if (ready.condition === 'none' || !ready.rgb || !ready.xyz) throw new Error(`part ${name} shows nothing`)
    t.same(ready.flags, [], name)
    t.equal(ready.xyz.pixels.length, known.partPoints, `${name}: how many points`)
    t.equal(sha256(ready.xyz.pixels), known.partRaster, `${name}: which`)
    t.equal(sha256(ready.foreground), known.foreground, `${name}: what they enclose`)
    t.equal(sha256(ready.rgb), known.image, `${name}: the image`)
  }
})

t.test('features of both encoders and of the fusion agree in every condition', async (t) => {
  let worst = 0
  for (const [name, features] of parts) {
    t.same(Array.from(features.foregroundPatches), tensor(`${name}.foreground`), `${name}: who votes`)
    const own = { rgb: features.rgb!.values, xyz: features.xyz!.values }
    for (const modality of ['rgb', 'xyz'] as const) {
      const error = worstDifference(own[modality], tensor(`${name}.${modality}`))
      t.ok(error < FEATURE_TOLERANCE, `${name}, ${modality}: ${error}`)
      worst = Math.max(worst, error)
    }
    for (const condition of DECIDABLE_CONDITIONS) {
      const fused = await fuse(narrowed(features, condition))
      const error = worstDifference(fused.values, tensor(`${name}.${condition}.fused`))
      t.ok(error < FEATURE_TOLERANCE, `${name}, fused ${condition}: ${error}`)
      worst = Math.max(worst, error)
    }
  }
  t.comment(`features: ${worst}`)
})

t.test('the banks hold the same patches, scaled by the same figures', async (t) => {
  let worst = 0
  for (const key of BANK_KEYS) {
    t.equal(repository.banks[key].rows, expected.banks[key], `${key}: rows`)
    const { mean, std } = repository.manifest.scales[key]
    const known = expected.scales[key]
    const error = worstDifference([mean, std], [known.mean, known.std])
    t.ok(error < 1e-6, `${key}: scale ${error}`)
    worst = Math.max(worst, error)
  }
  t.same(Array.from(repository.foregroundPrior), tensor('prior'))
  t.comment(`scales: ${worst}`)
})

t.test('the heads that teaching calibrates agree in every condition', async (t) => {
  let worst = 0
  for (const condition of DECIDABLE_CONDITIONS) {
    const known = expected.heads[condition]
    const { mahalanobis: head, normality, calibration } = repository.manifest.heads[condition]
    t.equal(calibration.source, 'held-out')
    t.equal(calibration.parts, known.scores.length, `${condition}: held-out parts`)
    const deviations = known.covariance.map((row, bank) => Math.sqrt(row[bank]!))
    /** In deviations, and the covariance as correlations. */
    const standardised = ({
      origin,
      covariance,
      shrinkage,
    }: Pick<KnownHead, 'origin' | 'covariance' | 'shrinkage'>) => [
      ...origin.map((value, bank) => value / deviations[bank]!),
      ...covariance.flatMap((row, a) => row.map((value, b) => value / deviations[a]! / deviations[b]!)),
      shrinkage,
    ]
    const curve = ({
      distances,
      normalities,
      upperTail,
      lowerTail,
    }: Omit<KnownHead, 'scores' | 'origin' | 'covariance' | 'shrinkage'>) => [
      ...distances,
      ...normalities,
      upperTail,
      lowerTail,
    ]
    const error = worstError(
      [...standardised(head), ...curve(normality)],
      [...standardised(known), ...curve(known)],
    )
    t.ok(error < DISTANCE_TOLERANCE, `${condition}: ${error}`)
    worst = Math.max(worst, error)
  }
  t.comment(`heads: ${worst}`)
})

t.test('given equal scores, distance and normality are equal, one-sided and two-sided', async (t) => {
  let worst = 0
  for (const condition of DECIDABLE_CONDITIONS) {
    const normals = expected.heads[condition].scores.map((row) =>
      row.map((score) => ({
        score,
        distances: new Float32Array(784),
        voters: new Uint8Array(784).fill(1),
      })),
    )
    for (const mode of ['one-sided', 'two-sided'] as const) {
      const head = calibrate(normals, {
        condition,
        mode,
        source: 'held-out',
        falseRejectRate: expected.falseRejectRate,
        seed: 1,
      })
      for (const { name } of expected.judged) {
        const verdict = expected.verdicts[name]![condition]
        const known = mode === 'two-sided' ? verdict.twoSided : verdict
        const distance = mahalanobis(head.mahalanobis, verdict.scores)
        const normality = normalityOf(head.normality, distance)
        const error = worstRatio([distance, normality], [known.distance, known.normality])
        t.ok(error < ARITHMETIC_TOLERANCE, `${name}, ${condition}, ${mode}: ${error}`)
        worst = Math.max(worst, error)
      }
    }
  }
  t.comment(`arithmetic: ${worst}`)
})

t.test('scores, distance, normality, verdict and map agree in every condition', async (t) => {
  const worst = { scores: 0, distance: 0, normality: 0, map: 0 }
  for (const [name, features] of parts) {
    for (const condition of DECIDABLE_CONDITIONS) {
      const known = expected.verdicts[name]![condition]
      const judged = await judge(narrowed(features, condition), withGivenMaps(repository), { search, fuse })
      const scores = worstRatio(
        BANKS_OF[condition].map((bank) => judged.bankScores[bank] ?? NaN),
        known.scores,
      )
      const distance = worstError([judged.distance], [known.distance])
      const normality = worstRatio([judged.normality], [known.normality])
      const kept = judged.map.filter((_, pixel) => pixel % 4 === 2 && Math.floor(pixel / 224) % 4 === 2)
      const map = Math.max(
        worstDifference(kept, tensor(`${name}.${condition}.map`)),
        Math.abs(judged.map.reduce((peak, value) => Math.max(peak, value), 0) - known.mapPeak),
      )
      const about = `${name}, ${condition}`
      t.ok(scores < SCORE_TOLERANCE, `${about}: scores ${scores}`)
      t.ok(distance < DISTANCE_TOLERANCE, `${about}: distance ${distance}`)
      t.ok(normality < DISTANCE_TOLERANCE, `${about}: normality ${normality}`)
      t.ok(map < MAP_TOLERANCE, `${about}: map ${map}`)
      t.equal(judged.normality < judged.threshold, known.fails, `${about}: the verdict`)
      for (const [figure, error] of Object.entries({ scores, distance, normality, map })) {
        worst[figure as keyof typeof worst] = Math.max(worst[figure as keyof typeof worst], error)
      }
    }
  }
  t.comment(worst)
})
