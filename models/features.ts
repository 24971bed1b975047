/** The data that flows between the steps of the method. Plain typed arrays, row-major. */
import type { Absence, DecidableCondition } from '../drivers/sample.ts'

/** The grid that every bank, map and token list is laid out on. RADAR's fused path only fits 28 x 28 (numerics 4.2). */
export const GRID_ROWS = 28
export const GRID_COLUMNS = 28
export const GRID_PATCHES = GRID_ROWS * GRID_COLUMNS
/** Width and height of the model's input and of every anomaly map, pixels. */
export const INPUT_SIZE = 224

/** Where the model's square input lies in the frame it was cut from: zero-padded to `side`, then resized to 224. */
export interface Placement {
  readonly frameWidth: number
  readonly frameHeight: number
  /** Side of the padded square, in frame pixels. */
  readonly side: number
  /** Rows of padding above and columns of padding left of the frame, in frame pixels. */
  readonly padTop: number
  readonly padLeft: number
}

/** What preprocessing hands to the encoders. */
export interface ModelInput {
  readonly condition: DecidableCondition
  /** Normalised image, NCHW without N: `3 * 224 * 224`. Present in `complete` and `rgb-only`. */
  readonly rgb?: Float32Array
  /** The part's points. Present in `complete` and `xyz-only`. */
  readonly xyz?: {
    /** `count * 3`, metres, camera frame, raster order. */
    readonly pointsMetres: Float32Array
    /** Raster index of each point in the 224 x 224 input. */
    readonly pixels: Uint32Array
  }
  /** 1 where the part is, 0 on the background: `224 * 224`. All ones when nothing told the part from the background. */
  readonly foreground: Uint8Array
  readonly placement: Placement
  /** What preprocessing took away from the sample, e.g. an xyz frame without a part in it. */
  readonly absent: { readonly rgb?: Absence; readonly xyz?: Absence }
  /** Remarks that do not stop the inspection, e.g. `plane-skipped`. */
  readonly flags: readonly string[]
}

/** One row-major patch grid per encoder. */
export interface Features {
  readonly condition: DecidableCondition
  /** `784 * width`. */
  readonly rgb?: { readonly width: number; readonly values: Float32Array }
  readonly xyz?: { readonly width: number; readonly values: Float32Array }
  /** 1 where the patch holds part of the foreground: 784. Other patches do not vote in the image score. */
  readonly foregroundPatches: Uint8Array
}

/** What a verdict tells scores of. */
export type BankName = 'rgb' | 'xyz' | 'fused'

/**
 * The matrices that a repository holds. The paper tags the rows of R_fused with their condition and asks only those of the part's own
 * (numerics 5.5): that is one matrix per condition. A fused feature of one instruction says nothing of one of another.
 */
export const BANK_KEYS = ['rgb', 'xyz', 'fused-complete', 'fused-rgb-only', 'fused-xyz-only'] as const
export type BankKey = (typeof BANK_KEYS)[number]

/** One value for each bank. */
export function byBankKey<T>(of: (key: BankKey) => T): Record<BankKey, T> {
  return {
    rgb: of('rgb'),
    xyz: of('xyz'),
    'fused-complete': of('fused-complete'),
    'fused-rgb-only': of('fused-rgb-only'),
    'fused-xyz-only': of('fused-xyz-only'),
  }
}

/** Which matrix a bank's name means for a part of this condition. */
export function bankKey(name: BankName, condition: DecidableCondition): BankKey {
  return name === 'fused' ? `fused-${condition}` : name
}
