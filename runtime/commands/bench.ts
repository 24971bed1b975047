/** `radar-edge bench`: figures, with the machine and the seeds beside them. Nothing here passes or fails. */
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { DatasetError, indexDataset } from '../../drivers/dataset.ts'
import { readPointMap } from '../../drivers/formats/read-point-map.ts'
import { DECIDABLE_CONDITIONS } from '../../drivers/sample.ts'
import { benchAnomaly, type AnomalyReport } from '../../models/bench/anomaly.ts'
import { benchKernels, type BenchCloud, type KernelBench } from '../../models/bench/kernels.ts'
import { bundleFolder } from '../bundle-folder.ts'
import { progressLine } from '../progress.ts'

export interface BenchAnomalyOptions {
  readonly data: string
  readonly bundle: string
  readonly classes?: readonly string[]
  /** At most this many good parts are taught. */
  readonly train?: number
  readonly seed: number
  readonly threads: number
  readonly falseRejectRate: number
  readonly bankMebibytes: number
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function benchAnomalyCommand(options: BenchAnomalyOptions): Promise<void> {
  const line = progressLine()
  const { classes, train, seed, threads, falseRejectRate, signal } = options
  try {
    const report = await benchAnomaly({
      bundleFolder: bundleFolder(options.bundle),
      dataFolder: resolve(options.data),
      ...(classes && { classes }),
      ...(train !== undefined && { most: { train } }),
      seed,
      threads,
      byteBudget: Math.round(options.bankMebibytes * 2 ** 20),
      falseRejectRate,
      signal,
      onProgress: (progress) => line.update(progress),
    })
    line.finish()
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : anomalyTable(report))
  } finally {
    line.finish()
  }
}

export interface BenchKernelsOptions {
  /** A class folder with real parts, or any data set; the first point map in it is measured. */
  readonly data?: string
  readonly repeats: number
  readonly threads: number
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function benchKernelsCommand(options: BenchKernelsOptions): Promise<void> {
  const { repeats, threads, signal } = options
  const cloud = options.data === undefined ? undefined : await firstCloud(resolve(options.data))
  const bench = await benchKernels({ repeats, threads, signal, ...(cloud && { cloud }) })
  const report = {
    machine: `${cpus()[0]?.model ?? 'unknown'} x ${cpus().length}, Node.js ${process.version}`,
    ...bench,
  }
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : kernelTable(report))
}

async function firstCloud(root: string): Promise<BenchCloud> {
  const file = (await indexDataset(root)).items.find((item) => item.xyzPath !== undefined)?.xyzPath
  if (file === undefined) throw new DatasetError('DATASET_EMPTY', `${root} holds no point map`)
  return {
    source: join('...', ...file.split('/').slice(-4)),
    pointsMetres: (await readPointMap(file)).pointsMetres,
  }
}

function anomalyTable(report: AnomalyReport): string {
  const figure = (value: number | null | undefined): string => (value == null ? '-' : value.toFixed(3))
  const rows = report.classes.flatMap((category) =>
    DECIDABLE_CONDITIONS.map((condition) => {
      const { imageAuroc, imageAurocInterval, pixelAuroc, aupro } = category.conditions[condition]
      const interval = imageAurocInterval
      const range = interval === null ? '' : `[${figure(interval.lower)}, ${figure(interval.upper)}]`
      return `${category.category.padEnd(16)} ${condition.padEnd(9)} I-AUROC ${figure(imageAuroc)} ${range.padEnd(16)} P-AUROC ${figure(pixelAuroc)}  AUPRO ${figure(aupro)}\n`
    }),
  )
  const { name, version } = report.bundle
  return `${name} ${version}, seed ${report.seed}; ${report.resolution}\n${rows.join('')}`
}

function kernelTable({
  machine,
  cloud,
  farthestPoints,
  neighbourGroups,
  nearest,
}: KernelBench & { machine: string }): string {
  const ms = (value: number): string => `${value.toFixed(1)} ms`
  const row = (name: string, timing: KernelBench['farthestPoints']): string =>
    `${name.padEnd(40)} median ${ms(timing.medianMs)}, worst ${ms(timing.worstMs)}, plain loop ${ms(timing.plainMs)}\n`
  return [
    `${machine}; cloud ${cloud.source}\n`,
    row(`farthest points, 1024 of ${cloud.points}`, farthestPoints),
    row('nearest neighbours, 1024 x 128', neighbourGroups),
    `nearest of ${nearest.rows} rows, ${nearest.queries} x ${nearest.width}         median ${ms(nearest.search.medianMs)}, worst ${ms(nearest.search.worstMs)}, bare MatMul ${ms(nearest.matmul.medianMs)}, ratio ${nearest.ratio.toFixed(2)}\n`,
  ].join('')
}
