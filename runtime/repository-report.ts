/** Repositories, what differs between them and what happened to them: as a person reads it, in 100 columns. */
import { DECIDABLE_CONDITIONS } from '../drivers/sample.ts'
import { BANK_KEYS } from '../models/features.ts'
import { distanceAt } from '../models/normality.ts'
import type { Change, PartsDiff, RepositoryDiff } from '../models/repository-diff.ts'
import type { DecisionHead, RepositoryManifest, RepositoryPart } from '../models/repository-manifest.ts'
import type { LedgerEntry } from './ledger.ts'
import { predictedOf, type RepositoryListing, type RepositoryState } from './repository-listing.ts'
import { oneLine, textTable } from './text-table.ts'

const COLUMNS = 100
const MEBIBYTE = 2 ** 20
/** Parts that a list names before it counts the rest. */
const MOST_NAMED = 20

export const shortId = (id: string): string => id.slice(0, 12)

const STATES: Record<RepositoryState, string> = {
  'in-use': 'in use since',
  'was-in-use': 'was put into use',
  candidate: 'candidate of',
  refused: 'refused by the gate',
  imported: 'imported',
  'not-in-ledger': 'not in the ledger, written',
}

/** Two lines for each: figures, then who did the last thing to it and why. */
export function listText(product: string, listings: readonly RepositoryListing[]): string {
  if (listings.length === 0) {
    return `${product}: no repository is kept. Teach it: radar-edge teach --product ${product}\n`
  }
  const head = [' ', 'id', 'made', 'how', 'parts', 'MiB', ...DECIDABLE_CONDITIONS, 'golden']
  const table = textTable([head, ...listings.map(rowOf)], { right: [4, 5, 6, 7, 8, 9] })
  const [headLine = '', ...lines] = table.trimEnd().split('\n')
  const described = lines.flatMap((line, i) => {
    const listing = listings[i]
    return listing === undefined ? [line] : [line, `   ${describe(listing)}`]
  })
  const count = `${listings.length} ${listings.length === 1 ? 'repository' : 'repositories'}`
  const title = `${product}: ${count}. Under each condition the false rejects that it predicts, in %.`
  return `${title}\n\n${[headLine, ...described].join('\n')}\n`
}

function rowOf({ id, madeAt, bytes, state, manifest, gate }: RepositoryListing): string[] {
  const mark = state === 'in-use' ? '*' : ''
  const size = (bytes / MEBIBYTE).toFixed(1)
  if (manifest === undefined)
    return [mark, shortId(id), localTime(madeAt), 'DAMAGED', '', size, '', '', '', '']
  const predicted = predictedOf(manifest)
  return [
    mark,
    shortId(id),
    localTime(madeAt),
    manifest.made,
    String(manifest.taught.length + manifest.heldOut.length),
    size,
    ...DECIDABLE_CONDITIONS.map((condition) => (100 * predicted[condition].rate).toFixed(1)),
    gate === undefined || gate.golden.total === 0 ? '-' : `${gate.golden.right}/${gate.golden.total}`,
  ]
}

function describe({ state, entry, problem, folder, madeAt }: RepositoryListing): string {
  if (problem !== undefined) return oneLine(problem.replaceAll(`${folder}/`, ''), COLUMNS - 3)
  const when = localTime(entry?.time ?? madeAt)
  const by = entry === undefined ? '' : `, ${entry.who}: ${entry.why}`
  return oneLine(`${STATES[state]} ${when}${by}`, COLUMNS - 3)
}

/** Everything that a person may want to know of one. */
export function showText(listing: RepositoryListing): string {
  const { id, product, folder, bytes, problem, manifest } = listing
  const title = `${product} ${id}\n`
  if (manifest === undefined) return title + wrapped(`DAMAGED: ${problem}`)
  const { bundle, heldOut, falseRejectRate, byteBudget } = manifest
  const facts = [
    [
      'made',
      manifest.parent === undefined ? manifest.made : `${manifest.made} from ${shortId(manifest.parent)}`,
    ],
    ['parts', `${originsOf(manifest.taught)} in the banks; ${heldOut.length} more calibrate`],
    ['promise', `${percent(falseRejectRate)} of good parts may fail, in every condition`],
    [
      'bundle',
      `${bundle.name} ${shortId(bundle.id)}, masking ${bundle.masking}, normalisation ${bundle.normalisation}`,
    ],
    ['engine', `${manifest.engine}; plane ${manifest.plane}; units ${manifest.units}`],
    ['size', `${mebibytes(bytes)}; rows ${mebibytes(rowBytes(manifest))} of ${mebibytes(byteBudget)}`],
    ['folder', folder],
  ]
  const sections = [
    textTable(facts, { indent: '  ' }),
    headsText(manifest),
    banksText(manifest),
    ...(manifest.warnings.length > 0
      ? [manifest.warnings.map((warning) => wrapped(`warning: ${warning}`)).join('')]
      : []),
    ...(listing.gate ? [gateText(listing.gate)] : []),
    ...(listing.history.length > 0 ? [historyText(listing.history, { indent: '  ' })] : []),
  ]
  return `${title}  ${describe(listing)}\n${sections.join('\n')}`
}

function headsText({ heads, falseRejectRate }: RepositoryManifest): string {
  const rows = DECIDABLE_CONDITIONS.map((condition) => {
    const { calibration, normality } = heads[condition]
    return [
      condition,
      interval(calibration.predictedFalseRejects),
      number(distanceAt(normality, falseRejectRate)),
      `${calibration.parts} parts, ${calibration.source}`,
    ]
  })
  const head = ['condition', 'predicted false rejects', 'fails beyond', 'calibrated with']
  return textTable([head, ...rows], { indent: '  ', right: [2] })
}

