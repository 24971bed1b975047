/** The report of `radar-edge bench repository` for a terminal of 100 columns. */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../drivers/sample.ts'
import type { LineReport, Truths } from '../models/bench/line-updates.ts'
import type { NearestBench } from '../models/bench/nearest.ts'
import type { DriftReport } from '../models/bench/repository-drift.ts'
import type { Detection, DetectionByCondition } from '../models/bench/repository-figures.ts'
import type { PoisoningReport } from '../models/bench/repository-poisoning.ts'
import type { RepositoryBenchReport, TeachingReport } from '../models/bench/repository.ts'
import type { KillCounts } from './kill-counts.ts'
import { oneLine, textTable } from './text-table.ts'

const COLUMNS = 100
const MEBIBYTE = 2 ** 20
/** Of what the drift cost. */
const LEAST_RECOVERED = 0.8
/** Of image AUROC, with defective parts among the confirmed. */
const MOST_FALL = 0.01

export interface RepositoryBenchSheet extends RepositoryBenchReport {
  readonly machine: string
  /** Null when the kill test's counts were not given. */
  readonly kills: KillCounts | null
}

export function repositoryBenchText(sheet: RepositoryBenchSheet): string {
  const { bundle, seed, threads, byteBudget, promisedFalseRejectRate, machine, kills } = sheet
  const mebibytes = (byteBudget / MEBIBYTE).toFixed(1)
  const sections = [
    `${bundle.name} ${bundle.version}, seed ${seed}, threads ${threads}, banks of ${mebibytes} MiB, ${percent(promisedFalseRejectRate)} of good parts may fail\n${machine}\n`,
    teachingText(sheet.teaching),
    ...sheet.drift.map(driftText),
    ...sheet.poisoning.map(poisoningText),
    searchText(sheet.search),
    killsText(kills),
  ]
  return sections.filter((section) => section !== '').join('\n')
}

function teachingText(teaching: readonly TeachingReport[]): string {
  if (teaching.length === 0) return ''
  const head = ['', 'parts', 'encoding', 'teaching', 'worst', 'rows', 'MiB', 'at first', 'encoded', 'taught']
  const rows = teaching.flatMap(({ product, runs }) =>
    runs.map(({ parts, encodeMs, teach, rows, bankBytes, peak }) => [
      product,
      String(parts),
      seconds(encodeMs),
      seconds(teach.medianMs),
      seconds(teach.worstMs),
      String(rows),
      (bankBytes / MEBIBYTE).toFixed(2),
      ...[peak.openedBytes, peak.encodedBytes, peak.taughtBytes].map((bytes) =>
        (bytes / MEBIBYTE).toFixed(0),
      ),
    ]),
  )
  return [
    'Teaching, each number of parts in a process of its own; on the right its peak memory so far in MiB\n',
    table([head, ...rows]),
  ].join('')
}

function driftText(drift: DriftReport): string {
  const { product, taughtParts, goldens, updates, partsPerUpdate, recovery, line } = drift
  const row = (condition: DecidableCondition, show: (detection: Detection) => string, won: string) => {
    const of = (detections: DetectionByCondition): string => show(detections[condition])
    return [
      condition,
      of(drift.before),
      of(drift.drifted),
      of(drift.updated),
      won,
      of(drift.updatedUnderNewLamp),
    ]
  }
  const wonBack = (condition: DecidableCondition): string => {
    const { recovered } = recovery[condition]
    if (recovered === null) return 'no sure loss'
    return percent(recovered) + (recovered < LEAST_RECOVERED ? ' MISSED' : '')
  }
  return [
    `A lamp that ages: ${product}, ${taughtParts} parts taught, ${updates} updates of ${partsPerUpdate} parts\n`,
    table([
      ['image AUROC', 'new lamp', 'aged', 'aged, updated', 'won back', 'new, updated'],
      ...DECIDABLE_CONDITIONS.map((condition) => row(condition, aurocOf, wonBack(condition))),
      ['good parts rejected'],
      ...DECIDABLE_CONDITIONS.map((condition) => row(condition, rejectedOf, '')),
      ['defects found'],
      ...DECIDABLE_CONDITIONS.map((condition) => row(condition, foundOf, '')),
    ]),
    `  golden parts: ${goldens.good} good, ${goldens.bad} bad; ${goldens.leftOut} that teaching alone gets wrong were left out\n`,
    lineText(line),
  ].join('')
}

