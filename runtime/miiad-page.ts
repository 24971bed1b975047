/** The page of results, docs/miiad-bench.md, from what was measured. */
import { barsOf, percent, type Bar } from '../models/bench/miiad-bars.ts'
import {
  ablationTable,
  barTable,
  intervalTable,
  mainTables,
  methodList,
  publishedTables,
  rejectTable,
  singleTable,
  splitTable,
} from '../models/bench/miiad-markdown.ts'
import { meanOf, type MiiadCell, type MiiadMeasured } from '../models/bench/miiad-report.ts'

export interface MiiadPageOf {
  readonly synthetic: MiiadMeasured
  /** Of a bundle whose parts were trained apart, where that is not the one above. */
  readonly ablations?: MiiadMeasured
  readonly real?: MiiadMeasured
  /** The real class with another RGB encoder plugged in. */
  readonly plugged?: MiiadMeasured
}

export function miiadPage({ synthetic, ablations, real, plugged }: MiiadPageOf): string {
  return [
    '<!-- Written by `npm run miiad-page` from report.json files of `radar-edge bench miiad`. Do not edit: run it again. -->',
    '# MIIAD Bench: what RADAR is worth when a sensor is missing',
    'MIIAD Bench takes a modality away from a share of the parts, in teaching and in testing, and asks how well defects are still told ' +
      'from good parts. The paper’s splits are not published; the rule here is: of the parts of a class and split, round-half-up(n × rate) ' +
      'lack something, spread over the labels by largest remainder, drawn by a seed that is the hash of class, split, rate, kind and seed. ' +
      'Of “rgb or xyz missing” half lacks each. `splits.json` beside every report names the condition of every part, and `--splits` takes it back.',
    '## What was measured, and how',
    measuredText('Synthetic', synthetic),
    ...(ablations ? [measuredText('Ablations', ablations)] : []),
    ...(real ? [measuredText('Real', real)] : []),
    ...(plugged ? [measuredText('Real, another RGB encoder', plugged)] : []),
    'All methods get the same parts, the same features of the same encoders, the same candidate patches and the same image score per ' +
      'bank; banks of the baselines have as many rows as the product’s banks of one modality. Only what they make of them differs:',
    methodList(synthetic.cells),
    '## Bars',
    barTable(barsOf(synthetic.cells, synthetic.promisedFalseRejectRate).filter(isAsked)),
    '## Synthetic products',
    '![Figures against the missing rate](screens/miiad-synthetic-auroc.png)',
    mainTables(synthetic.cells),
    '### Against one modality alone, on the parts that have it',
    singleTable(synthetic.cells),
    '### Parts of each condition',
    splitTable(synthetic.splits),
    '## Ablations',
    'What radar is without one of its parts. A part that does not help shows as a row that is not below `radar`.',
    ...(ablations
      ? [
          'Trained apart, each with the same budget; `radar` here is the bundle with all parts:',
          ablationTable(ablations.cells),
          'Of the shipped bundle, what needs no other training:',
        ]
      : []),
    ablationTable(synthetic.cells),
    'Why the fused bank stays in the product where it adds little: it is heard only when it is plainly odd (2.5 deviations beyond the mean), so ' +
      'it costs no false alarms; it takes about 10 ms of two cores and three eighths of the banks’ bytes; and it is the only bank that compares a ' +
      'colour with the shape it lies on. None of the synthetic defects is a good colour on a wrong good shape. It does not draw the map by default.',
    '## Rejected good parts',
    `Every good test part is one that no bank and no threshold has seen. The promise was ${percent(synthetic.promisedFalseRejectRate)}, ` +
      'in every condition. A part is asked once per seed, so that with several seeds the intervals are narrower than those of independent ' +
      'parts; of many intervals of 95 % one in twenty leaves the promise out by chance.',
    '![How odd good and defective parts look, per condition](screens/miiad-synthetic-scores.png)',
    rejectTable(synthetic.cells, synthetic.promisedFalseRejectRate),
    ...(real ? realSection(real, plugged) : []),
    '## Beside the published figures',
    publishedTables(),
    '## What is not comparable',
    [
      '- **Data.** The synthetic products are ours; the real class is 60 of MVTec 3D-AD’s training parts and 40 of its test parts, one class of ten.',
      '- **Encoders.** The paper’s figures rest on ViT-B/8 (DINO) and Point-MAE; these on the small encoders of the bundle, made to run without a GPU.',
      '- **Splits.** The paper’s members are unknown: its tables hold nominal counts, rounded to tens.',
      '- **M3DM-style is not M3DM.** It is M3DM’s construction (three banks, pseudo-inputs, one linear one-class head) on our encoders, ' +
        'with both features side by side in place of its learned alignment, and with scores that are scaled before the head, which helps it.',
      '- **Image scores across conditions.** radar ranks parts of all conditions by the normality of each; the baselines by one score for all.',
      '- **Pixel figures** are on 224 x 224; MVTec’s own are at native size.',
    ].join('\n'),
    '',
  ].join('\n\n')
}

