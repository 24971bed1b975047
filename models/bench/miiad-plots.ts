/**
 * The report's pictures as SVG text: figures against the missing rate, and how far good and defective parts lie apart per
 * condition. Colours are Okabe and Ito's, which colour-blind readers tell apart; markers and dashes say the same again.
 */
import { DECIDABLE_CONDITIONS, type DecidableCondition } from '../../drivers/sample.ts'
import { percent } from './miiad-bars.ts'
import { meanOf, settingsOf, type Figure, type MiiadCell, type MeanOverSeeds } from './miiad-report.ts'
import type { MissingKind, MissingPlace } from './miiad-split.ts'

interface Line {
  readonly method: string
  readonly name: string
  readonly colour: string
  readonly dash: string
  readonly marker: 'circle' | 'square' | 'triangle' | 'diamond'
}

const LINES: readonly Line[] = [
  { method: 'radar', name: 'radar', colour: '#0072B2', dash: '', marker: 'circle' },
  {
    method: 'radar-one-head',
    name: 'radar, one head for all',
    colour: '#009E73',
    dash: '2 4',
    marker: 'diamond',
  },
  {
    method: 'm3dm-present',
    name: 'M3DM-style, present banks',
    colour: '#CC79A7',
    dash: '9 4',
    marker: 'triangle',
  },
  {
    method: 'm3dm-pseudo',
    name: 'M3DM-style, pseudo-inputs',
    colour: '#D55E00',
    dash: '5 4',
    marker: 'square',
  },
]
const KINDS: readonly (readonly [kind: MissingKind, title: string])[] = [
  ['xyz', '3D missing'],
  ['rgb', 'RGB missing'],
  ['both', '3D or RGB missing'],
]
const FIGURES: readonly (readonly [figure: Figure, title: string])[] = [
  ['imageAuroc', 'I-AUROC'],
  ['aupro', 'AUPRO'],
]

const INK = '#222222'
const SOFT = '#666666'
const GRID = '#E3E3E3'
const PANEL = { width: 300, height: 210, gapX: 34, gapY: 62, left: 78, top: 92 }

/** Rates along x, one panel per kind, I-AUROC above AUPRO. Bars are the standard deviation over seeds. */
export function rateCurves(cells: readonly MiiadCell[], where: MissingPlace = 'both'): string {
  const lines = LINES.filter(({ method }) => cells.some((cell) => cell.method === method))
  const shown = KINDS.filter(([kind]) => cells.some((cell) => cell.kind === kind && cell.where === where))
  const kinds = shown.length > 0 ? shown : KINDS
  const panels = FIGURES.flatMap(([figure, figureTitle], row) =>
    kinds.map(([kind, kindTitle], column) => ({
      figureTitle,
      kindTitle,
      row,
      column,
      lines: lines.map((line) => ({ line, points: pointsOf(cells, { line, kind, figure, where }) })),
    })),
  )
  // Never narrower than the legend.
  const width = PANEL.left + 3 * PANEL.width + 2 * PANEL.gapX + 26
  const height = PANEL.top + 2 * PANEL.height + PANEL.gapY + 80
  const drawn = FIGURES.flatMap((_, row) => {
    const ofRow = panels.filter((panel) => panel.row === row)
    const values = ofRow.flatMap((panel) =>
      panel.lines.flatMap(({ points }) =>
        points.flatMap(({ mean }) => [mean.mean - (mean.spread ?? 0), mean.mean + (mean.spread ?? 0)]),
      ),
    )
    const scale = niceScale(Math.min(...values), Math.max(...values))
    return ofRow.map((panel) => curvePanel(panel, scale))
  })
  const legend = lines.map((line, index) => legendEntry(line, PANEL.left + index * 246, 62))
  const title = `Detection and localisation against the missing rate${where === 'both' ? '' : ` (missing in ${where} only)`}`
  return svg(width, height, [heading(title), ...legend, ...drawn])
}

interface CurvePoint {
  readonly rate: number
  readonly mean: MeanOverSeeds
}

