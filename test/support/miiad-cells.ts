/** Made-up cells of MIIAD Bench. */
import type { MiiadCell, MiiadFigures, MiiadMeasured } from '../../models/bench/miiad-report.ts'

export type CellOptions = Partial<Omit<MiiadCell, 'figures'>> &
  Partial<Pick<MiiadFigures, 'imageAuroc' | 'pixelAuroc' | 'aupro'>>

/** Of the class `nut`, 30 % of xyz missing, seed 1, unless told. */
export function cell({ imageAuroc = 0.9, pixelAuroc = 0.95, aupro = 0.8, ...over }: CellOptions): MiiadCell {
  return {
    kind: 'xyz',
    rate: 0.3,
    where: 'both',
    seed: 1,
    category: 'nut',
    method: 'radar',
    on: 'all',
    figures: {
      good: 20,
      defective: 30,
      imageAuroc,
      imageAurocInterval: imageAuroc === null ? null : { lower: imageAuroc - 0.05, upper: imageAuroc },
      pixelAuroc,
      aupro,
    },
    ...over,
  }
}

export function measuredOf(cells: readonly MiiadCell[]): MiiadMeasured {
  return {
    schema: 'radar-edge/bench-miiad@1',
    bundle: { id: 'a'.repeat(64), name: 'radar-lite', version: '0.3.0' },
    ablations: [],
    dataset: 'nuts',
    byteBudget: 4 * 2 ** 20,
    promisedFalseRejectRate: 0.05,
    resolution: '224 x 224',
    splits: [
      {
        kind: 'xyz',
        rate: 0.3,
        where: 'both',
        seed: 1,
        category: 'nut',
        taught: { complete: 7, 'rgb-only': 3, 'xyz-only': 0 },
        tested: { complete: 35, 'rgb-only': 15, 'xyz-only': 0 },
      },
    ],
    cells: [...cells],
    gaps: [],
    warnings: [],
  }
}