function poisoningText(poisoning: PoisoningReport): string {
  const { product, guard, goldens, kinds, updates, partsPerUpdate, defectivePerUpdate } = poisoning
  const rows = DECIDABLE_CONDITIONS.map((condition) => {
    const before = poisoning.before[condition]
    const after = poisoning.after[condition]
    const fall = poisoning.fall[condition]
    return [
      condition,
      aurocOf(before),
      aurocOf(after),
      `${share(fall)}${fall !== null && fall > MOST_FALL ? ' MISSED' : ''}`,
      foundOf(before),
      foundOf(after),
      rejectedOf(before),
      rejectedOf(after),
    ]
  })
  const shown = `golden parts: ${goldens.good} good, ${goldens.bad} bad of ${guard === 'same-kinds' ? 'the same' : 'other'} kinds`
  return [
    `Defective parts confirmed as good: ${product}, ${updates} updates of ${partsPerUpdate} parts, ${defectivePerUpdate} of them defective\n`,
    table([
      ['', 'AUROC before', 'after', 'fall', 'found before', 'after', 'rejected before', 'after'],
      ...rows,
    ]),
    sentence(`${shown}; confirmed: ${kinds.join(', ')}`),
    lineText(poisoning.line),
  ].join('')
}

function lineText({ shown, rejected, admitted, refused, gateChecks, ...line }: LineReport): string {
  const reasons = Object.entries(refused).map(([reason, truths]) => `${reason} ${truthsText(truths)}`)
  const checks = Object.entries(gateChecks).map(
    ([name, { count, alone, last }]) => `${name} ${count} times, ${alone} alone; last: ${last}`,
  )
  return [
    `  updates: ${line.promoted} promoted, ${line.refusedByGate} refused by the gate, ${line.suspicious} suspicious, ${line.unchanged} of nothing new\n`,
    `  parts: shown ${truthsText(shown)}; rejected ${truthsText(rejected)}; admitted ${truthsText(admitted)}\n`,
    reasons.length === 0 ? '' : sentence(`refused: ${reasons.join('; ')}`),
    ...checks.map((check) => sentence(`gate: ${check}`)),
  ].join('')
}

function truthsText({ good, defective }: Truths): string {
  return defective === 0 ? `${good} good` : `${good} good + ${defective} bad`
}

function searchText(search: readonly NearestBench[]): string {
  const [first] = search
  if (first === undefined) return ''
  return [
    `Searching ${first.queries} patches of width ${first.width} in a bank, ms, beside a bare MatMul of that size\n`,
    table([
      ['rows', 'median', 'worst', 'MatMul', 'worst', 'ratio'],
      ...search.map(({ rows, search: found, matmul, ratio }) => [
        String(rows),
        ...[found.medianMs, found.worstMs, matmul.medianMs, matmul.worstMs].map((ms) => ms.toFixed(1)),
        ratio.toFixed(2),
      ]),
    ]),
  ].join('')
}

function killsText(kills: KillCounts | null): string {
  if (kills === null) return 'Kill test: its counts were not given (--kills)\n'
  return [
    `Kill test: ${kills.kills} times kill -9\n`,
    ...kills.reports.map(({ disk, kills: times, hits, acknowledged, torn, problems }) => {
      const steps = Object.entries(hits).map(([step, phases]) => `${step} ${sum(phases)}`)
      return [
        sentence(`${disk} disk: ${times} kills; in ${steps.join(', ')}`),
        sentence(`acknowledged: ${countsText(acknowledged)}; torn: ${countsText(torn)}`),
        ...(problems.length === 0 ? ['  nothing was lost\n'] : problems.map(sentence)),
      ].join('')
    }),
  ].join('')
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

const countsText = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')

/** Names to the left, figures to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(({ length }) => length))
  return textTable(rows, { right: Array.from({ length: columns - 1 }, (_, i) => i + 1), indent: '  ' })
}

const sentence = (text: string): string => `  ${oneLine(text, COLUMNS - 2)}\n`
const aurocOf = ({ imageAuroc }: Detection): string => share(imageAuroc)
const rejectedOf = ({ falseRejects }: Detection): string => percent(falseRejects.rate)
const foundOf = ({ detected }: Detection): string => percent(detected.rate)
const share = (value: number | null): string => (value === null ? '-' : value.toFixed(3))
const percent = (value: number): string => `${(100 * value).toFixed(0)} %`
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
