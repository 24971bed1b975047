/** The report in the paper's layout: missing rates and kinds down, methods across. */
import type { DecidableCondition } from '../../drivers/sample.ts'
import { barsOf, percent, settingName, signed, type Bar } from './miiad-bars.ts'
import { inOrder, isMethod, METHOD_MEANINGS, SINGLE_METHOD } from './miiad-methods.ts'
import { PUBLISHED, PUBLISHED_ABLATION, PUBLISHED_ALL_MISSING, PUBLISHED_METHODS } from './miiad-published.ts'
import {
  differenceOf,
  falseRejectsOf,
  meanOf,
  settingsOf,
  type Figure,
  type MeanOverSeeds,
  type MiiadCell,
  type MiiadMeasured,
  type Population,
  type Setting,
} from './miiad-report.ts'
import { nominalCounts, type MissingPlace } from './miiad-split.ts'

const FIGURE_NAMES: Readonly<Record<Figure, string>> = {
  imageAuroc: 'I-AUROC',
  aupro: 'AUPRO',
  pixelAuroc: 'P-AUROC',
}

type Row = readonly string[]

export function markdownReport(measured: MiiadMeasured): string {
  const { cells, bundle, dataset, byteBudget, promisedFalseRejectRate, resolution } = measured
  const seeds = new Set(cells.map(({ seed }) => seed)).size
  const classes = new Set(cells.map(({ category }) => category)).size
  return [
    `# MIIAD Bench: ${dataset}`,
    `Bundle ${bundle.name} ${bundle.version} (\`${bundle.id.slice(0, 12)}\`), ${classes} ${plural(classes, 'class', 'classes')}, ` +
      `${seeds} ${plural(seeds, 'seed', 'seeds')}, banks of ${byteBudget / 2 ** 20} MiB, promised false-reject rate ${percent(promisedFalseRejectRate)}. ` +
      `Pixel figures on ${resolution}. Means over classes${seeds > 1 ? ', then mean ± standard deviation over seeds' : ''}.`,
    '## Bars',
    barTable(barsOf(cells, promisedFalseRejectRate)),
    '## Methods',
    methodList(cells),
    '## All test parts',
    mainTables(cells),
    '## On the parts that have a modality',
    singleTable(cells),
    '## Ablations',
    ablationTable(cells),
    '## Rejected good parts',
    rejectTable(cells, promisedFalseRejectRate),
    ...(classes === 1 ? ['## With bootstrap intervals', intervalTable(cells)] : []),
    '## Parts of each condition',
    splitTable(measured.splits),
    ...(measured.gaps.length > 0 ? ['## Not measured', gapTable(measured.gaps)] : []),
    '## What the paper prints',
    publishedTables(),
    '',
  ].join('\n\n')
}

export function barTable(bars: readonly Bar[]): string {
  const word = ({ reached }: Bar): string =>
    reached === null ? 'not measured' : reached ? 'reached' : '**not reached**'
  return table(
    ['Bar', '', 'Found'],
    bars.map((bar) => [bar.name, word(bar), bar.found]),
  )
}

export function methodList(cells: readonly MiiadCell[]): string {
  return methodsOf(cells)
    .map(
      (method) =>
        `- \`${method}\`: ${isMethod(method) ? METHOD_MEANINGS[method] : 'radar with this fusion in place of the bundle’s'}`,
    )
    .join('\n')
}

function methodsOf(cells: readonly MiiadCell[], on?: Population): string[] {
  return inOrder(cells.filter((cell) => on === undefined || cell.on === on).map(({ method }) => method))
}

/** The paper's Table 3 (I-AUROC and AUPRO) and Table 11 (P-AUROC), one pair per place; ablations have a table of their own. */
export function mainTables(cells: readonly MiiadCell[]): string {
  const methods = ['m3dm-pseudo', 'm3dm-present', 'radar'].filter((method) =>
    methodsOf(cells, 'all').includes(method),
  )
  const both = table(
    [...SETTING_HEAD, ...headed('I-AUROC', methods), 'lead', ...headed('AUPRO', methods), 'lead'],
    settingsOf(cells).map((setting) => [
      ...settingColumns(setting),
      ...figureColumns(cells, { setting, methods }, 'imageAuroc'),
      lead(cells, setting, 'imageAuroc'),
      ...figureColumns(cells, { setting, methods }, 'aupro'),
      lead(cells, setting, 'aupro'),
    ]),
  )
  const pixels = table(
    [...SETTING_HEAD, ...headed('P-AUROC', methods), 'lead'],
    settingsOf(cells).map((setting) => [
      ...settingColumns(setting),
      ...figureColumns(cells, { setting, methods }, 'pixelAuroc'),
      lead(cells, setting, 'pixelAuroc'),
    ]),
  )
  return `${both}\n\nLead: \`radar\` minus \`m3dm-pseudo\` in points, paired by class and seed.\n\n${pixels}`
}

