/** One row per cell, for spreadsheets and data frames. */
import type { MiiadCell } from './miiad-report.ts'

const COLUMNS: readonly (readonly [name: string, value: (cell: MiiadCell) => string | number | null])[] = [
  ['seed', ({ seed }) => seed],
  ['category', ({ category }) => category],
  ['missing', ({ kind }) => kind],
  ['rate', ({ rate }) => rate],
  ['where', ({ where }) => where],
  ['method', ({ method }) => method],
  ['on', ({ on }) => on],
  ['good', ({ figures }) => figures.good],
  ['defective', ({ figures }) => figures.defective],
  ['image_auroc', ({ figures }) => figures.imageAuroc],
  ['image_auroc_lower', ({ figures }) => figures.imageAurocInterval?.lower ?? null],
  ['image_auroc_upper', ({ figures }) => figures.imageAurocInterval?.upper ?? null],
  ['aupro', ({ figures }) => figures.aupro],
  ['pixel_auroc', ({ figures }) => figures.pixelAuroc],
  ...(['complete', 'rgb-only', 'xyz-only'] as const).flatMap((condition) =>
    (['good', 'defective'] as const).flatMap((kind) =>
      (['parts', 'rejected'] as const).map(
        (what) =>
          [
            `${condition.replace('-', '_')}_${kind}_${what}`,
            ({ decisions }: MiiadCell) => decisions?.[condition]?.[kind][what] ?? null,
          ] as const,
      ),
    ),
  ),
]

/** RFC 4180; what is undefined is empty. */
export function csvReport(cells: readonly MiiadCell[]): string {
  const lines = cells.map((cell) => COLUMNS.map(([, value]) => quoted(value(cell))).join(','))
  return [COLUMNS.map(([name]) => name).join(','), ...lines, ''].join('\r\n')
}

function quoted(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
