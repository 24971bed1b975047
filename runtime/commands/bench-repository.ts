/** `radar-edge bench repository`: what teaching and keeping a repository costs, and how it lasts. Nothing here passes or fails. */
import { cpus } from 'node:os'
import { resolve } from 'node:path'
import { benchRepository, type RepositoryBenchName } from '../../models/bench/repository.ts'
import { bundleFolder } from '../bundle-folder.ts'
import { readKillCounts } from '../kill-counts.ts'
import { progressLine } from '../progress.ts'
import { repositoryBenchText } from '../repository-bench-text.ts'
import { categoryOf } from '../sensors.ts'

export interface BenchRepositoryOptions {
  /** A real class's folder; default: the synthetic product only. */
  readonly data?: string
  /** A synthetic product. */
  readonly category: string
  readonly size: number
  readonly only?: readonly RepositoryBenchName[]
  readonly parts: readonly number[]
  readonly rows: readonly number[]
  readonly repeats: number
  readonly updates: number
  readonly perUpdate: number
  /** What the kill test wrote down. */
  readonly kills?: string
  readonly bundle: string
  readonly seed: number
  readonly threads: number
  readonly falseRejectRate: number
  readonly bankMebibytes: number
  readonly leastDetection: number
  readonly mostFlips: number
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function benchRepositoryCommand(options: BenchRepositoryOptions): Promise<void> {
  const category = categoryOf(options.category)
  const { data, size, only, repeats, updates, seed, threads, falseRejectRate, signal } = options
  // A file that cannot be read is told before an hour of work, not after it.
  const kills = options.kills === undefined ? undefined : await readKillCounts(resolve(options.kills))
  const line = progressLine()
  try {
    const bench = await benchRepository({
      bundleFolder: bundleFolder(options.bundle),
      ...(data !== undefined && { classFolder: resolve(data) }),
      synthetic: { category, size },
      ...(only && { only }),
      partCounts: options.parts,
      bankRows: options.rows,
      repeats,
      updates,
      partsPerUpdate: options.perUpdate,
      seed,
      threads,
      byteBudget: Math.round(options.bankMebibytes * 2 ** 20),
      falseRejectRate,
      limits: { leastDetection: options.leastDetection, mostFlips: options.mostFlips },
      signal,
      onProgress: (progress) => line.update(progress),
    })
    line.finish()
    const machine = `${cpus()[0]?.model ?? 'unknown'} x ${cpus().length}, Node.js ${process.version}`
    const report = { machine, ...bench, kills: kills ?? null }
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : repositoryBenchText(report))
  } finally {
    line.finish()
  }
}