function banksText({ banks }: RepositoryManifest): string {
  const rows = BANK_KEYS.map((key) => {
    const { rows: count, width, candidates, coveringRadius } = banks[key]
    return [key, String(count), String(candidates), String(width), number(coveringRadius)]
  })
  const head = ['bank', 'rows', 'chosen of', 'width', 'covering radius']
  return textTable([head, ...rows], { indent: '  ', right: [1, 2, 3, 4] })
}

function gateText({ passed, unguarded, checks, golden }: NonNullable<RepositoryListing['gate']>): string {
  const guard = unguarded ? ', but no bad golden part guarded it' : ''
  const verdicts = golden.total === 0 ? '' : `; ${golden.right} of ${golden.total} golden verdicts right`
  const rows = checks.map(({ name, passed: held, detail }) => [
    held ? 'ok' : 'FAILED',
    name,
    oneLine(detail, 70),
  ])
  return `  gate: ${passed ? 'passed' : 'REFUSED'}${guard}${verdicts}\n${textTable(rows, { indent: '    ' })}`
}

/** Newest first. */
export function historyText(entries: readonly LedgerEntry[], { indent = '' } = {}): string {
  if (entries.length === 0) return `${indent}nothing has happened yet\n`
  const rows = entries.map(({ time, action, repositoryId, who, why }) => {
    const by = oneLine(who, 16)
    return [
      localTime(time),
      action,
      repositoryId === undefined ? '' : shortId(repositoryId),
      by,
      oneLine(why, 1000),
    ]
  })
  const lines = textTable([['time', 'what', 'repository', 'who', 'why'], ...rows], { indent })
  return lines.replace(/.+/g, (line) => cut(line, COLUMNS))
}

export function diffText(product: string, { before, after, ...diff }: RepositoryDiff): string {
  const head = ['condition', 'predicted false rejects', '', 'fails beyond', 'map threshold']
  const heads = DECIDABLE_CONDITIONS.map((condition) => {
    const { predictedFalseRejects: predicted, distance, mapThreshold } = diff.heads[condition]
    return [
      condition,
      interval(predicted.before),
      `-> ${interval(predicted.after)}`,
      arrow(distance, number),
      arrow(mapThreshold, number),
    ]
  })
  const banks = BANK_KEYS.map((key) => {
    const { kept, added, dropped, coveringRadius } = diff.banks[key]
    return [key, String(kept), `+${added}`, `-${dropped}`, arrow(coveringRadius, number)]
  })
  const scales = diff.sameScales
    ? ''
    : '  features are scaled anew: no row of one can be a row of the other\n'
  const sections = [
    `${product}: ${shortId(before)} -> ${shortId(after)}\n`,
    partsText('parts in the banks', diff.taught) + partsText('parts that calibrate', diff.heldOut),
    textTable([['bank', 'rows kept', 'added', 'dropped', 'covering radius'], ...banks], {
      indent: '  ',
      right: [1, 2, 3],
    }) + scales,
    textTable([head, ...heads], { indent: '  ' }),
  ]
  const others = diff.madeWith.map((fact) => [fact.what, arrow(fact, String)])
  if (others.length > 0) sections.push(textTable([['made with', ''], ...others], { indent: '  ' }))
  return sections.join('\n')
}

function partsText(what: string, { kept, added, dropped }: PartsDiff): string {
  const named = (mark: string, parts: readonly RepositoryPart[]): string => {
    const lines = parts
      .slice(0, MOST_NAMED)
      .map(({ id, origin }) => `    ${mark} ${oneLine(id, 70)} (${origin})\n`)
    const more = parts.length - MOST_NAMED
    return lines.join('') + (more > 0 ? `    ${mark} and ${more} more\n` : '')
  }
  const counts = `${kept} kept, ${added.length} added, ${dropped.length} dropped`
  return `  ${what}: ${counts}\n${named('+', added)}${named('-', dropped)}`
}

function originsOf(parts: readonly RepositoryPart[]): string {
  const count = (of: RepositoryPart['origin']): number => parts.filter(({ origin }) => origin === of).length
  return `${count('taught')} taught, ${count('accepted')} accepted and ${count('lot')} of lots`
}

function rowBytes({ banks }: RepositoryManifest): number {
  return BANK_KEYS.reduce((sum, key) => sum + 4 * banks[key].rows * banks[key].width, 0)
}

type Predicted = DecisionHead['calibration']['predictedFalseRejects']

function interval({ rate, lower, upper }: Predicted): string {
  const of = (share: number): string => (100 * share).toFixed(1)
  return `${of(rate)} % (${of(lower)} to ${of(upper)})`
}

function arrow<Value>({ before, after }: Change<Value>, said: (value: Value) => string): string {
  return said(before) === said(after) ? said(after) : `${said(before)} -> ${said(after)}`
}

/** By the clock of whoever reads it. */
function localTime(iso: string): string {
  const at = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

const number = (value: number): string => String(Number(value.toPrecision(3)))
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`
const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(1)} MiB`
/** Indented by two, its further lines by four. */
function wrapped(text: string): string {
  const lines: string[] = []
  for (const word of oneLine(text, 2000).split(' ')) {
    const line = lines.at(-1)
    if (line !== undefined && line.length + 1 + word.length <= COLUMNS - 4)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.map((line, i) => `${i === 0 ? '  ' : '    '}${line}\n`).join('')
}

const cut = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, columns - 1)}…`
