/**
 * What a repository costs and how it lasts: teaching against the number of parts, updates while a lamp ages, updates with defective parts
 * among the confirmed ones, and searching against the rows of a bank. All of it is the product's own; only the figures are made here.
 */
import type { CategoryName } from '../../drivers/synthetic/catalogue.ts'
import { openBundle, verifyGolden } from '../bundle.ts'
import { fuseWith } from '../fusion.ts'
import type { GateLimits } from '../gate.ts'
import { openSearch } from '../nearest.ts'
import { fusedOnce } from './fused-once.ts'
import { benchNearest, type NearestBench } from './nearest.ts'
import { openPartSupply, type SupplySource } from './part-supply.ts'
import { benchDrift, type DriftReport } from './repository-drift.ts'
import { benchPoisoning, type PoisoningReport } from './repository-poisoning.ts'
import { stageProduct, type Bench, type PartCounts } from './staged-product.ts'
import { measureTeaching, type Taught } from './teaching.ts'

export const REPOSITORY_BENCHES = ['teaching', 'drift', 'poisoning', 'search'] as const
export type RepositoryBenchName = (typeof REPOSITORY_BENCHES)[number]

export interface RepositoryBenchOptions {
  readonly bundleFolder: string
  /** A class folder in MVTec 3D-AD's layout: taught and drifted, too. Its defective parts are too few to smuggle any in. */
  readonly classFolder?: string
  readonly synthetic: { readonly category: CategoryName; readonly size: number }
  readonly only?: readonly RepositoryBenchName[]
  /** Numbers of parts that are taught. */
  readonly partCounts: readonly number[]
  /** Rows of a bank that is searched. */
  readonly bankRows: readonly number[]
  /** Of teachings; searches are repeated ten times as often. */
  readonly repeats: number
  readonly updates: number
  readonly partsPerUpdate: number
  /** Default: what a product of a small line has. */
  readonly counts?: Partial<PartCounts>
  readonly seed: number
  readonly threads: number
  readonly byteBudget: number
  readonly falseRejectRate: number
  /** Of the gate. */
  readonly limits: GateLimits
  readonly signal: AbortSignal
  readonly onProgress?: Bench['onProgress']
}

export interface TeachingReport {
  readonly product: string
  readonly runs: readonly Taught[]
}

export interface RepositoryBenchReport {
  readonly schema: 'radar-edge/bench-repository@1'
  readonly bundle: { readonly id: string; readonly name: string; readonly version: string }
  readonly seed: number
  readonly threads: number
  readonly byteBudget: number
  readonly promisedFalseRejectRate: number
  readonly limits: GateLimits
  /** Empty where a bench was not asked for. */
  readonly teaching: readonly TeachingReport[]
  readonly drift: readonly DriftReport[]
  readonly poisoning: readonly PoisoningReport[]
  readonly search: readonly NearestBench[]
}

const COUNTS: Omit<PartCounts, 'lineGood' | 'linePerKind'> = {
  taught: 40,
  goldenGood: 6,
  testGood: 60,
  goldenPerKind: 2,
  testPerKind: 8,
}
/** A class folder has 78 good parts, or so. */
const CLASS_COUNTS: PartCounts = {
  taught: 30,
  goldenGood: 4,
  lineGood: 28,
  testGood: 16,
  goldenPerKind: 2,
  testPerKind: 6,
  linePerKind: 0,
}
/** Of the parts that are confirmed. */
const DEFECTIVE_SHARE = 0.2
const SEARCHES_PER_REPEAT = 10