function pointsOf(
  cells: readonly MiiadCell[],
  asked: {
    readonly line: Line
    readonly kind: MissingKind
    readonly figure: Figure
    readonly where: MissingPlace
  },
): CurvePoint[] {
  const { line, kind, figure, where } = asked
  return settingsOf(cells)
    .filter((setting) => setting.kind === 'none' || (setting.kind === kind && setting.where === where))
    .flatMap((setting) => {
      const mean = meanOf(cells, { ...setting, method: line.method, on: 'all' }, figure)
      return mean ? [{ rate: setting.rate, mean }] : []
    })
    .sort((a, b) => a.rate - b.rate)
}

interface Scale {
  readonly low: number
  readonly high: number
  readonly step: number
}

/** Steps of 0.01, 0.02, 0.05 or 0.1 that leave at most seven lines. */
function niceScale(low: number, high: number): Scale {
  if (!(high >= low)) return { low: 0.5, high: 1, step: 0.1 }
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2]
  const step = steps.find((size) => (high - low) / size <= 5) ?? 0.2
  const from = Math.max(0, Math.floor(low / step - 0.15) * step)
  return { low: from, high: Math.min(1, Math.max(from + step, Math.ceil(high / step + 0.15) * step)), step }
}

function curvePanel(
  panel: {
    readonly figureTitle: string
    readonly kindTitle: string
    readonly row: number
    readonly column: number
    readonly lines: readonly { readonly line: Line; readonly points: readonly CurvePoint[] }[]
  },
  { low, high, step }: Scale,
): string {
  const left = PANEL.left + panel.column * (PANEL.width + PANEL.gapX)
  const top = PANEL.top + panel.row * (PANEL.height + PANEL.gapY) + 20
  const rates = [...new Set(panel.lines.flatMap(({ points }) => points.map(({ rate }) => rate)))]
  const last = Math.max(0.7, ...rates)
  const x = (rate: number): number => left + 16 + (rate / last) * (PANEL.width - 32)
  const y = (value: number): number => top + PANEL.height - ((value - low) / (high - low)) * PANEL.height
  const ticks = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step)
  return [
    ...ticks.flatMap((value) => [
      `<line x1="${left}" x2="${left + PANEL.width}" y1="${y(value)}" y2="${y(value)}" stroke="${GRID}"/>`,
      panel.column === 0
        ? text(value.toFixed(2), { x: left - 8, y: y(value) + 4, anchor: 'end', colour: SOFT })
        : '',
    ]),
    `<path d="M${left} ${top}V${top + PANEL.height}H${left + PANEL.width}" fill="none" stroke="${SOFT}"/>`,
    panel.row === 0
      ? text(panel.kindTitle, {
          x: left + PANEL.width / 2,
          y: top - 12,
          anchor: 'middle',
          size: 15,
          bold: true,
        })
      : '',
    panel.column === 0
      ? `<g transform="rotate(-90 ${left - 54} ${top + PANEL.height / 2})">${text(panel.figureTitle, { x: left - 54, y: top + PANEL.height / 2, anchor: 'middle', size: 14, bold: true })}</g>`
      : '',
    ...rates.map((rate) =>
      text(percent(rate), { x: x(rate), y: top + PANEL.height + 20, anchor: 'middle', colour: SOFT }),
    ),
    panel.row === 1
      ? text('share of the parts that lack it', {
          x: left + PANEL.width / 2,
          y: top + PANEL.height + 40,
          anchor: 'middle',
          colour: SOFT,
        })
      : '',
    // The first line is drawn last: it lies on top.
    ...[...panel.lines]
      .reverse()
      .flatMap(({ line, points }) => [
        points.length > 1
          ? `<polyline points="${points.map((point) => `${x(point.rate)},${y(point.mean.mean)}`).join(' ')}" fill="none" stroke="${line.colour}" stroke-width="2.4" stroke-dasharray="${line.dash}" stroke-linejoin="round"/>`
          : '',
        ...points.map(({ rate, mean }) =>
          mean.spread === null
            ? ''
            : `<line x1="${x(rate)}" x2="${x(rate)}" y1="${y(mean.mean - mean.spread)}" y2="${y(mean.mean + mean.spread)}" stroke="${line.colour}" stroke-width="1.6"/>`,
        ),
        ...points.map(({ rate, mean }) => markerAt(line, x(rate), y(mean.mean))),
      ]),
  ].join('')
}

