/** What `radar-edge teach` tells a person: is it good enough, would more parts help, which parts look bad, what to expect. */
import type { GateReport } from '../models/gate.ts'
import { MORE_HELPS_FROM } from '../models/learning-curve.ts'
import type { Repository } from '../models/repository.ts'
import type { TeachQuality } from '../models/teach-quality.ts'

export type TeachSummary = ReturnType<typeof summaryOf>

export type TeachReport = TeachSummary & {
  readonly excluded: readonly string[]
  /** Files of heatmaps. */
  readonly pictures: readonly string[]
  readonly gate: Pick<GateReport, 'passed' | 'unguarded' | 'checks'>
  readonly remarks: readonly string[]
}

export function summaryOf({ id, manifest }: Repository, { outliers, ...quality }: TeachQuality) {
  const heads = Object.entries(manifest.heads).map(
    ([condition, head]) => [condition, head.calibration] as const,
  )
  return {
    product: manifest.product,
    repositoryId: id,
    bundleId: manifest.bundle.id,
    taught: manifest.taught.length,
    heldOut: manifest.heldOut.length,
    falseRejectRate: manifest.falseRejectRate,
    calibration: Object.fromEntries(heads),
    warnings: manifest.warnings,
    ...quality,
    banks: manifest.banks,
    // Maps are pictures, not figures.
    outliers: outliers.map(({ partId, condition, chance, normality, distance }) => ({
      partId,
      condition,
      chance,
      normality,
      distance,
    })),
  }
}

const MOST_IN_LEDGER = 30

/** Entries of the ledger are bounded; the report has everything. */
export function figuresOf(repository: Repository, quality: TeachQuality) {
  const { learning, outliers, ...rest } = summaryOf(repository, quality)
  const { gain, verdict } = learning
  return {
    ...rest,
    warnings: rest.warnings.slice(0, MOST_IN_LEDGER),
    learning: { gain, verdict },
    outliers: outliers.slice(0, MOST_IN_LEDGER),
  }
}

/** For a person. */
export function teachReport(report: TeachReport): string {
  const { product, repositoryId, taught, heldOut, excluded, searchMs } = report
  const without = excluded.length === 0 ? '' : `, ${excluded.length} left out`
  const lines = [
    `${product}: ${taught} parts taught, ${heldOut} held out${without}, repository ${repositoryId.slice(0, 12)} in use`,
    `  promised false rejects ${perThousand(1000 * report.falseRejectRate)} of 1000 good parts`,
    ...Object.entries(report.falseRejects).map(([condition, { perThousand: rate, lower, upper, parts }]) => {
      const source = report.calibration[condition]?.source ?? ''
      const interval = `${perThousand(lower)} to ${perThousand(upper)}`
      return `  ${condition.padEnd(9)} predicted false rejects ${perThousand(rate)} of 1000 (${interval}), ${parts} parts, ${source}`
    }),
    ...Object.entries(report.banks).map(
      ([name, { rows, candidates, coveringRadius }]) =>
        `  bank ${name.padEnd(14)} ${rows} of ${candidates} patches, covering radius ${coveringRadius.toPrecision(3)}`,
    ),
    `  ${(report.bytes / 2 ** 20).toFixed(1)} MiB; searching a part takes ${searchMs.median.toFixed(0)} ms, ${searchMs.worst.toFixed(0)} ms at worst`,
    `  ${learningSentence(report.learning, taught)}`,
    ...outlierLines(report),
    ...(report.gate.unguarded ? [`  ${UNGUARDED}`] : []),
    ...[...report.warnings, ...report.remarks].map((warning) => `  warning: ${warning}`),
  ]
  return `${lines.join('\n')}\n`
}

const UNGUARDED = 'no bad golden part guards what defects look like: radar-edge golden add'

/** The rule and its number stand in it. */
function learningSentence({ gain, verdict }: TeachSummary['learning'], taught: number): string {
  if (verdict === 'too-few-to-tell') return `${taught} parts are too few to tell whether more would help.`
  const [modality, largest] = Object.entries(gain).reduce((most, each) => (each[1] > most[1] ? each : most))
  const novelty = `novelty ${percent(largest)} in ${modality}: so much nearer does a part lie to all others than to half of them`
  const rule = `${percent(MORE_HELPS_FROM)} or more says that it would`
  return verdict === 'more-helps'
    ? `More parts would still help (${novelty}; ${rule}).`
    : `More parts would hardly help (${novelty}; ${rule}).`
}

function outlierLines({ outliers, pictures }: TeachReport): string[] {
  if (outliers.length === 0) return []
  const ids = outliers.map(({ partId }) => partId)
  return [
    ...outliers.map(
      ({ partId, condition, chance }) =>
        `  odd: ${partId}, ${condition}: so many good parts have one that looks so odd in ${odds(chance)} teachings`,
    ),
    ...pictures.map((file) => `    ${file}`),
    `  Look at ${ids.length === 1 ? 'it' : 'them'}${pictures.length === 0 ? ' (--save <folder> draws heatmaps)' : ''}; what is bad can be left out: radar-edge teach ... --exclude ${ids.join(',')}`,
  ]
}

function odds(chance: number): string {
  const times = 1 / Math.max(chance, 1e-6)
  return times >= 1e6 ? 'less than 1 of 1000000' : `1 of ${Number(times.toPrecision(2))}`
}

const percent = (share: number): string => `${Math.round(100 * share)} %`
const perThousand = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0))
