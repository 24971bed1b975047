/** What report.json holds beside the cells: everything that the tables and bars show, for machines. */
import { barsOf, type Bar } from './miiad-bars.ts'
import {
  differenceOf,
  falseRejectsOf,
  FIGURES,
  meanOf,
  POPULATIONS,
  settingsOf,
  type Difference,
  type Figure,
  type MeanOverSeeds,
  type MiiadMeasured,
  type Population,
  type RejectShare,
  type Setting,
} from './miiad-report.ts'

type OfFigures<T> = Readonly<Record<Figure, T | null>>

export interface MiiadSummary {
  /** Over classes, then seeds. */
  readonly means: readonly (Setting & {
    readonly method: string
    readonly on: Population
    readonly figures: OfFigures<MeanOverSeeds>
    /** This method minus `radar`, paired by class and seed. */
    readonly beyondRadar: OfFigures<Difference>
  })[]
  readonly falseRejects: readonly RejectShare[]
  readonly bars: readonly Bar[]
}

export function summaryOf({ cells, promisedFalseRejectRate }: MiiadMeasured): MiiadSummary {
  const methods = [...new Set(cells.map(({ method }) => method))]
  const asked = settingsOf(cells).flatMap((setting) =>
    methods.flatMap((method) => POPULATIONS.map((on) => ({ ...setting, method, on }))),
  )
  const each = <T>(of: (figure: Figure) => T | null): OfFigures<T> => ({
    imageAuroc: of('imageAuroc'),
    aupro: of('aupro'),
    pixelAuroc: of('pixelAuroc'),
  })
  return {
    means: asked
      .map((one) => ({
        ...one,
        figures: each((figure) => meanOf(cells, one, figure)),
        beyondRadar: each((figure) => differenceOf(cells, { ...one, against: 'radar' }, figure)),
      }))
      .filter(({ figures }) => FIGURES.some((figure) => figures[figure] !== null)),
    falseRejects: falseRejectsOf(cells, promisedFalseRejectRate),
    bars: barsOf(cells, promisedFalseRejectRate),
  }
}
