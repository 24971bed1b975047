/** Made-up features of a product: every patch has its own look, every part varies a little, a defect looks otherwise. */
import { GRID_COLUMNS, GRID_PATCHES, type Features } from '../../models/features.ts'
import type { Fuse } from '../../models/fusion.ts'
import { seededRandom, type Random } from '../../models/random.ts'

export const RGB_WIDTH = 12
export const XYZ_WIDTH = 8

/** How much a modality shows: `signal` of the defect, and whether good parts resemble each other in it at all. */
export interface PartOptions {
  readonly seed: number
  /** Size of the defect in deviations of a good patch, per modality. */
  readonly rgbDefect?: number
  readonly xyzDefect?: number
  /** The 3D of this product is noise: no part resembles any other. */
  readonly xyzIsNoise?: true
  /** The product comes in so many kinds, each with a look of its own; the seed says which. Default one. */
  readonly kinds?: number
}

export function partFeatures(options: PartOptions): Features {
  const { seed, rgbDefect = 0, xyzDefect = 0, xyzIsNoise, kinds = 1 } = options
  const random = seededRandom(seed)
  const look = seededRandom(77 + Math.floor(seededRandom(seed + 1_000_000)() * kinds))
  const foregroundPatches = Uint8Array.from({ length: GRID_PATCHES }, (_, patch) => {
    const row = Math.floor(patch / GRID_COLUMNS) - 13.5
    const column = (patch % GRID_COLUMNS) - 13.5
    return row ** 2 + column ** 2 < 81 ? 1 : 0
  })
  const inside = [...foregroundPatches.keys()].filter((patch) => foregroundPatches[patch] === 1)
  const defect = inside[Math.floor(random() * inside.length)]!
  // Parts differ as wholes too, or every part would score alike.
  const mood = gaussian(random) * 0.3
  const tokens = (width: number, size: number, lookScale: number) => {
    const values = new Float32Array(GRID_PATCHES * width)
    for (let patch = 0; patch < GRID_PATCHES; patch++) {
      for (let i = 0; i < width; i++) {
        const own = lookScale * gaussian(look)
        // Tokens are means over 3 x 3 patches: the smallest defect shows in as many.
        const rows = Math.abs(Math.floor(patch / GRID_COLUMNS) - Math.floor(defect / GRID_COLUMNS))
        const columns = Math.abs((patch % GRID_COLUMNS) - (defect % GRID_COLUMNS))
        const isDefect = rows <= 1 && columns <= 1
        values[patch * width + i] = own + (0.5 + 0.1 * mood) * gaussian(random) + (isDefect ? size * 0.5 : 0)
      }
    }
    return { width, values }
  }
  return {
    condition: 'complete',
    rgb: tokens(RGB_WIDTH, rgbDefect, 2),
    xyz: tokens(XYZ_WIDTH, xyzDefect, xyzIsNoise ? 0 : 2),
    foregroundPatches,
  }
}

/** Stands in for a missing modality, per patch and entry alike. */
const PSEUDO = 0.25
const GAINS = { complete: 1, 'rgb-only': 2, 'xyz-only': 3 } as const

/** A fusion for made-up parts: both modalities side by side, larger by the condition, so that no two conditions can be mixed up. */
export const fuseSideBySide: Fuse = async ({ condition, rgb, xyz }) => {
  const width = (rgb?.width ?? RGB_WIDTH) + (xyz?.width ?? XYZ_WIDTH)
  const values = new Float32Array(GRID_PATCHES * width)
  for (let patch = 0; patch < GRID_PATCHES; patch++) {
    const row = [
      ...(rgb?.values.subarray(patch * rgb.width, (patch + 1) * rgb.width) ?? pseudo(RGB_WIDTH)),
      ...(xyz?.values.subarray(patch * xyz.width, (patch + 1) * xyz.width) ?? pseudo(XYZ_WIDTH)),
    ]
    for (const [i, value] of row.entries()) values[patch * width + i] = GAINS[condition] * value
  }
  return { width, values }
}

const pseudo = (width: number): Float32Array => new Float32Array(width).fill(PSEUDO)

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
