/** `radar-edge bench miiad`: RADAR, baselines and ablations when parts lack a modality. Nothing here passes or fails. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import sharp from 'sharp'
import { benchMiiad, splitRequests } from '../../models/bench/miiad.ts'
import { barsOf, settingName } from '../../models/bench/miiad-bars.ts'
import { csvReport } from '../../models/bench/miiad-csv.ts'
import { markdownReport } from '../../models/bench/miiad-markdown.ts'
import { inOrder } from '../../models/bench/miiad-methods.ts'
import { rateCurves, scoreHistograms } from '../../models/bench/miiad-plots.ts'
import {
  meanOf,
  mergeReports,
  readReport,
  settingsOf,
  type Figure,
  type MiiadMeasured,
  type Setting,
} from '../../models/bench/miiad-report.ts'
import { readSplitFile, type SplitFile } from '../../models/bench/miiad-split-file.ts'
import type { MissingKind, MissingPlace } from '../../models/bench/miiad-split.ts'
import { summaryOf } from '../../models/bench/miiad-summary.ts'
import { replaceFile } from '../../models/durable-folder.ts'
import { bundleFolder } from '../bundle-folder.ts'
import { progressLine } from '../progress.ts'

export interface BenchMiiadOptions {
  /** Absent with `merge`. */
  readonly data?: string
  /** Shares, not per cents. */
  readonly rates: readonly number[]
  readonly kinds: readonly MissingKind[]
  readonly where: MissingPlace
  readonly seeds: readonly number[]
  readonly classes?: readonly string[]
  readonly methods?: readonly string[]
  readonly bundle: string
  readonly ablations: readonly { readonly name: string; readonly folder: string }[]
  /** A split file, in place of rates, kinds, where and seeds. */
  readonly splits?: string
  /** Reports to put together; nothing is measured. */
  readonly merge?: readonly string[]
  readonly out?: string
  readonly threads: number
  readonly falseRejectRate: number
  readonly bankMebibytes: number
  readonly json: boolean
  readonly signal: AbortSignal
}

export async function benchMiiadCommand(options: BenchMiiadOptions): Promise<void> {
  const { measured, splitFile } = options.merge
    ? { measured: mergeReports(await Promise.all(options.merge.map(readReport))), splitFile: undefined }
    : await measure(options)
  if (options.out !== undefined) await writeMiiadReport(resolve(options.out), measured, splitFile)
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ ...measured, summary: summaryOf(measured) })}\n`
      : textReport(measured),
  )
}

async function measure(
  options: BenchMiiadOptions,
): Promise<{ measured: MiiadMeasured; splitFile: SplitFile }> {
  const { data, classes, methods, threads, falseRejectRate, signal } = options
  if (data === undefined)
    throw new RangeError('nothing to measure, expected --data <folder> or --merge <files>')
  const line = progressLine()
  try {
    return await benchMiiad({
      bundleFolder: bundleFolder(options.bundle),
      ablations: options.ablations.map(({ name, folder }) => ({ name, folder: bundleFolder(folder) })),
      dataFolder: resolve(data),
      ...(classes && { classes }),
      ...(methods && { methods }),
      splits:
        options.splits === undefined ? splitRequests(options) : await readSplitFile(resolve(options.splits)),
      threads,
      byteBudget: Math.round(options.bankMebibytes * 2 ** 20),
      falseRejectRate,
      signal,
      onProgress: (progress) => line.update(progress),
    })
  } finally {
    line.finish()
  }
}

/** report.json, .csv and .md, the splits where there are new ones, and the plots. */
export async function writeMiiadReport(
  folder: string,
  measured: MiiadMeasured,
  splitFile: SplitFile | undefined,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const json = (value: unknown): Buffer => Buffer.from(`${JSON.stringify(value)}\n`)
  const files = new Map<string, Uint8Array>([
    ['report.json', json({ ...measured, summary: summaryOf(measured) })],
    ['report.csv', Buffer.from(csvReport(measured.cells))],
    ['report.md', Buffer.from(markdownReport(measured))],
    ['auroc.png', await png(rateCurves(measured.cells))],
    [
      'scores.png',
      await png(
        scoreHistograms(measured.cells, { method: 'radar', promised: measured.promisedFalseRejectRate }),
      ),
    ],
  ])
  if (splitFile) files.set('splits.json', json(splitFile))
  for (const [name, bytes] of files) await replaceFile(join(folder, name), bytes)
}

/** Twice the SVG's size, for screens that show it so. */
export function png(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 144 }).png({ palette: true, colours: 256, effort: 10 }).toBuffer()
}

function textReport({ cells, bundle, dataset, promisedFalseRejectRate, gaps }: MiiadMeasured): string {
  const methods = inOrder(cells.map(({ method }) => method))
  const figure = (asked: Setting & { method: string }, name: Figure): string => {
    const on = asked.method === 'rgb-only' ? 'rgb' : asked.method === 'xyz-only' ? 'xyz' : 'all'
    return meanOf(cells, { ...asked, on }, name)?.mean.toFixed(3) ?? '  -  '
  }
  const rows = settingsOf(cells).flatMap((setting) => [
    `${settingName(setting)}\n`,
    ...methods.map((method) => {
      const of = (name: Figure): string => figure({ ...setting, method }, name)
      return `  ${method.padEnd(20)} I-AUROC ${of('imageAuroc')}  AUPRO ${of('aupro')}  P-AUROC ${of('pixelAuroc')}\n`
    }),
  ])
  const word = (reached: boolean | null): string =>
    reached === null ? 'not measured' : reached ? 'reached     ' : 'NOT REACHED '
  const bars = barsOf(cells, promisedFalseRejectRate)
    .filter(({ reached }) => reached !== null)
    .map(({ name, reached, found }) => `${word(reached)} ${name}: ${found}\n`)
  return [
    `${dataset}: ${bundle.name} ${bundle.version}, means over classes and seeds; one-modality methods on the parts that have it\n`,
    ...rows,
    ...bars,
    ...gaps.map(
      (gap) =>
        `not measured: ${gap.category}, ${settingName(gap)}, seed ${gap.seed}, ${gap.method}: ${gap.why}\n`,
    ),
  ].join('')
}
