/** The kinds of defect, and which sensor can see each. */

export const DEFECT_KINDS = [
  'stain',
  'discolouration',
  'misprint',
  'dent',
  'bump',
  'warp',
  'hole',
  'scratch',
  'crack',
  'chipped',
  'foreign-body',
  'missing-piece',
] as const
export type DefectKind = (typeof DEFECT_KINDS)[number]

/** Which sensor can see a defect at all: colour-only kinds leave every height as it was, shape-only kinds every colour. */
export const VISIBLE_IN: Record<DefectKind, 'rgb' | 'xyz' | 'both'> = {
  stain: 'rgb',
  discolouration: 'rgb',
  misprint: 'rgb',
  dent: 'xyz',
  bump: 'xyz',
  warp: 'xyz',
  hole: 'both',
  scratch: 'both',
  crack: 'both',
  chipped: 'both',
  'foreign-body': 'both',
  'missing-piece': 'both',
}

/** Kinds that any relief can suffer. The others are flaws that only the category can paint. */
export type Damage = Exclude<DefectKind, 'misprint' | 'missing-piece'>