function lead(cells: readonly MiiadCell[], setting: Setting, figure: Figure): string {
  const asked = { ...setting, method: 'radar', on: 'all', against: 'm3dm-pseudo' } as const
  return differenceText(differenceOf(cells, asked, figure))
}

/** Each single modality beside radar, on what the modality has. */
export function singleTable(cells: readonly MiiadCell[]): string {
  const columns = (['rgb', 'xyz'] as const).flatMap((on) =>
    (['imageAuroc', 'aupro'] as const).map((figure) => ({ on, figure, against: SINGLE_METHOD[on] })),
  )
  return table(
    [
      ...SETTING_HEAD,
      ...columns.flatMap(({ on, figure, against }) => [
        `${FIGURE_NAMES[figure]} ${against}`,
        `radar, parts with ${on}`,
        'points',
      ]),
    ],
    settingsOf(cells).map((setting) => [
      ...settingColumns(setting),
      ...columns.flatMap(({ on, figure, against }) => [
        meanText(meanOf(cells, { ...setting, on, method: against }, figure)),
        meanText(meanOf(cells, { ...setting, on, method: 'radar' }, figure)),
        differenceText(differenceOf(cells, { ...setting, on, method: 'radar', against }, figure)),
      ]),
    ]),
  )
}

/** The paper's Tables 5 and 16: what radar is without a part, and by how much that is less or more. */
export function ablationTable(cells: readonly MiiadCell[]): string {
  const methods = methodsOf(cells, 'all').filter((method) => method.startsWith('radar') && method !== 'radar')
  if (methods.length === 0) return 'None was run.'
  const settings = settingsOf(cells)
  const rowOf = (method: string, figure: Figure): Row => [
    `\`${method}\``,
    ...settings.map((setting) => {
      const own = meanText(meanOf(cells, { ...setting, method, on: 'all' }, figure))
      if (method === 'radar') return own
      const asked = { ...setting, method, on: 'all', against: 'radar' } as const
      return `${own} (${differenceText(differenceOf(cells, asked, figure))})`
    }),
  ]
  const tables = (['imageAuroc', 'aupro'] as const).map((figure) =>
    table(
      [FIGURE_NAMES[figure], ...settings.map(settingName)],
      ['radar', ...methods].map((method) => rowOf(method, figure)),
    ),
  )
  return [...tables, 'In brackets: points above (+) or below (-) `radar`, paired by class and seed.'].join(
    '\n\n',
  )
}

/** Counted over classes and seeds, with the exact binomial 95 % interval. */
export function rejectTable(cells: readonly MiiadCell[], promised: number): string {
  const shares = falseRejectsOf(cells, promised)
  const of = (wanted: (method: string) => boolean): Row[] =>
    shares
      .filter(({ method }) => wanted(method))
      .map(({ method, condition, parts, rejected, share, lower, upper, holds, detected, ...setting }) => [
        `\`${method}\``,
        settingName(setting),
        condition,
        `${rejected} of ${parts}`,
        percent(share),
        `${percent(lower)} to ${percent(upper)}`,
        holds ? 'yes' : '**no**',
        detected === null ? '-' : percent(detected),
      ])
  return table(
    [
      'Method',
      'Missing',
      'Condition',
      'Good parts rejected',
      'Rate',
      '95 % interval',
      `holds ${percent(promised)}`,
      'Defective parts rejected',
    ],
    [...of((method) => method === 'radar'), ...of((method) => method === 'radar-one-head')],
  )
}

/** One class: how sure a figure is that a few dozen parts gave. The first seed's. */
export function intervalTable(cells: readonly MiiadCell[]): string {
  const methods = methodsOf(cells)
  return table(
    ['Missing', 'Method', 'Parts', 'Good', 'Defective', 'I-AUROC', '95 % interval', 'AUPRO', 'P-AUROC'],
    settingsOf(cells).flatMap((setting) =>
      methods.flatMap((method) =>
        cells
          .filter(
            (cell) =>
              cell.method === method &&
              settingName(cell) === settingName(setting) &&
              cell.seed === cells[0]!.seed,
          )
          .map(({ on, figures }) => [
            settingName(setting),
            `\`${method}\``,
            on === 'all' ? 'all' : `with ${on}`,
            String(figures.good),
            String(figures.defective),
            three(figures.imageAuroc),
            figures.imageAurocInterval
              ? `${three(figures.imageAurocInterval.lower)} to ${three(figures.imageAurocInterval.upper)}`
              : '-',
            three(figures.aupro),
            three(figures.pixelAuroc),
          ]),
      ),
    ),
  )
}