function markerAt({ marker, colour }: Line, x: number, y: number): string {
  const style = `fill="${colour}" stroke="white" stroke-width="1.2"`
  switch (marker) {
    case 'circle':
      return `<circle cx="${x}" cy="${y}" r="5" ${style}/>`
    case 'square':
      return `<rect x="${x - 4.5}" y="${y - 4.5}" width="9" height="9" ${style}/>`
    case 'triangle':
      return `<path d="M${x} ${y - 6}L${x + 5.6} ${y + 4.2}H${x - 5.6}Z" ${style}/>`
    case 'diamond':
      return `<path d="M${x} ${y - 6.4}L${x + 6.4} ${y}L${x} ${y + 6.4}L${x - 6.4} ${y}Z" ${style}/>`
  }
}

function legendEntry(line: Line, x: number, y: number): string {
  return [
    `<line x1="${x}" x2="${x + 34}" y1="${y}" y2="${y}" stroke="${line.colour}" stroke-width="2.4" stroke-dasharray="${line.dash}"/>`,
    markerAt(line, x + 17, y),
    text(line.name, { x: x + 42, y: y + 4 }),
  ].join('')
}

const GOOD = { name: 'good parts', colour: '#0072B2' }
const DEFECTIVE = { name: 'defective parts', colour: '#D55E00' }
const CONDITION_TITLES: Readonly<Record<DecidableCondition, string>> = {
  complete: 'complete',
  'rgb-only': 'RGB only',
  'xyz-only': '3D only',
}
/** A part of normality 10^-6 is as odd as can be shown; what lies beyond is in the last bin. */
const MOST_ODD = 6
const BINS_PER_DECADE = 4

/** -log10 of the normality along x, the share of the parts of the condition up: what a threshold at the promise cuts off. */
export function scoreHistograms(
  cells: readonly MiiadCell[],
  { method, promised }: { readonly method: string; readonly promised: number },
): string {
  const panels = DECIDABLE_CONDITIONS.flatMap((condition) => {
    const decided = cells.flatMap((cell) =>
      cell.method === method ? (cell.decisions?.[condition] ?? []) : [],
    )
    const good = decided.flatMap((one) => one.good.scores)
    const defective = decided.flatMap((one) => one.defective.scores)
    return good.length + defective.length === 0 ? [] : [{ condition, good, defective }]
  })
  const shares = panels.flatMap(({ good, defective }) => [...binned(good), ...binned(defective)])
  const step = Math.max(...shares) > 0.5 ? 0.2 : 0.1
  const top = Math.max(step, Math.ceil(Math.max(0, ...shares) / step) * step)
  // Never narrower than the legend.
  const width = PANEL.left + Math.max(2, panels.length) * (PANEL.width + PANEL.gapX)
  return svg(width, PANEL.top + PANEL.height + 78, [
    heading(`How odd ${method} finds the parts it was not taught`),
    ...[GOOD, DEFECTIVE].map(({ name, colour }, index) => swatch(name, colour, PANEL.left + index * 160, 62)),
    `<line x1="${PANEL.left + 330}" x2="${PANEL.left + 364}" y1="62" y2="62" stroke="${INK}" stroke-width="1.6" stroke-dasharray="5 4"/>`,
    text(`rejected beyond, promised ${percent(promised)} of the good`, { x: PANEL.left + 372, y: 66 }),
    ...panels.map((panel, column) => histogramPanel({ ...panel, column, top, step, promised })),
  ])
}

function binned(scores: readonly number[]): number[] {
  const counts = new Array<number>(MOST_ODD * BINS_PER_DECADE).fill(0)
  for (const score of scores) {
    const bin = Math.floor(score * BINS_PER_DECADE)
    counts[Math.min(counts.length - 1, Math.max(0, bin))]! += 1 / scores.length
  }
  return counts
}

