/** Made-up features of a product: every patch has its own look, every part varies a little, a defect looks otherwise. */
import { GRID_COLUMNS, GRID_PATCHES, type Features } from '../../models/features.ts'
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
}

export function partFeatures({ seed, rgbDefect = 0, xyzDefect = 0, xyzIsNoise }: PartOptions): Features {
  const random = seededRandom(seed)
  const look = seededRandom(77)
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

export function narrowed(features: Features, condition: 'rgb-only' | 'xyz-only'): Features {
  const { rgb, xyz, foregroundPatches } = features
  return condition === 'rgb-only'
    ? { condition, rgb: rgb!, foregroundPatches: foregroundPatches.map(() => 1) }
    : { condition, xyz: xyz!, foregroundPatches }
}

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
