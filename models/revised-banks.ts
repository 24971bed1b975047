/**
 * The banks of a repository after an update: what new parts show beyond the covering radius comes in, and k-centre under the byte budget
 * decides which rows leave. Scales stay those of the repository, so distances before and after mean the same.
 */
import { makeBank, type Bank } from './bank.ts'
import type { DefectBanks } from './admission.ts'
import type { Comparer } from './comparison.ts'
import { coresetOf, coresetWithout, extendCoreset, projectedRows, selectCoreset } from './coreset.ts'
import { normalised } from './feature-scale.ts'
import { BANK_KEYS, byBankKey, type BankKey, type Features } from './features.ts'
import type { PatchRows } from './fusion.ts'
import type { Search } from './nearest.ts'
import { RepositoryError, type Repository } from './repository.ts'
import {
  candidatesOf,
  gatherCandidates,
  PROJECTED_WIDTH,
  rowsWithin,
  type BankOptions,
  type TaughtBanks,
} from './taught-banks.ts'

/** One part of the repository after the update, by index. The first ones are the repository's own `taught`. */
export interface Member {
  /** Absent when they were not kept: its rows stay, but it cannot calibrate. */
  readonly features?: Features | undefined
  /** Its patches may enter. */
  readonly isNew: boolean
  /** Its rows leave. */
  readonly isForgotten: boolean
}

export interface BankChange {
  readonly rowsBefore: number
  readonly rowsAfter: number
  readonly added: number
  /** Rows that were in it before and are not any more. */
  readonly left: number
  /** New patches beyond the radius that were nearer to a known defect. */
  readonly barred: number
  readonly radiusBefore: number
  readonly radiusAfter: number
}

export interface RevisedBanks extends TaughtBanks {
  readonly changes: Readonly<Record<BankKey, BankChange>>
}

export interface ReviseBanksOptions
  extends Comparer, Pick<BankOptions, 'byteBudget' | 'seed' | 'signal' | 'onProgress'> {
  readonly defects: DefectBanks
  /** Also drops rows that others stand for. */
  readonly compacts?: boolean
}

/** Rows that are nearer to another than this share of the covering radius say nothing that the other does not: compacting drops them. */
const NEAR_SHARE = 0.5
/** One update may not make a bank another: what it adds at most, as a share of the rows that the budget has room for. */
const MOST_NEW_SHARE = 0.25
/** Queries at a time: the graph's intermediate matrix has so many rows. */
const QUERY_ROWS = 2048

/** @throws ModelError for features that are not comparable, RepositoryError for a budget without room. */
export async function reviseBanks(
  active: Repository,
  members: readonly Member[],
  options: ReviseBanksOptions,
): Promise<RevisedBanks> {
  const { manifest } = active
  const rows = rowsWithin(options.byteBudget, {
    rgb: manifest.banks.rgb.width,
    xyz: manifest.banks.xyz.width,
    fused: manifest.banks['fused-complete'].width,
  })
  const withFeatures = [...members.keys()].filter(
    (member) => members[member]!.features !== undefined && !members[member]!.isForgotten,
  )
  const features = withFeatures.map((member) => members[member]!.features!)
  const { foregroundPrior: seen, chosen } = candidatesOf(features, options.seed)
  const built = new Map<BankKey, RevisedBank>()
  for (const key of BANK_KEYS) {
    const raw = await gatherCandidates(features, chosen, { key, ...options })
    const pool: Pool = {
      width: active.banks[key].width,
      values: normalised(raw.values, manifest.scales[key]),
      rowMembers: raw.rowParts.map((part) => withFeatures[part]!),
    }
    built.set(key, await reviseBank(key, { active, members, pool, mostRows: rows[key], ...options }))
    options.signal?.throwIfAborted()
  }
  const each = <T>(pick: (bank: RevisedBank) => T) => byBankKey((key) => pick(built.get(key)!))
  return {
    banks: each(({ bank }) => bank),
    rowParts: each(({ rowMembers }) => rowMembers),
    without: each(({ without }) => without),
    descriptions: each(({ description }) => description),
    changes: each(({ change }) => change),
    scales: manifest.scales,
    foregroundPrior: active.foregroundPrior.map((old, patch) => old | seen[patch]!),
  }
}

/** The patches that members could give, normalised as the bank is. */
interface Pool extends PatchRows {
  readonly rowMembers: Int32Array
}

interface RevisedBank {
  readonly bank: Bank
  readonly rowMembers: Int32Array
  without(members: readonly number[]): Bank
  readonly description: RevisedBanks['descriptions'][BankKey]
  readonly change: BankChange
}

