/** What was to be reached, and whether it was: printed with the figures either way. Bars that need cells which are not there say so. */
import { SINGLE_METHOD } from './miiad-methods.ts'
import {
  differenceOf,
  falseRejectsOf,
  meanOf,
  settingsOf,
  type Difference,
  type Figure,
  type MiiadCell,
  type Population,
  type Setting,
} from './miiad-report.ts'
import { MISSING_KINDS } from './miiad-split.ts'

export interface Bar {
  readonly name: string
  /** Null: this run has not the cells for it. */
  readonly reached: boolean | null
  readonly found: string
}

/** Points of I-AUROC and AUPRO above M3DM with pseudo-inputs, by missing rate. */
const LEADS: readonly (readonly [rate: number, lead: number])[] = [
  [0.3, 0.03],
  [0.7, 0.05],
]
const BELOW_SINGLE = 0.005
const BELOW_ALONE = 0.02
const METRICS: readonly Figure[] = ['imageAuroc', 'aupro']
const NAMES: Readonly<Record<Figure, string>> = {
  imageAuroc: 'I-AUROC',
  aupro: 'AUPRO',
  pixelAuroc: 'P-AUROC',
}

export function barsOf(cells: readonly MiiadCell[], promised: number): Bar[] {
  return [...leadBars(cells), ...singleBars(cells), rejectBar(cells, promised), ...aloneBars(cells)]
}

function leadBars(cells: readonly MiiadCell[]): Bar[] {
  return LEADS.flatMap(([rate, lead]) =>
    MISSING_KINDS.filter((kind) => kind !== 'none').flatMap((kind) =>
      METRICS.map((figure): Bar => {
        const asked = { kind, rate, where: 'both', method: 'radar', on: 'all' } as const
        const difference = differenceOf(cells, { ...asked, against: 'm3dm-pseudo' }, figure)
        return {
          name: `${percent(rate)} of ${kind} missing: radar above m3dm-pseudo by ${points(lead)} points of ${NAMES[figure]}`,
          reached: difference && difference.mean >= lead,
          found: difference ? describe(difference) : 'not measured',
        }
      }),
    ),
  )
}

/** Against each single modality on the parts that have it, in every setting. */
function singleBars(cells: readonly MiiadCell[]): Bar[] {
  return (['rgb', 'xyz'] as const).flatMap((on: Exclude<Population, 'all'>) =>
    METRICS.map((figure): Bar => {
      const found = settingsOf(cells).flatMap((setting) => {
        const asked = { ...setting, method: 'radar', on, against: SINGLE_METHOD[on] }
        const difference = differenceOf(cells, asked, figure)
        return difference ? [{ setting, difference }] : []
      })
      const lowest = found.reduce<(typeof found)[number] | undefined>(
        (low, one) => (low && low.difference.mean <= one.difference.mean ? low : one),
        undefined,
      )
      return {
        name: `on parts that have ${on}: radar not more than ${points(BELOW_SINGLE)} points of ${NAMES[figure]} below ${SINGLE_METHOD[on]}`,
        reached: lowest ? lowest.difference.mean >= -BELOW_SINGLE : null,
        found: lowest
          ? `lowest of ${found.length} settings: ${settingName(lowest.setting)}, ${describe(lowest.difference)}`
          : 'not measured',
      }
    }),
  )
}

function rejectBar(cells: readonly MiiadCell[], promised: number): Bar {
  const shares = falseRejectsOf(cells, promised).filter(({ method }) => method === 'radar')
  const broken = shares.filter(({ holds }) => !holds)
  const named = broken.map(
    (share) =>
      `${settingName(share)} ${share.condition}: ${share.rejected} of ${share.parts} [${percent(share.lower)}, ${percent(share.upper)}]`,
  )
  return {
    name: `good parts rejected: the promised ${percent(promised)} within the binomial 95 % interval in every condition and setting`,
    reached: shares.length === 0 ? null : broken.length === 0,
    found:
      shares.length === 0
        ? 'not measured'
        : `${shares.length - broken.length} of ${shares.length} hold` +
          (broken.length > 0 ? `; not ${named.join('; ')}` : ''),
  }
}

/** Taught complete: both sensors at once against either alone, and a test where most of the 3D is gone. */
function aloneBars(cells: readonly MiiadCell[]): Bar[] {
  const image = (setting: Setting) =>
    meanOf(cells, { ...setting, method: 'radar', on: 'all' }, 'imageAuroc')?.mean
  const complete = image({ kind: 'none', rate: 0, where: 'both' })
  const rgbAlone = image({ kind: 'xyz', rate: 1, where: 'test' })
  const xyzAlone = image({ kind: 'rgb', rate: 1, where: 'test' })
  const mostlyRgb = image({ kind: 'xyz', rate: 0.7, where: 'test' })
  const alone = rgbAlone !== undefined && xyzAlone !== undefined ? Math.max(rgbAlone, xyzAlone) : undefined
  return [
    {
      name: `taught complete: I-AUROC of complete parts not more than ${points(BELOW_SINGLE)} points below the better modality alone`,
      reached: complete === undefined || alone === undefined ? null : complete >= alone - BELOW_SINGLE,
      found: `complete ${three(complete)}, rgb-only ${three(rgbAlone)}, xyz-only ${three(xyzAlone)}`,
    },
    {
      name: `taught complete, tested with 70 % of xyz missing: I-AUROC not more than ${points(BELOW_ALONE)} points below rgb-only`,
      reached: mostlyRgb === undefined || rgbAlone === undefined ? null : mostlyRgb >= rgbAlone - BELOW_ALONE,
      found: `${three(mostlyRgb)}, rgb-only ${three(rgbAlone)}`,
    },
  ]
}

const three = (value: number | undefined): string => value?.toFixed(3) ?? 'not measured'
export const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`
const points = (share: number): string => Number((100 * share).toFixed(2)).toString()

export function settingName(setting: Setting): string {
  const { kind, rate, where } = setting
  if (kind === 'none') return 'nothing missing'
  const what = kind === 'both' ? 'rgb or xyz' : kind
  return `${percent(rate)} ${what} missing${where === 'both' ? '' : ` in ${where} only`}`
}

function describe({ mean, spread, seeds, interval, worst, classes }: Difference): string {
  const over = spread === null ? '' : ` ± ${(100 * spread).toFixed(1)} over ${seeds} seeds`
  const among =
    classes < 2 || interval === null
      ? ''
      : `, 95 % over ${classes} classes [${signed(interval.lower)}, ${signed(interval.upper)}], worst ${worst.category} ${signed(worst.difference)}`
  return `${signed(mean)} points${over}${among}`
}

/** In points. */
export function signed(share: number): string {
  // Adding 0 makes -0 plain.
  const value = Number((100 * share).toFixed(1)) + 0
  return `${value > 0 ? '+' : ''}${value.toFixed(1)}`
}
