/** Verdicts against the known truth: what `demo` and `replay` print, line by line and as a summary. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Trigger } from '../drivers/driver.ts'
import { quantile } from '../drivers/quantile.ts'
import type { Sample } from '../drivers/sample.ts'
import type { Inspection } from '../models/inspection.ts'
import type { Running } from './daemon.ts'
import { renderPictures } from './heatmap.ts'
import type { VerdictPayload } from './messages.ts'

export interface ScoreboardOptions {
  readonly json: boolean
  /** Folder for the overlay of every part. */
  readonly save?: string
}

export interface Scoreboard {
  asked(triggerId: string, askedAtMs: number): void
  judged(verdict: VerdictPayload, about: JudgedAbout): void
  published(seq: number): void
  /** Prints the summary when every line is out. Rejects when a line or an overlay could not be written. */
  finish(): Promise<void>
}

interface JudgedAbout {
  readonly sample: Sample
  readonly inspection?: Inspection
  readonly running: Running | undefined
}

type Counts = Record<string, number>

const MEBIBYTE = 2 ** 20

export function openScoreboard(options: ScoreboardOptions): Scoreboard {
  const askedAtMs = new Map<string, number>()
  const triggerOf = new Map<number, string>()
  const latenciesMs: number[] = []
  const outcomes: Counts = {}
  const conditions: Counts = {}
  const defects = { parts: 0, detected: 0, missed: 0, unknown: 0 }
  const goods = { parts: 0, passed: 0, falseRejects: 0, unknown: 0 }
  const memory = { daemon: memoryTrack(), host: memoryTrack() }
  let firstPublishedMs: number | undefined
  let printing = Promise.resolve()
  let failure: unknown

  const print = async (
    verdict: VerdictPayload,
    { sample, inspection, running }: JudgedAbout,
  ): Promise<void> => {
    const label = await labelOf(sample.trigger, running)
    if (label !== undefined) tally(label === 'good' ? goods : defects, { label, outcome: verdict.outcome })
    process.stdout.write(
      options.json ? `${JSON.stringify({ ...verdict, truth: label })}\n` : `${lineOf(verdict, label)}\n`,
    )
    if (options.save !== undefined && inspection?.kind === 'decided') {
      const [, overlay] = await renderPictures(sample, inspection, {
        heatmapTopic: 'heatmap',
        overlayTopic: 'overlay',
        seq: verdict.seq,
        maxSize: 800,
      })
      const name = `${String(verdict.seq).padStart(4, '0')}-${verdict.outcome}-${label ?? 'unlabelled'}.jpg`
      if (overlay) await writeFile(join(options.save, name), overlay.payload)
    }
  }

  return {
    asked(triggerId, atMs) {
      askedAtMs.set(triggerId, atMs)
    },
    judged(verdict, about) {
      triggerOf.set(verdict.seq, verdict.triggerId)
      outcomes[verdict.outcome] = (outcomes[verdict.outcome] ?? 0) + 1
      conditions[verdict.condition] = (conditions[verdict.condition] ?? 0) + 1
      memory.daemon.note(process.memoryUsage.rss())
      memory.host.note(about.running?.hostStats().rssBytes ?? 0)
      printing = printing
        .then(() => print(verdict, about))
        .catch((error: unknown) => {
          failure ??= error
        })
    },
    published(seq) {
      const nowMs = performance.now()
      firstPublishedMs ??= nowMs
      const triggerId = triggerOf.get(seq)
      const startedMs = triggerId === undefined ? undefined : askedAtMs.get(triggerId)
      if (startedMs !== undefined) latenciesMs.push(nowMs - startedMs)
    },
    async finish() {
      await printing
      if (failure !== undefined) throw failure
      latenciesMs.sort((a, b) => a - b)
      const summary = {
        verdicts: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
        outcomes,
        conditions,
        defects,
        goods,
        latencyMs: {
          p50: tenths(latenciesMs, 0.5),
          p95: tenths(latenciesMs, 0.95),
          worst: tenths(latenciesMs, 1),
        },
        firstVerdictMs: firstPublishedMs === undefined ? null : Math.round(firstPublishedMs),
        rssMebibytes: { daemon: memory.daemon.summary(), host: memory.host.summary() },
      }
      process.stdout.write(options.json ? `${JSON.stringify({ summary })}\n` : `\n${tableOf(summary)}\n`)
    },
  }
}

async function labelOf(trigger: Trigger, running: Running | undefined): Promise<string | undefined> {
  try {
    return (await running?.truthOf?.(trigger))?.label
  } catch {
    return undefined // No truth is known of this part; the verdict stands all the same.
  }
}

function tally(
  counts: Counts,
  { label, outcome }: { label: string; outcome: VerdictPayload['outcome'] },
): void {
  const isGood = label === 'good'
  const key = {
    pass: isGood ? 'passed' : 'missed',
    fail: isGood ? 'falseRejects' : 'detected',
    unknown: 'unknown',
  }[outcome]
  counts.parts = (counts.parts ?? 0) + 1
  counts[key] = (counts[key] ?? 0) + 1
}

function lineOf(verdict: VerdictPayload, label: string | undefined): string {
  const { seq, outcome, condition, score, threshold, reason, degraded, timingMs } = verdict
  const figures =
    score === undefined || threshold === undefined
      ? (reason ?? '')
      : `normality ${score.toFixed(4)} ${score < threshold ? '<' : '>='} ${threshold}`
  const truth = label === undefined ? '' : `truth ${label}`
  const state = degraded ? `${condition} (degraded)` : condition
  const columns = [
    String(seq).padStart(4),
    outcome.padEnd(7),
    state.padEnd(19),
    figures.padEnd(25),
    `${timingMs.total?.toFixed(0) ?? '?'} ms`.padEnd(8),
    truth,
  ]
  return columns.join('  ').trimEnd()
}

function tableOf(summary: Record<string, unknown>): string {
  return Object.entries(summary)
    .map(
      ([key, value]) =>
        `${key.padEnd(16)} ${typeof value === 'object' ? JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ').replaceAll(':', ' ') : String(value)}`,
    )
    .join('\n')
}

function tenths(sorted: readonly number[], share: number): number | null {
  const value = quantile(sorted, share)
  return value === undefined ? null : Math.round(value * 10) / 10
}

function memoryTrack() {
  const samples: number[] = []
  return {
    note(bytes: number) {
      if (bytes > 0) samples.push(bytes)
    },
    /** Flat or growing: the median of the first and of the last fifth, and the most. */
    summary() {
      const fifth = Math.max(1, Math.floor(samples.length / 5))
      const median = (values: number[]): number =>
        values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
      const round = (bytes: number): number => Math.round(bytes / MEBIBYTE)
      return {
        early: round(median(samples.slice(0, fifth))),
        late: round(median(samples.slice(-fifth))),
        most: round(samples.reduce((most, bytes) => Math.max(most, bytes), 0)),
      }
    },
  }
}