const isAsked = ({ reached }: Bar): boolean => reached !== null

/** What to run to get these figures again. */
function measuredText(name: string, measured: MiiadMeasured): string {
  const { bundle, cells, byteBudget, promisedFalseRejectRate, ablations, dataset, resolution } = measured
  const list = (of: (cell: MiiadCell) => string | number): string =>
    [...new Set(cells.map(of))].sort((a, b) => (a < b ? -1 : 1)).join(', ')
  const places = [...new Set(cells.map(({ where }) => where))]
  const commands = places.map((where) => {
    const of = cells.filter(
      (cell) => cell.where === where && (cell.kind !== 'none' || places.length === 1 || where === 'both'),
    )
    const rates = [...new Set(of.map(({ rate }) => Number((100 * rate).toFixed(6))))].sort((a, b) => a - b)
    const kinds = [...new Set(of.map(({ kind }) => kind))].filter((kind) => kind !== 'none')
    return [
      'radar-edge bench miiad',
      `--data <${dataset}>`,
      `--rates ${rates.join(',')}`,
      ...(kinds.length > 0 && kinds.length < 3 ? [`--kinds ${kinds.join(',')}`] : []),
      ...(where === 'both' ? [] : [`--where ${where}`]),
      `--seeds ${[...new Set(of.map(({ seed }) => seed))].sort((a, b) => a - b).join(',')}`,
      `--bank-mebibytes ${byteBudget / 2 ** 20}`,
      ...(promisedFalseRejectRate === 0.05 ? [] : [`--false-reject-rate ${promisedFalseRejectRate}`]),
      ...ablations.map(({ name: ablation }) => `--ablation ${ablation}=<bundle>`),
    ].join(' ')
  })
  return [
    `**${name}:** ${dataset}, bundle ${bundle.name} ${bundle.version} (\`${bundle.id.slice(0, 12)}\`); classes ${list(({ category }) => category)}; ` +
      `seeds ${list(({ seed }) => seed)}; means over classes, then mean ± standard deviation over seeds. Pixel figures on ${resolution}.`,
    ['```sh', ...commands, '```'].join('\n'),
  ].join('\n\n')
}

function realSection(real: MiiadMeasured, plugged: MiiadMeasured | undefined): string[] {
  const bars = [
    ...barsOf(real.cells, real.promisedFalseRejectRate),
    ...(plugged ? [pluggedBar(real, plugged)] : []),
  ]
  const classes = [...new Set(real.cells.map(({ category }) => category))].join(', ')
  return [
    `## Real parts: ${classes}`,
    'A few dozen parts: intervals are of a bootstrap over them (95 %), and a difference that lies within them is none. Choices were made on synthetic parts of other seeds.',
    '![Figures against the missing rate](screens/miiad-real-auroc.png)',
    barTable(bars.filter(isAsked)),
    intervalTable(real.cells),
    '![How odd good and defective parts look, per condition](screens/miiad-real-scores.png)',
    rejectTable(real.cells, real.promisedFalseRejectRate),
  ]
}

const NEAR_PLUGGED = 0.01

/** RGB alone in every test part, this bundle's encoder beside one that was made for another purpose. */
function pluggedBar(real: MiiadMeasured, plugged: MiiadMeasured): Bar {
  const image = (cells: readonly MiiadCell[]): number | undefined =>
    meanOf(cells, { kind: 'xyz', rate: 1, where: 'test', on: 'rgb', method: 'rgb-only' }, 'imageAuroc')?.mean
  const own = image(real.cells)
  const other = image(plugged.cells)
  const shown = (value: number | undefined): string => value?.toFixed(3) ?? 'not measured'
  return {
    name: `rgb-only: I-AUROC at least that of the plugged-in RGB encoder minus ${NEAR_PLUGGED}`,
    reached: own === undefined || other === undefined ? null : own >= other - NEAR_PLUGGED,
    found: `${shown(own)}, ${plugged.bundle.name} ${shown(other)}`,
  }
}
