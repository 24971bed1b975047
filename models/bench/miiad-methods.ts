/** The methods of MIIAD Bench by name, in the order of the tables. Ablations by another fusion are called `radar:<name>`. */

export const METHODS = [
  'rgb-only',
  'xyz-only',
  'm3dm-pseudo',
  'm3dm-present',
  'radar',
  'radar-one-head',
  'radar-no-fused',
  'radar-fused-map',
] as const
export type Method = (typeof METHODS)[number]

/** One bank of one modality (PatchCore), measured on the parts that have it. */
export const SINGLE_METHOD = { rgb: 'rgb-only', xyz: 'xyz-only' } as const

export const METHOD_MEANINGS: Readonly<Record<Method, string>> = {
  'rgb-only': 'one bank of RGB patches (PatchCore), on the parts that have RGB',
  'xyz-only': 'one bank of 3D patches (PatchCore), on the parts that have 3D',
  'm3dm-pseudo':
    'as M3DM: banks of rgb, xyz and both side by side; what is missing is filled with the features of the pseudo-input, when taught and when asked; one linear one-class head for all parts',
  'm3dm-present':
    'the same, but a bank is built from and asked for only what is there; the weights of the present banks sum to 1',
  radar: 'the product: fusion by instruction, banks and calibrated heads per condition',
  'radar-one-head':
    'radar without calibration per condition: the head of complete parts for all, missing banks left out of it',
  'radar-no-fused': 'radar without its fused bank: what the trained fusion adds',
  'radar-fused-map': 'radar whose fused bank draws the map, too, as in the paper (eq. 11)',
}

export const ablationMethod = (name: string): string => `radar:${name}`

/** In the order of the tables: ours by METHODS, then the ablations as they come. */
export function inOrder(methods: Iterable<string>): string[] {
  const found = [...new Set(methods)]
  return [...METHODS.filter((method) => found.includes(method)), ...found.filter((name) => !isMethod(name))]
}

export const isMethod = (name: string): name is Method => (METHODS as readonly string[]).includes(name)
