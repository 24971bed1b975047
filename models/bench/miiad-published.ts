/**
 * What the RADAR paper prints for MVTec 3D-AD: Tables 10 (I-AUROC), 12 (AUPRO), 11 (P-AUROC), 7 and 6. Beside our tables for
 * orientation only: other data, other encoders (ViT-B/8 and Point-MAE), a split nobody can repeat, metrics at 224 pixels. Where
 * the paper contradicts itself (its Table 16 has RADAR at 0.830/0.865 for 50 % and 0.715 for 70 % of RGB) these are the main ones.
 */
import type { MissingKind } from './miiad-split.ts'

export interface PublishedRow {
  readonly kind: MissingKind
  readonly rate: number
  /** M3DM, Shape-Guided, RADAR. */
  readonly imageAuroc: readonly [number, number, number]
  readonly aupro: readonly [number, number, number]
  readonly pixelAuroc: readonly [number, number, number]
}

export const PUBLISHED_METHODS = ['M3DM', 'Shape-Guided', 'RADAR'] as const

export const PUBLISHED: readonly PublishedRow[] = [
  row('none', 0, [0.945, 0.947, 0.947], [0.964, 0.976, 0.967], [0.992, 0.985, 0.992]),
  row('rgb', 0.3, [0.892, 0.91, 0.908], [0.911, 0.924, 0.925], [0.945, 0.93, 0.955]),
  row('xyz', 0.3, [0.883, 0.869, 0.903], [0.932, 0.918, 0.947], [0.938, 0.923, 0.948]),
  row('both', 0.3, [0.886, 0.883, 0.907], [0.917, 0.923, 0.929], [0.947, 0.928, 0.953]),
  row('rgb', 0.5, [0.796, 0.811, 0.81], [0.835, 0.848, 0.857], [0.868, 0.85, 0.888]),
  row('xyz', 0.5, [0.789, 0.773, 0.821], [0.849, 0.838, 0.874], [0.857, 0.842, 0.88]),
  row('both', 0.5, [0.791, 0.799, 0.817], [0.833, 0.831, 0.862], [0.861, 0.848, 0.885]),
  row('rgb', 0.7, [0.675, 0.685, 0.707], [0.715, 0.729, 0.755], [0.755, 0.74, 0.785]),
  row('xyz', 0.7, [0.662, 0.649, 0.703], [0.709, 0.696, 0.748], [0.741, 0.732, 0.777]),
  row('both', 0.7, [0.668, 0.672, 0.706], [0.711, 0.714, 0.752], [0.755, 0.738, 0.782]),
]

/** Table 16: I-AUROC and AUPRO at 30, 50 and 70 % of xyz, then of rgb missing. */
export const PUBLISHED_ABLATION: readonly {
  readonly name: string
  readonly figures: readonly (readonly [imageAuroc: number, aupro: number])[]
}[] = [
  ablation('M3DM', '0.883 0.932 0.789 0.849 0.662 0.709 0.892 0.911 0.796 0.835 0.675 0.715'),
  ablation('+ MII', '0.892 0.940 0.802 0.860 0.680 0.725 0.899 0.918 0.808 0.845 0.690 0.728'),
  ablation('+ ALM', '0.885 0.934 0.795 0.853 0.668 0.714 0.893 0.914 0.801 0.839 0.683 0.721'),
  ablation('+ DPHM', '0.889 0.937 0.798 0.856 0.675 0.719 0.896 0.917 0.805 0.842 0.687 0.725'),
  ablation('+ MII & ALM', '0.898 0.943 0.810 0.865 0.688 0.732 0.905 0.923 0.816 0.851 0.698 0.736'),
  ablation('+ MII & DPHM', '0.902 0.945 0.816 0.868 0.693 0.738 0.907 0.925 0.823 0.858 0.705 0.743'),
  ablation('+ ALM & DPHM', '0.894 0.940 0.804 0.862 0.682 0.727 0.901 0.921 0.810 0.848 0.693 0.733'),
  ablation('RADAR', '0.903 0.947 0.821 0.874 0.703 0.748 0.908 0.925 0.830 0.865 0.715 0.755'),
]

/** Table 6: trained complete, tested with one modality gone altogether. Its text settles which line is whose. */
export const PUBLISHED_ALL_MISSING = [
  { present: 'rgb', method: 'M3DM', imageAuroc: 0.85, aupro: 0.942 },
  { present: 'rgb', method: 'RADAR', imageAuroc: 0.854, aupro: 0.944 },
  { present: 'xyz', method: 'M3DM', imageAuroc: 0.874, aupro: 0.906 },
  { present: 'xyz', method: 'RADAR', imageAuroc: 0.907, aupro: 0.932 },
] as const

function row(
  kind: MissingKind,
  rate: number,
  ...[imageAuroc, aupro, pixelAuroc]: [
    PublishedRow['imageAuroc'],
    PublishedRow['aupro'],
    PublishedRow['pixelAuroc'],
  ]
): PublishedRow {
  return { kind, rate, imageAuroc, aupro, pixelAuroc }
}

function ablation(name: string, numbers: string) {
  const values = numbers.split(' ').map(Number)
  return {
    name,
    figures: Array.from(
      { length: values.length / 2 },
      (_, i) => [values[2 * i]!, values[2 * i + 1]!] as const,
    ),
  }
}
