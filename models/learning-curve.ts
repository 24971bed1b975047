/**
 * Whether more good parts would still help: how much nearer a part lies to all other parts than to half of them. In a cloud of D
 * dimensions distances fall by 1 - 2^(-1/D) with every doubling of its points, for ever: by 5 to 10 % where parts differ by noise alone,
 * and no detection comes of it. What lies above is something that few parts show, so that more of them would show more of it.
 *
 * The share of a part's patches beyond the covering radius is no such measure: with a budget of rows the radius grows with the number of
 * patches it must cover, so that share falls whatever the parts are like, and it is 1 while every patch has a row.
 */
import type { Modality } from '../drivers/frame.ts'
import { makeBank, type Bank } from './bank.ts'
import { normalised, scaleOf, type FeatureScale } from './feature-scale.ts'
import { GRID_PATCHES, type Features } from './features.ts'
import type { Search } from './nearest.ts'
import { featuresHash, type TaughtPart } from './teach.ts'

export interface LearningCurve {
  /** Parts in the order of capture. */
  add(part: TaughtPart): Promise<CurvePoint>
  /** Of all parts so far. Rejects with the signal's reason. */
  measure(signal?: AbortSignal): Promise<Learning>
}

/** A part beside those before it. A modality is there when it has it and each half of the parts before it had it, too. */
export type CurvePoint = Pick<TaughtPart, 'partId'> & { readonly [M in Modality]?: Nearness }

export interface Nearness {
  /** Of some patches of the part to the nearest patch of all those parts, in the encoder's units. */
  readonly distances: Float32Array
  /** Means over these patches: to all of those parts, and to every other one of them. */
  readonly toAll: number
  readonly toHalf: number
}

export interface Learning {
  /** How much nearer a part lies to all others than to half of them, in the mean over the parts: the share that the distance falls by. */
  readonly gain: { readonly [M in Modality]?: number }
  readonly verdict: 'more-helps' | 'enough' | 'too-few-to-tell'
}

/**
 * A gain of this much in either modality, and more parts would still help. Measured with radar-lite 0.3.0: on cable_gland it is 0.13 to
 * 0.21 with 10 to 60 parts, and image AUROC rises with them (4 MiB; complete 0.43, 0.48, 0.66, 0.70 with 10, 20, 40, 60 parts). On nine
 * synthetic products it is 0.05 to 0.12 with 16 to 24 parts, and image AUROC stays where it is with 12 (hex nuts 1.00, circuit boards
 * 1.00, cookies 0.80 to 0.88).
 */
export const MORE_HELPS_FROM = 0.12
/** Half of fewer says little. */
const FEWEST_PARTS = 10
/** Patches of a part that are asked: a mean over a few hundred more says the same. */
const ASKED_PATCHES = 64
/** Of those that come after, nothing is asked any more: each would be held against all before it, and the answer is known. */
const MOST_PARTS = 400
/** So many are averaged at the end, evenly spread. */
const MEASURED_PARTS = 60

/** Of one part in one modality, normalised. */
interface Rows {
  readonly part: number
  /** To be asked. */
  readonly queries: Float32Array
  /** First row in its half, and how many. */
  readonly start: number
  readonly count: number
}

/** The patches of a modality of every other part. */
interface Half {
  rows: number
  /** With room for more. */
  values: Float32Array
}

interface Known {
  scale: FeatureScale
  width: number
  readonly halves: readonly [Half, Half]
  readonly parts: Rows[]
}