/** The paper's Tables 1 and 2: how many parts have which modality, and the nominal counts its rounding would print. */
export function splitTable(splits: MiiadMeasured['splits']): string {
  const seed = splits[0]?.seed
  return table(
    ['Missing', 'xyz in train', 'rgb in train', 'xyz in test', 'rgb in test'],
    settingsOf(splits).map((setting) => {
      const of = splits.filter((split) => settingName(split) === settingName(setting) && split.seed === seed)
      const side = (name: 'taught' | 'tested', spared: MissingPlace): Row => {
        const count = (condition: DecidableCondition): number =>
          of.reduce((sum, split) => sum + split[name][condition], 0)
        const total = count('complete') + count('rgb-only') + count('xyz-only')
        const nominal = nominalCounts(total, setting.where === spared ? { kind: 'none', rate: 0 } : setting)
        const text = (present: number, rounded: number): string =>
          `${present} of ${total} (nominal ${rounded})`
        return [text(total - count('rgb-only'), nominal.xyz), text(total - count('xyz-only'), nominal.rgb)]
      }
      return [settingName(setting), ...side('taught', 'test'), ...side('tested', 'train')]
    }),
  )
}

function gapTable(gaps: MiiadMeasured['gaps']): string {
  return table(
    ['Missing', 'Seed', 'Class', 'Method', 'Why'],
    gaps.map((gap) => [settingName(gap), String(gap.seed), gap.category, `\`${gap.method}\``, gap.why]),
  )
}

/** Never to be read as a comparison; what stands above them says why. */
export function publishedTables(): string {
  const figures = ['imageAuroc', 'aupro', 'pixelAuroc'] as const
  const main = table(
    [
      'Missing',
      ...figures.flatMap((figure) => PUBLISHED_METHODS.map((name) => `${FIGURE_NAMES[figure]} ${name}`)),
    ],
    PUBLISHED.map((published) => [
      settingName({ ...published, where: 'both' }),
      ...figures.flatMap((figure) => published[figure].map(three)),
    ]),
  )
  const ablation = table(
    [
      '',
      ...['xyz', 'rgb'].flatMap((kind) =>
        [30, 50, 70].flatMap((rate) => [`${rate} % ${kind}: I-AUROC`, `${rate} % ${kind}: AUPRO`]),
      ),
    ],
    PUBLISHED_ABLATION.map(({ name, figures: of }) => [name, ...of.flat().map(three)]),
  )
  const alone = table(
    ['Present in test', 'Method', 'I-AUROC', 'AUPRO'],
    PUBLISHED_ALL_MISSING.map(({ present, method, imageAuroc, aupro }) => [
      present,
      method,
      three(imageAuroc),
      three(aupro),
    ]),
  )
  return [
    'MVTec 3D-AD with ViT-B/8 (DINO) and Point-MAE, as printed in the RADAR paper (Tables 10 to 12, 16 and 6). **Not comparable** with ' +
      'the tables above: other parts, other encoders, another (unpublished) draw of the missing parts. What can be compared is how a ' +
      'method falls as more is missing.',
    main,
    'The paper’s ablation (its baseline is M3DM):',
    ablation,
    'Taught complete, one modality missing in every test part:',
    alone,
  ].join('\n\n')
}

const SETTING_HEAD = ['Missing', 'xyz in train', 'rgb in train', 'xyz in test', 'rgb in test'] as const

/** Shares of the parts that have each modality, as the paper heads its rows. */
function settingColumns(setting: Setting): string[] {
  const { kind, rate, where } = setting
  const present = (modality: 'xyz' | 'rgb', spared: MissingPlace): string => {
    if (kind === 'none' || where === spared) return '100 %'
    return percent(1 - (kind === 'both' ? rate / 2 : kind === modality ? rate : 0))
  }
  return [
    percent(rate),
    present('xyz', 'test'),
    present('rgb', 'test'),
    present('xyz', 'train'),
    present('rgb', 'train'),
  ]
}

const headed = (figure: string, methods: readonly string[]): string[] =>
  methods.map((method) => `${figure} \`${method}\``)

/** The best in bold. */
function figureColumns(
  cells: readonly MiiadCell[],
  { setting, methods }: { readonly setting: Setting; readonly methods: readonly string[] },
  figure: Figure,
): string[] {
  const means = methods.map((method) => meanOf(cells, { ...setting, method, on: 'all' }, figure))
  const best = Math.max(...means.map((mean) => mean?.mean ?? 0))
  return means.map((mean) => (mean?.mean === best ? `**${meanText(mean)}**` : meanText(mean)))
}

function meanText(mean: MeanOverSeeds | null): string {
  if (mean === null) return '-'
  return mean.spread === null ? three(mean.mean) : `${three(mean.mean)} ± ${three(mean.spread)}`
}

function differenceText(difference: MeanOverSeeds | null): string {
  if (difference === null) return '-'
  const { mean, spread } = difference
  return spread === null ? signed(mean) : `${signed(mean)} ± ${(100 * spread).toFixed(1)}`
}

const three = (value: number | null): string => (value === null ? '-' : value.toFixed(3))
const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many)

export function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
