/** The smallest product that can be taught: a handful of patches, a few numbers each. For tests that update it very often. */
import { GRID_COLUMNS, GRID_PATCHES, type Features } from '../../models/features.ts'
import type { Fuse } from '../../models/fusion.ts'
import { seededRandom } from '../../models/random.ts'
import type { TeachRequest } from '../../models/teach.ts'
import { quickSearch } from './quick-search.ts'
import { teachRequest } from './taught-repository.ts'

export const SMALL_WIDTHS = { rgb: 3, xyz: 2, fused: 5 } as const
/** The least that has room for 64 rows of each fused bank. */
export const SMALL_BYTE_BUDGET = 9000

const rowOf = (patch: number): number => Math.floor(patch / GRID_COLUMNS)
const columnOf = (patch: number): number => patch % GRID_COLUMNS

/** The patches that the part lies on. */
export const SMALL_PATCHES: readonly number[] = Array.from(
  { length: GRID_PATCHES },
  (_, patch) => patch,
).filter((patch) => Math.hypot(rowOf(patch) - 13.5, columnOf(patch) - 13.5) < 3)

/** Each patch has a look of its own, between 0 and 6, and each part differs from it by up to 1. */
export interface SmallPartOptions {
  readonly seed: number
  /** Shifts every rgb value. */
  readonly lamp?: number
  /** Shifts every xyz value. */
  readonly wear?: number
  /** Shift where the defect is: 3 x 3 patches somewhere on the part. */
  readonly rgbDefect?: number
  readonly xyzDefect?: number
}

export function smallPart({
  seed,
  lamp = 0,
  wear = 0,
  rgbDefect = 0,
  xyzDefect = 0,
}: SmallPartOptions): Features {
  const random = seededRandom(seed)
  const look = seededRandom(7)
  const centre = SMALL_PATCHES[Math.floor(random() * SMALL_PATCHES.length)]!
  const isHit = (patch: number): boolean =>
    Math.abs(rowOf(patch) - rowOf(centre)) <= 1 && Math.abs(columnOf(patch) - columnOf(centre)) <= 1
  const tokens = (width: number, { shift, defect }: { shift: number; defect: number }) => {
    const values = new Float32Array(GRID_PATCHES * width)
    for (const patch of SMALL_PATCHES) {
      for (let i = 0; i < width; i++) {
        values[patch * width + i] = 6 * look() + random() + shift + (isHit(patch) ? defect : 0)
      }
    }
    return { width, values }
  }
  const foregroundPatches = new Uint8Array(GRID_PATCHES)
  for (const patch of SMALL_PATCHES) foregroundPatches[patch] = 1
  return {
    condition: 'complete',
    rgb: tokens(SMALL_WIDTHS.rgb, { shift: lamp, defect: rgbDefect }),
    xyz: tokens(SMALL_WIDTHS.xyz, { shift: wear, defect: xyzDefect }),
    foregroundPatches,
  }
}

/** Both modalities side by side. */
export const fuseSmall: Fuse = async ({ rgb, xyz }) => {
  const { fused: width } = SMALL_WIDTHS
  const values = new Float32Array(GRID_PATCHES * width).fill(0.25)
  for (const patch of SMALL_PATCHES) {
    if (rgb) values.set(rgb.values.subarray(patch * 3, patch * 3 + 3), patch * width)
    if (xyz) values.set(xyz.values.subarray(patch * 2, patch * 2 + 2), patch * width + 3)
  }
  return { width, values }
}

/** Of so many good parts; what it is taught with compares parts of the product. */
export async function smallProduct(parts: number): Promise<TeachRequest> {
  return teachRequest(quickSearch, {
    parts: Array.from({ length: parts }, (_, seed) => ({
      partId: `taught-${seed}`,
      features: smallPart({ seed }),
    })),
    heldOut: [],
    fuse: fuseSmall,
    byteBudget: SMALL_BYTE_BUDGET,
  })
}