async function reviseBank(
  key: BankKey,
  {
    active,
    members,
    pool,
    mostRows,
    defects,
    search,
    seed,
    compacts = false,
    signal,
    onProgress,
  }: Omit<ReviseBanksOptions, 'fuse' | 'byteBudget'> & {
    readonly active: Repository
    readonly members: readonly Member[]
    readonly pool: Pool
    readonly mostRows: number
  },
): Promise<RevisedBank> {
  const { width } = pool
  const before = active.banks[key]
  const { coveringRadius: radius, candidates } = active.manifest.banks[key]
  const memberOf = active.rowParts[key]
  const stays = Int32Array.from(memberOf.keys()).filter((row) => !members[memberOf[row]!]!.isForgotten)
  const forgotten = before.rows - stays.length
  if (stays.length === 0)
    throw new RepositoryError(
      'REPOSITORY_REFUSED',
      `all ${before.rows} rows of bank '${key}' would be forgotten`,
    )
  const base = makeBank(width, rowsOf(before.values, stays, width))

  const { distances } = await nearestRows(pool.values, base, search)
  // Where a part is forgotten, the others fill the hole.
  const mayEnter = Int32Array.from(pool.rowMembers.keys()).filter(
    (row) => distances[row]! > radius && (forgotten > 0 || members[pool.rowMembers[row]!]!.isNew),
  )
  const barred = new Set(
    await nearerToDefects(pool.values, mayEnter, { distances, defects: defects[key], search, width }),
  )
  const open = mayEnter.filter((row) => !barred.has(row))
  const fresh = extendCoreset(
    rowsOf(pool.values, open, width),
    Float32Array.from(open, (row) => distances[row]!),
    { width, radius, most: Math.floor(MOST_NEW_SHARE * mostRows) + forgotten },
  ).map((chosen) => open[chosen]!)

  const union = joinedRows([base.values, rowsOf(pool.values, fresh, width)])
  const unionMembers = Int32Array.from([
    ...Array.from(stays, (row) => memberOf[row]!),
    ...Array.from(fresh, (row) => pool.rowMembers[row]!),
  ])
  const apart = compacts ? NEAR_SHARE * radius : 0
  const thinned =
    unionMembers.length > mostRows || apart > 0
      ? await selectCoreset(union, {
          width,
          count: mostRows,
          apart,
          projectedWidth: PROJECTED_WIDTH,
          seed,
          ...(signal && { signal }),
          onProgress: (done, total) => onProgress?.({ phase: `choosing ${key} patches`, done, total }),
        })
      : undefined
  const selected = thinned?.selected ?? Int32Array.from(unionMembers.keys())
  const bank = makeBank(width, rowsOf(union, selected, width))
  const rowMembers = selected.map((row) => unionMembers[row]!)
  // Never less than before: rows that leave are near others, and the distance to those would let in, and out, half of the bank next time.
  const radiusAfter = Math.max(radius, thinned?.coveringRadius ?? 0)
  const added = selected.reduce((count, row) => count + (row >= base.rows ? 1 : 0), 0)
  return {
    bank,
    rowMembers,
    without: await withoutMembers({ bank, rowMembers, pool, barred, search, seed }),
    description: {
      rows: bank.rows,
      width,
      candidates: candidates + open.length,
      coveringRadius: radiusAfter,
    },
    change: {
      rowsBefore: before.rows,
      rowsAfter: bank.rows,
      added,
      left: before.rows - (bank.rows - added),
      barred: barred.size,
      radiusBefore: radius,
      radiusAfter,
    },
  }
}

/** Leaves members out as teaching does: their rows go, and patches of the others take their place. */
async function withoutMembers({
  bank,
  rowMembers,
  pool,
  barred,
  search,
  seed,
}: {
  readonly bank: Bank
  readonly rowMembers: Int32Array
  readonly pool: Pool
  readonly barred: ReadonlySet<number>
  readonly search: Search
  readonly seed: number
}): Promise<RevisedBank['without']> {
  const { width } = pool
  const fillers = Int32Array.from(pool.rowMembers.keys()).filter((row) => !barred.has(row))
  const values = joinedRows([bank.values, rowsOf(pool.values, fillers, width)])
  const projected = projectedRows(values, { width, projectedWidth: PROJECTED_WIDTH, seed })
  const centres = makeBank(projected.width, projected.points.subarray(0, bank.rows * projected.width))
  const { indices } = await nearestRows(
    projected.points.subarray(bank.rows * projected.width),
    centres,
    search,
  )
  const owner = Int32Array.from([...bank.squaredNorms.keys(), ...indices])
  const coreset = coresetOf(projected, { owner, centres: bank.rows })
  const memberOf = Int32Array.from([...rowMembers, ...Array.from(fillers, (row) => pool.rowMembers[row]!)])
  return (members) => {
    const left = coresetWithout(
      coreset,
      Uint8Array.from(memberOf, (member) => (members.includes(member) ? 1 : 0)),
    )
    return makeBank(width, rowsOf(values, left, width))
  }
}

/** Which of the rows are nearer to a known defect than to the bank. */
async function nearerToDefects(
  values: Float32Array,
  rows: Int32Array,
  {
    distances,
    defects,
    search,
    width,
  }: {
    readonly distances: Float32Array
    readonly defects: Bank | undefined
    readonly search: Search
    readonly width: number
  },
): Promise<Int32Array> {
  if (defects === undefined || rows.length === 0) return new Int32Array(0)
  const toDefect = await nearestRows(rowsOf(values, rows, width), defects, search)
  return rows.filter((row, i) => toDefect.distances[i]! < distances[row]!)
}

/** k = 1, in parts: a graph's intermediate result has queries times rows entries. */
async function nearestRows(
  queries: Float32Array,
  bank: Bank,
  search: Search,
): Promise<{ distances: Float32Array; indices: Int32Array }> {
  const { width } = bank
  const count = queries.length / width
  const distances = new Float32Array(count)
  const indices = new Int32Array(count)
  for (let start = 0; start < count; start += QUERY_ROWS) {
    const part = queries.subarray(start * width, Math.min(count, start + QUERY_ROWS) * width)
    const found = await search.nearest({ queries: part, width, bank, k: 1 })
    distances.set(found.distances, start)
    indices.set(found.indices, start)
  }
  return { distances, indices }
}

function rowsOf(values: Float32Array, rows: Int32Array, width: number): Float32Array {
  const chosen = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries())
    chosen.set(values.subarray(row * width, (row + 1) * width), i * width)
  return chosen
}

function joinedRows([first, second]: readonly [Float32Array, Float32Array]): Float32Array {
  const joined = new Float32Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