/** @throws DatasetError, ModelError, RepositoryError; Error when a teaching in its own process fails. Rejects with the signal's reason. */
export async function benchRepository(options: RepositoryBenchOptions): Promise<RepositoryBenchReport> {
  const { bundleFolder, threads, seed, byteBudget, falseRejectRate, limits, signal, onProgress } = options
  const { classFolder, only = REPOSITORY_BENCHES } = options
  const synthetic: SupplySource = { kind: 'synthetic', ...options.synthetic, seed }
  const sources: SupplySource[] = [
    ...(classFolder === undefined ? [] : [{ kind: 'class' as const, folder: classFolder }]),
    synthetic,
  ]
  const bundle = await openBundle(bundleFolder, { threads })
  const search = await openSearch({ threads })
  try {
    await verifyGolden(bundle)
    const bench: Bench = {
      bundle,
      search,
      fuse: fusedOnce(fuseWith(bundle)),
      seed,
      byteBudget,
      falseRejectRate,
      limits,
      signal,
      ...(onProgress && { onProgress }),
    }
    const { name, version } = bundle.manifest
    return {
      schema: 'radar-edge/bench-repository@1',
      bundle: { id: bundle.id, name, version },
      seed,
      threads,
      byteBudget,
      promisedFalseRejectRate: falseRejectRate,
      limits,
      search: only.includes('search') ? await searches(bundle.manifest.encoders.rgb.width, options) : [],
      teaching: only.includes('teaching') ? await teachings(sources, options) : [],
      ...(await lines(sources, bench, options)),
    }
  } finally {
    await search.release()
    await bundle.release()
  }
}

async function searches(
  width: number,
  { bankRows, repeats, threads, signal, onProgress }: RepositoryBenchOptions,
): Promise<NearestBench[]> {
  const measured: NearestBench[] = []
  for (const rows of bankRows) {
    measured.push(
      await benchNearest({ threads, repeats: repeats * SEARCHES_PER_REPEAT, rows, width, signal }),
    )
    onProgress?.({ phase: 'searching', done: measured.length, total: bankRows.length })
  }
  return measured
}

async function teachings(
  sources: readonly SupplySource[],
  { partCounts, signal, onProgress, ...request }: RepositoryBenchOptions,
): Promise<TeachingReport[]> {
  const reports: TeachingReport[] = []
  for (const source of sources) {
    const runs: Taught[] = []
    for (const parts of partCounts) {
      // Only what is plain and asked for goes into another process.
      const { bundleFolder, repeats, threads, seed, byteBudget, falseRejectRate } = request
      const asked = { source, parts, bundleFolder, repeats, threads, seed, byteBudget, falseRejectRate }
      runs.push(await measureTeaching(asked, signal))
      onProgress?.({
        phase: `${runs.at(-1)!.product}: teaching`,
        done: runs.length,
        total: partCounts.length,
      })
    }
    reports.push({ product: runs[0]?.product ?? source.kind, runs })
  }
  return reports
}

async function lines(
  sources: readonly SupplySource[],
  bench: Bench,
  { only = REPOSITORY_BENCHES, updates, partsPerUpdate, counts = {} }: RepositoryBenchOptions,
): Promise<Pick<RepositoryBenchReport, 'drift' | 'poisoning'>> {
  const drift: DriftReport[] = []
  const poisoning: PoisoningReport[] = []
  if (!only.includes('drift') && !only.includes('poisoning')) return { drift, poisoning }
  for (const source of sources) {
    const isSynthetic = source.kind === 'synthetic'
    if (!isSynthetic && !only.includes('drift')) continue
    const supply = await openPartSupply(source, bench.signal)
    try {
      const alongLine = updates * partsPerUpdate
      const usual = isSynthetic ? { ...COUNTS, lineGood: alongLine, linePerKind: alongLine } : CLASS_COUNTS
      const staged = await stageProduct(supply, { ...usual, ...counts }, bench)
      const line = { ...bench, updates, partsPerUpdate }
      if (only.includes('drift')) drift.push(await benchDrift(staged, line))
      if (!isSynthetic || !only.includes('poisoning')) continue
      const defectivePerUpdate = Math.max(1, Math.round(DEFECTIVE_SHARE * partsPerUpdate))
      for (const guard of ['same-kinds', 'other-kinds'] as const) {
        poisoning.push(await benchPoisoning(staged, { ...line, guard, defectivePerUpdate }))
      }
    } finally {
      await supply.close()
    }
  }
  return { drift, poisoning }
}