function histogramPanel(panel: {
  readonly condition: DecidableCondition
  readonly good: readonly number[]
  readonly defective: readonly number[]
  readonly column: number
  readonly top: number
  readonly step: number
  readonly promised: number
}): string {
  const { condition, good, defective, column, promised } = panel
  const left = PANEL.left + column * (PANEL.width + PANEL.gapX)
  const top = PANEL.top + 20
  const bottom = top + PANEL.height
  const x = (score: number): number => left + (Math.min(score, MOST_ODD) / MOST_ODD) * PANEL.width
  const y = (share: number): number => bottom - (share / panel.top) * PANEL.height
  const ticks = Array.from({ length: Math.round(panel.top / panel.step) + 1 }, (_, i) => i * panel.step)
  const stair = (scores: readonly number[], colour: string): string => {
    if (scores.length === 0) return ''
    const steps = binned(scores).map(
      (share, bin) => `V${y(share)}H${left + ((bin + 1) / (MOST_ODD * BINS_PER_DECADE)) * PANEL.width}`,
    )
    return `<path d="M${left} ${bottom}${steps.join('')}V${bottom}Z" fill="${colour}" fill-opacity="0.28" stroke="${colour}" stroke-width="1.8" stroke-linejoin="round"/>`
  }
  const threshold = x(-Math.log10(promised))
  return [
    ...ticks.flatMap((share) => [
      `<line x1="${left}" x2="${left + PANEL.width}" y1="${y(share)}" y2="${y(share)}" stroke="${GRID}"/>`,
      column === 0 ? text(percent(share), { x: left - 8, y: y(share) + 4, anchor: 'end', colour: SOFT }) : '',
    ]),
    stair(good, GOOD.colour),
    stair(defective, DEFECTIVE.colour),
    `<line x1="${threshold}" x2="${threshold}" y1="${top}" y2="${bottom}" stroke="${INK}" stroke-width="1.6" stroke-dasharray="5 4"/>`,
    `<path d="M${left} ${top}V${bottom}H${left + PANEL.width}" fill="none" stroke="${SOFT}"/>`,
    text(CONDITION_TITLES[condition], {
      x: left + PANEL.width / 2,
      y: top - 12,
      anchor: 'middle',
      size: 15,
      bold: true,
    }),
    text(`${good.length} good, ${defective.length} defective`, {
      x: left + PANEL.width - 6,
      y: top + 16,
      anchor: 'end',
      colour: SOFT,
      size: 12,
    }),
    ...Array.from({ length: MOST_ODD + 1 }, (_, decade) =>
      text(decade === MOST_ODD ? `${decade}+` : String(decade), {
        x: x(decade),
        y: bottom + 20,
        anchor: 'middle',
        colour: SOFT,
      }),
    ),
    text('oddness, −log₁₀ of the normality', {
      x: left + PANEL.width / 2,
      y: bottom + 42,
      anchor: 'middle',
      colour: SOFT,
    }),
    column === 0
      ? `<g transform="rotate(-90 ${left - 54} ${top + PANEL.height / 2})">${text('share of the parts', { x: left - 54, y: top + PANEL.height / 2, anchor: 'middle', size: 14, bold: true })}</g>`
      : '',
  ].join('')
}

function swatch(name: string, colour: string, x: number, y: number): string {
  return (
    `<rect x="${x}" y="${y - 8}" width="26" height="15" fill="${colour}" fill-opacity="0.28" stroke="${colour}" stroke-width="1.8"/>` +
    text(name, { x: x + 34, y: y + 4 })
  )
}

const heading = (title: string): string => text(title, { x: 24, y: 34, size: 19, bold: true })

function text(
  content: string,
  at: {
    readonly x: number
    readonly y: number
    readonly anchor?: 'start' | 'middle' | 'end'
    readonly size?: number
    readonly bold?: true
    readonly colour?: string
  },
): string {
  const { x, y, anchor = 'start', size = 13, bold, colour = INK } = at
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="${colour}"${bold ? ' font-weight="bold"' : ''}>${escaped}</text>`
}

function svg(width: number, height: number, content: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">` +
    `<rect width="${width}" height="${height}" fill="white"/>${content.join('')}</svg>`
  )
}