export function startLearningCurve(search: Search): LearningCurve {
  const known: { [M in Modality]?: Known } = {}
  const seen = new Uint8Array(GRID_PATCHES)
  const hashes = new Set<string>()

  return {
    async add({ partId, features }) {
      const parts = hashes.size
      // The same capture twice is taught once.
      if (parts >= MOST_PARTS || parts === hashes.add(featuresHash(features)).size) return { partId }
      const patches = patchesOf(features, seen)
      const point: { [M in Modality]?: Nearness } = {}
      for (const modality of ['rgb', 'xyz'] as const) {
        const grid = features[modality]
        if (grid === undefined) continue
        // One scale for all parts; which one it is changes no ratio.
        const all = (known[modality] ??= {
          scale: scaleOf(grid.values),
          width: grid.width,
          halves: [emptyHalf(), emptyHalf()],
          parts: [],
        })
        const rows = normalised(rowsOf(grid, patches), all.scale)
        const half = all.halves[parts % 2]!
        const own = {
          part: parts,
          queries: everyNth(rows, all.width),
          start: half.rows,
          count: patches.length,
        }
        const near = await nearness(own, all, search)
        if (near !== undefined) point[modality] = near
        append(half, rows, all.width)
        all.parts.push(own)
      }
      if (features.condition !== 'rgb-only') for (const patch of patches) seen[patch] = 1
      return { partId, ...point }
    },
    async measure(signal) {
      const gain: { [M in Modality]?: number } = {}
      for (const modality of ['rgb', 'xyz'] as const) {
        const all = known[modality]
        if (all === undefined || all.parts.length < FEWEST_PARTS) continue
        const near: Nearness[] = []
        for (const own of spread(all.parts)) {
          const found = await nearness(own, all, search)
          if (found !== undefined) near.push(found)
          signal?.throwIfAborted()
        }
        gain[modality] = gainOf(near)
      }
      const gains = Object.values(gain)
      if (gains.length === 0) return { gain, verdict: 'too-few-to-tell' }
      return { gain, verdict: Math.max(...gains) >= MORE_HELPS_FROM ? 'more-helps' : 'enough' }
    },
  }
}

/** How much nearer those parts lie to all that they were held against than to half of them. */
export function gainOf(near: readonly Nearness[]): number {
  const toHalf = near.reduce((sum, each) => sum + each.toHalf, 0)
  const toAll = near.reduce((sum, each) => sum + each.toAll, 0)
  return toHalf > 0 ? 1 - toAll / toHalf : 0
}

/** A part beside all parts in the halves but itself. */
async function nearness(
  { part, queries, start, count }: Rows,
  { halves, width, scale }: Known,
  search: Search,
): Promise<Nearness | undefined> {
  const toHalf: Float32Array[] = []
  for (const [parity, half] of halves.entries()) {
    const isOwn = parity === part % 2 && half.rows > start
    if (half.rows === (isOwn ? count : 0)) return undefined
    const bank = bankOf(half, width)
    const exclude = isOwn ? new Uint8Array(half.rows).fill(1, start, start + count) : undefined
    const found = await search.nearest({ queries, width, bank, k: 1, ...(exclude && { exclude }) })
    toHalf.push(found.distances)
  }
  const [a, b] = toHalf as [Float32Array, Float32Array]
  const distances = a.map((distance, patch) => scale.std * Math.min(distance, b[patch]!))
  return { distances, toAll: meanOf(distances), toHalf: (scale.std * (meanOf(a) + meanOf(b))) / 2 }
}

function spread(parts: readonly Rows[]): Rows[] {
  const asked = Math.min(parts.length, MEASURED_PARTS)
  return Array.from({ length: asked }, (_, i) => parts[Math.floor((i * parts.length) / asked)]!)
}

function bankOf({ rows, values }: Half, width: number): Bank {
  return makeBank(width, values.subarray(0, rows * width))
}

/** Where the part lies; without 3D, where those before it lay. */
function patchesOf({ condition, foregroundPatches }: Features, seen: Uint8Array): number[] {
  const shown = condition === 'rgb-only' && seen.includes(1) ? seen : foregroundPatches
  const everyone = !shown.includes(1)
  return Array.from(shown.keys()).filter((patch) => everyone || shown[patch] === 1)
}

function rowsOf(
  { width, values }: { readonly width: number; readonly values: Float32Array },
  patches: readonly number[],
): Float32Array {
  const rows = new Float32Array(patches.length * width)
  for (const [row, patch] of patches.entries()) {
    rows.set(values.subarray(patch * width, (patch + 1) * width), row * width)
  }
  return rows
}

function everyNth(rows: Float32Array, width: number): Float32Array {
  const count = rows.length / width
  const asked = Math.min(count, ASKED_PATCHES)
  const queries = new Float32Array(asked * width)
  for (let i = 0; i < asked; i++) {
    const row = Math.floor((i * count) / asked)
    queries.set(rows.subarray(row * width, (row + 1) * width), i * width)
  }
  return queries
}

const emptyHalf = (): Half => ({ rows: 0, values: new Float32Array(0) })

function append(half: Half, rows: Float32Array, width: number): void {
  const end = half.rows * width
  if (end + rows.length > half.values.length) {
    const roomier = new Float32Array(2 * (end + rows.length))
    roomier.set(half.values.subarray(0, end))
    half.values = roomier
  }
  half.values.set(rows, end)
  half.rows += rows.length / width
}

function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
